"""Mail about an event: with crashes anywhere and redeliveries, each recipient gets exactly one mail."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from billing.accounts.information import Area, ContactDetails
from billing.correspondence.audiences import Delivery, DeliveryStatus, Feedback, LetterContext, Recipient
from billing.correspondence.mailer import Mailer
from billing.correspondence.note_feedback import note_feedback
from billing.correspondence.notify import CLAIM, Post, notify
from billing.kernel.errors import AnswerLost
from billing.kernel.events import Event
from billing.platform.events.mapping import event_from
from billing.platform.files.interfaces import Documents

from tests.faults.company import change, company
from tests.faults.cuts import Faults
from tests.faults.edges import edge
from tests.faults.world import Bucket, World
from tests.store.samples import NOON

RECIPIENTS = {"ada@nordlys.example", "invoices@nordlys.example"}
LATER = CLAIM + timedelta(seconds=1)
"""The delay of a redelivery: the claim of the attempt before has expired."""


class MailService:
    """A fake of SES: accepts mail, and reports it as sent. See billing.correspondence.mailer.Mailer."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.feedback: list[Feedback] = []

    def send(self, message: bytes, to: str, delivery: Delivery) -> str:
        self.taken.append((to, message))
        self.feedback.append(Feedback(DeliveryStatus.SENT, delivery, f"message-{len(self.taken)}", NOON))
        return f"message-{len(self.taken)}"


class MailWorld(World):
    """The sample company with one event to mail: a change of its contact."""

    def __init__(self) -> None:
        super().__init__()
        self.mail = MailService()
        self.bucket = Bucket()
        self.attempts = 0

    @property
    def mailer(self) -> Mailer:
        return edge("mailer", self.mail, failure=lambda: AnswerLost("It did not answer."))

    @property
    def documents(self) -> Documents:
        return edge("documents", self.bucket)


def changed() -> MailWorld:
    world = MailWorld()
    world.table = company().table
    with world.calm():
        change(Area.CONTACT, ContactDetails("Bo Lind", None))(world)
    return world


def the_event(world: World) -> Event:
    [event] = [event_from(item["body"]["S"]) for item in world.stored("EVENT#") if "changed" in item["body"]["S"]]
    return event


def message(event: Event, _: LetterContext, recipient: Recipient, __: bytes | None) -> bytes:
    return f"{event.id} to {recipient.email}".encode()


def deliver(world: MailWorld) -> None:
    """Delivers the event from the queue, LATER than the attempt before."""
    world.attempts += 1
    notify(
        the_event(world),
        claimant=f"attempt {world.attempts}",
        now=NOON + world.attempts * LATER,
        staff_address=None,
        accounts=world.store,
        deliveries=world.store,
        mailer=world.mailer,
        documents=world.documents,
        write=message,
    )


def note_reports(world: MailWorld) -> None:
    """Records all reports of SES so far. A report that failed is delivered again."""
    for feedback in world.mail.feedback:
        note_feedback(feedback, now=NOON, correlation="run", accounts=world.store, deliveries=world.store)


def deliver_with_reports(world: MailWorld) -> None:
    note_reports(world)
    deliver(world)


def mails_by_address(world: MailWorld) -> Counter[str]:
    return Counter(to for to, _ in world.mail.taken)


def one_mail_each(world: MailWorld) -> None:
    assert mails_by_address(world) == dict.fromkeys(RECIPIENTS, 1)
    assert sorted(world.bucket.files.values()) == sorted(message for _, message in world.mail.taken)


def at_most_one_mail_each(world: MailWorld) -> None:
    assert max(mails_by_address(world).values(), default=0) <= 1


def one_or_two_mails_each(world: MailWorld) -> None:
    assert set(mails_by_address(world)) == RECIPIENTS
    assert max(mails_by_address(world).values()) <= 2


def test_each_recipient_gets_one_mail_wherever_the_worker_crashes(faults: Faults) -> None:
    faults.every_cut(
        world=changed, command=deliver_with_reports, invariants=one_mail_each, always=at_most_one_mail_each
    )


def test_without_reports_of_ses_a_mail_may_be_sent_twice_but_none_is_lost(faults: Faults) -> None:
    faults.every_cut(world=changed, command=deliver, invariants=one_or_two_mails_each)


def changed_twice() -> MailWorld:
    world = changed()
    with world.calm():
        change(Area.CONTACT, ContactDetails("Cy Dahl", None), 2)(world)
    return world


def deliver_the_later_one(world: MailWorld) -> None:
    """Delivers the later event from the queue, LATER than the attempt before, after the reports of SES."""
    note_reports(world)
    world.attempts += 1
    now = NOON + world.attempts * LATER
    every = [event_from(item["body"]["S"]) for item in world.stored("EVENT#") if "changed" in item["body"]["S"]]
    claimant, store = f"attempt {world.attempts}", world.store
    Post(claimant, now, None, store, store, world.mailer, world.documents, message).send_in_order(every[-1], 1)


def two_mails_each_in_order(world: MailWorld) -> None:
    assert mails_by_address(world) == dict.fromkeys(RECIPIENTS, 2)
    for address in RECIPIENTS:
        mails = [message for to, message in world.mail.taken if to == address]
        assert mails == sorted(mails)


def test_two_mails_go_out_in_order_wherever_the_worker_crashes(faults: Faults) -> None:
    faults.every_cut(world=changed_twice, command=deliver_the_later_one, invariants=two_mails_each_in_order)


def deliver_concurrently(world: MailWorld) -> None:
    """Delivers the event during the first delivery, whose claims have not expired."""
    notify(
        the_event(world),
        claimant="another",
        now=NOON + world.attempts * LATER,
        staff_address=None,
        accounts=world.store,
        deliveries=world.store,
        mailer=world.mailer,
        documents=world.documents,
        write=message,
    )


def test_two_workers_with_the_same_event_send_one_mail_each(faults: Faults) -> None:
    faults.every_race(world=changed, first=deliver, second=deliver_concurrently, invariants=one_mail_each)


@pytest.mark.parametrize("status", [DeliveryStatus.BOUNCED, DeliveryStatus.COMPLAINED])
def test_an_undeliverable_address_is_recorded_once_however_often_it_is_reported(
    status: DeliveryStatus, faults: Faults
) -> None:
    def reported(world: World) -> None:
        delivery = Delivery.of(the_event(world), Recipient("invoices@nordlys.example", None))
        note_feedback(
            Feedback(status, delivery, "message-1", NOON),
            now=NOON,
            correlation="run",
            accounts=world.store,
            deliveries=world.store,
        )

    def recorded_once(world: World) -> None:
        assert len(world.stored("UNDELIVERABLE#")) == 1
        assert len([item for item in world.stored("EVENT#") if "address.undeliverable" in item["body"]["S"]]) == 1

    faults.every_cut(world=changed, command=reported, invariants=recorded_once)
