"""The mails of an account go out in the order of its events. A mail that cannot go holds up the later ones to the same
address for some minutes, and nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from billing.accounts.rules import User
from billing.correspondence.audiences import Delivery, LetterContext, Recipient, is_in_order
from billing.correspondence.notify import CLAIM, HELD_ATTEMPTS, DeliveryCounts, NotAllSent, Post, Unwritable
from billing.kernel.errors import UpstreamFailed
from billing.kernel.events import Event, EventType
from billing.kernel.permissions import Role
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item
from billing.platform.events.mapping import event_body, event_from

from tests.aws import items_behind_moto, stored_items
from tests.faults.world import Bucket
from tests.store.samples import ACCOUNT, ADMIN, BILLING, DUE, NOON, PAGE, sample_event
from tests.stores import Stores

BILLING_ADDRESS = PAGE.information.billing.details.email
BOTH = [ADMIN.email, BILLING_ADDRESS]
DOCUMENT = "accounts/nordlys-kaffe/invoices/LV-2026-000001.pdf"
ISSUED, PAID = EventType.INVOICE_ISSUED, EventType.INVOICE_PAID


class Mailbox:
    """A mail service. It refuses mail to an address as often as `refused` says."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.refused: dict[str, int] = {}

    def send(self, message: bytes, to: str, delivery: Delivery) -> str:
        if self.refused.get(to):
            self.refused[to] -= 1
            raise UpstreamFailed("Throttling")
        self.taken.append((to, message.decode()))
        return f"message-{len(self.taken)}"

    def to(self, address: str) -> list[str]:
        return [about for to, about in self.taken if to == address]


@dataclass
class Mail:
    """An account with its events, their messages in a queue, and what became of them."""

    store: Stores
    box: Mailbox = field(default_factory=Mailbox)
    bucket: Bucket = field(default_factory=Bucket)
    unwritable: set[EventType] = field(default_factory=set)
    attempts: dict[str, int] = field(default_factory=dict)

    def record(self, *kinds: EventType, **facts: Any) -> list[Event]:
        """Records events of these kinds, each in a transaction of its own, in the same millisecond."""
        for number, kind in enumerate(kinds):
            after = {"document": DOCUMENT} if kind is ISSUED else facts
            event = replace(sample_event(), type=kind, before=None, after=after)
            assert self.store.record_once(ACCOUNT.id, f"{kind} {number} {len(stored_items())}", event)
        every = self.store.events(ACCOUNT.id, limit=len(kinds), after=None).items
        return [*reversed(every)]

    def deliver(self, event: Event, minutes: float = 0) -> DeliveryCounts | type[Exception]:
        """Delivers the message about an event once."""
        self.attempts[event.id] = self.attempts.get(event.id, 0) + 1
        claimant = f"{event.id} {self.attempts[event.id]}"
        now = NOON + timedelta(minutes=minutes)

        def write(about: Event, _: LetterContext, recipient: Recipient, __: bytes | None) -> bytes:
            if about.type in self.unwritable:
                raise ValueError("a template that fails")
            return about.type.value.encode()

        store = self.store
        post = Post(claimant, now, None, store, store, self.box, self.bucket, write)
        try:
            return post.send_in_order(event, self.attempts[event.id])
        except (NotAllSent, Unwritable) as failure:
            return type(failure)

    def deliver_all(self, events: Sequence[Event], times: int = 30) -> None:
        """Delivers each message until it needs no further attempt, in the given order."""
        waiting = [*events]
        for round_ in range(times):
            waiting = [each for each in waiting if self.deliver(each, minutes=round_ * 3) is NotAllSent]


def unmailed(second: int = 0) -> Event:
    """An event that sends no mail."""
    return replace(sample_event(second), type=EventType.DOWNLOAD_REQUESTED)


@pytest.fixture
def mail(store: Stores) -> Mail:
    store.provision(PAGE, ADMIN, unmailed(-60), DUE, BILLING)
    return Mail(store)


def test_mails_go_out_in_the_order_of_their_events_however_the_queue_delivers_them(store: Stores) -> None:
    kinds = (ISSUED, PAID, EventType.CANCELLATION_REQUESTED)
    for order in permutations(range(len(kinds))):
        items_behind_moto().clear()
        store.provision(PAGE, ADMIN, unmailed(-60), DUE, BILLING)
        mail = Mail(store)
        mail.bucket.files[DOCUMENT] = b"a PDF"
        events = mail.record(*kinds)

        mail.deliver_all([events[place] for place in order])

        assert mail.box.to(ADMIN.email) == [*kinds]
        assert mail.box.to(BILLING_ADDRESS) == [ISSUED, PAID, EventType.CANCELLATION_REQUESTED]


def test_an_invoice_is_mailed_before_it_is_told_as_paid_although_its_pdf_is_late(mail: Mail) -> None:
    issued, paid = mail.record(ISSUED, PAID)

    assert mail.deliver(paid) is NotAllSent
    assert mail.deliver(issued) is NotAllSent
    assert mail.box.taken == []
    mail.bucket.files[DOCUMENT] = b"a PDF"

    assert mail.deliver(paid) == DeliveryCounts(sent=2, skipped=0)
    assert mail.box.to(ADMIN.email) == mail.box.to(BILLING_ADDRESS) == [ISSUED, PAID]
    assert mail.deliver(issued) == DeliveryCounts(sent=0, skipped=2)


def test_a_mail_that_never_goes_holds_up_the_later_ones_for_some_attempts(mail: Mail) -> None:
    _, paid = mail.record(ISSUED, PAID)

    outcomes = [mail.deliver(paid) for _ in range(HELD_ATTEMPTS)]

    assert outcomes == [NotAllSent] * (HELD_ATTEMPTS - 1) + [DeliveryCounts(sent=2, skipped=0)]
    assert mail.box.to(ADMIN.email) == [PAID]


def test_a_mail_that_can_never_be_written_holds_up_no_other(mail: Mail) -> None:
    mail.unwritable.add(EventType.PAYMENT_FAILED)
    failed, paid = mail.record(EventType.PAYMENT_FAILED, PAID)

    assert mail.deliver(paid) == DeliveryCounts(sent=2, skipped=0)
    assert mail.deliver(failed) is Unwritable


def test_an_address_that_takes_no_mail_holds_up_no_other_address(mail: Mail) -> None:
    failed, paid = mail.record(EventType.PAYMENT_FAILED, PAID)
    mail.box.refused[ADMIN.email] = 2

    assert mail.deliver(paid) is NotAllSent
    assert mail.box.to(BILLING_ADDRESS) == [EventType.PAYMENT_FAILED, PAID]
    assert mail.box.to(ADMIN.email) == []

    mail.deliver_all([paid, failed])
    assert mail.box.to(ADMIN.email) == [EventType.PAYMENT_FAILED, PAID]
    assert len(mail.box.taken) == 4


def test_a_mail_that_another_worker_is_sending_comes_first(mail: Mail) -> None:
    failed, paid = mail.record(EventType.PAYMENT_FAILED, PAID)
    mail.store.claim_delivery(Delivery.of(failed, Recipient(ADMIN.email, None)), "another worker", NOON, NOON + CLAIM)

    assert mail.deliver(paid) is NotAllSent
    assert mail.box.to(ADMIN.email) == []
    assert mail.deliver(paid, minutes=3) == DeliveryCounts(sent=1, skipped=1)
    assert mail.box.to(ADMIN.email) == [EventType.PAYMENT_FAILED, PAID]


def test_who_comes_later_gets_no_mail_from_before(mail: Mail) -> None:
    failed, paid = mail.record(EventType.PAYMENT_FAILED, PAID)
    mail.deliver(failed)
    new = User("user-9", "new@nordlys.example", "New", Role.ADMIN)
    account = mail.store.account(ACCOUNT.id)
    mail.store.save_user(replace(account, roles={**account.roles, new.id: new.role}), new, unmailed())

    mail.deliver(paid)

    assert mail.box.to(new.email) == [PAID]


def test_what_an_earlier_release_has_recorded_is_left_to_its_own_message(mail: Mail) -> None:
    failed, paid = mail.record(EventType.PAYMENT_FAILED, PAID)
    [item] = [each for each in stored_items() if each["sk"] == keys.event(failed.id)]
    earlier = event_body(replace(event_from(item["body"]), sequence=None))
    mail.store._writes.replace_existing(replace_body(item, earlier))

    assert mail.deliver(paid) == DeliveryCounts(sent=2, skipped=0)
    assert mail.box.to(ADMIN.email) == [PAID]


@pytest.mark.parametrize("body", ["no JSON", "{}", '{"event": 7}'])
def test_an_event_that_cannot_be_read_holds_up_no_mail(mail: Mail, body: str) -> None:
    failed, paid = mail.record(EventType.PAYMENT_FAILED, PAID)
    [item] = [each for each in stored_items() if each["sk"] == keys.event(failed.id)]
    mail.store._writes.replace_existing(replace_body(item, body))

    assert mail.deliver(paid) == DeliveryCounts(sent=2, skipped=0)


def test_nothing_is_noted_for_an_account_that_is_gone(mail: Mail) -> None:
    [paid] = mail.record(PAID)
    for item in stored_items():
        mail.store._writes.delete(item["pk"], item["sk"])

    assert mail.deliver(paid) == DeliveryCounts(0, 0)
    assert stored_items() == []


def test_only_mails_of_an_account_that_stay_in_its_story_are_in_order() -> None:
    def of(kind: EventType, **facts: Any) -> Event:
        return replace(sample_event(), type=kind, after=facts)

    assert is_in_order(of(PAID))
    assert is_in_order(of(EventType.USER_REMOVED))
    assert not is_in_order(of(EventType.DOWNLOAD_REQUESTED))
    assert not is_in_order(of(EventType.USER_ADDED))
    assert not is_in_order(of(EventType.USER_INVITED_AGAIN))
    assert not is_in_order(of(EventType.ADDRESS_UNDELIVERABLE))
    assert not is_in_order(of(EventType.ACCOUNT_DELETED))
    assert not is_in_order(of(EventType.ACCOUNT_MONEY_OPEN, stage="deleted"))
    assert not is_in_order(replace(of(EventType.RECONCILIATION_DIFFERED), account=None))


def replace_body(item: dict[str, Any], body: str) -> Item:
    return Item(item["pk"], item["sk"], body)
