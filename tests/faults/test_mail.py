"""Mail about an event: cut off anywhere and delivered again, everybody has it, and nobody twice."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from billing.accounts.information import Area, ContactDetails
from billing.correspondence.audiences import Delivery, DeliveryStatus, Feedback, LetterContext, Recipient
from billing.correspondence.mailer import Mailer
from billing.correspondence.note_feedback import note_feedback
from billing.correspondence.notify import CLAIM, notify
from billing.kernel.errors import AnswerLost
from billing.kernel.events import Event
from billing.platform.events.mapping import event_from
from billing.platform.files.interfaces import Documents

from tests.faults.company import change, company
from tests.faults.cuts import Faults
from tests.faults.edges import edge
from tests.faults.world import Bucket, World
from tests.store.samples import NOON

EVERYBODY = {"ada@nordlys.example", "invoices@nordlys.example"}
LATER = CLAIM + timedelta(seconds=1)
"""When a message comes again: each time the claim of the time before has run out."""


class MailService:
    """Takes mail, and tells what became of it, as SES does. See billing.correspondence.mailer.Mailer."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.feedback: list[Feedback] = []

    def send(self, message: bytes, to: str, delivery: Delivery) -> str:
        self.taken.append((to, message))
        self.feedback.append(Feedback(DeliveryStatus.SENT, delivery, f"message-{len(self.taken)}", NOON))
        return f"message-{len(self.taken)}"


class MailWorld(World):
    """The sample company, a change of whose contact is to be mailed."""

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
    made = MailWorld()
    made.table = company().table
    with made.calm():
        change(Area.CONTACT, ContactDetails("Bo Lind", None))(made)
    return made


def the_event(world: World) -> Event:
    [event] = [event_from(item["body"]["S"]) for item in world.stored("EVENT#") if "changed" in item["body"]["S"]]
    return event


def words(event: Event, _: LetterContext, recipient: Recipient, __: bytes | None) -> bytes:
    return f"{event.id} to {recipient.email}".encode()


def deliver(world: MailWorld) -> None:
    """The queue hands the event over, later each time."""
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
        write=words,
    )


def listen(world: MailWorld) -> None:
    """What SES has told so far is noted; a message that was not dealt with is told again."""
    for told in world.mail.feedback:
        note_feedback(told, now=NOON, accounts=world.store, deliveries=world.store)


def deliver_and_listen(world: MailWorld) -> None:
    listen(world)
    deliver(world)


def written_to(world: MailWorld) -> Counter[str]:
    return Counter(to for to, _ in world.mail.taken)


def everybody_once(world: MailWorld) -> None:
    assert written_to(world) == dict.fromkeys(EVERYBODY, 1)
    assert sorted(world.bucket.files.values()) == sorted(message for _, message in world.mail.taken)


def nobody_twice(world: MailWorld) -> None:
    assert max(written_to(world).values(), default=0) <= 1


def everybody_and_nobody_more_than_twice(world: MailWorld) -> None:
    assert set(written_to(world)) == EVERYBODY
    assert max(written_to(world).values()) <= 2


def test_everybody_is_written_to_once_however_it_is_cut_off(faults: Faults) -> None:
    faults.every_cut(world=changed, command=deliver_and_listen, invariants=everybody_once, always=nobody_twice)


def test_without_word_from_the_mail_service_one_mail_may_come_twice_and_none_is_lost(faults: Faults) -> None:
    faults.every_cut(world=changed, command=deliver, invariants=everybody_and_nobody_more_than_twice)


def at_the_same_time(world: MailWorld) -> None:
    """A second delivery while the first is under way: its claims have not run out."""
    notify(
        the_event(world),
        claimant="another",
        now=NOON + world.attempts * LATER,
        staff_address=None,
        accounts=world.store,
        deliveries=world.store,
        mailer=world.mailer,
        documents=world.documents,
        write=words,
    )


def test_two_workers_with_the_same_event(faults: Faults) -> None:
    faults.every_race(world=changed, first=deliver, second=at_the_same_time, invariants=everybody_once)


@pytest.mark.parametrize("fate", [DeliveryStatus.BOUNCED, DeliveryStatus.COMPLAINED])
def test_an_address_is_lost_once_however_often_it_is_told(fate: DeliveryStatus, faults: Faults) -> None:
    def told(world: World) -> None:
        delivery = Delivery.of(the_event(world), Recipient("invoices@nordlys.example", None))
        note_feedback(
            Feedback(fate, delivery, "message-1", NOON), now=NOON, accounts=world.store, deliveries=world.store
        )

    def told_once(world: World) -> None:
        assert len(world.stored("UNDELIVERABLE#")) == 1
        assert len([item for item in world.stored("EVENT#") if "address.undeliverable" in item["body"]["S"]]) == 1

    faults.every_cut(world=changed, command=told, invariants=told_once)
