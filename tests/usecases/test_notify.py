"""Who is written to about what, how often, and what is left when it is cut off: on moto's table, with a mailbox."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from billing.accounts.information import Area
from billing.accounts.rules import User
from billing.correspondence.audiences import (
    AUDIENCES,
    Audience,
    Delivery,
    DeliveryStatus,
    Feedback,
    LetterContext,
    Recipient,
    recipients,
)
from billing.correspondence.note_feedback import note_feedback
from billing.correspondence.notify import CLAIM, DeliveryCounts, NotAllSent, Unwritable, notify
from billing.kernel.errors import AnswerLost, UpstreamFailed
from billing.kernel.events import Actor, ActorKind, Event, EventType
from billing.kernel.permissions import Role

from tests.aws import stored_items
from tests.faults.world import Bucket
from tests.store.samples import ACCOUNT, ADMIN, BILLING, DUE, MEMBER, NOON, PAGE, happened
from tests.stores import Stores

STAFF_ADDRESS = "staff@vendor.example"
BILLING_ADDRESS = PAGE.information.billing.details.email
SECOND_ADMIN = User("user-3", "cy@nordlys.example", "Cy Dahl", Role.ADMIN)


@dataclass
class Mailbox:
    """Takes mail, unless it has been told what to do instead."""

    taken: list[tuple[str, bytes]] = field(default_factory=list)
    instead: dict[str, list[Exception]] = field(default_factory=dict)
    lost_answers: set[str] = field(default_factory=set)

    def send(self, message: bytes, to: str, delivery: Delivery) -> str:
        if self.instead.get(to):
            raise self.instead[to].pop(0)
        self.taken.append((to, message))
        if to in self.lost_answers:
            self.lost_answers.remove(to)
            raise AnswerLost("The mail service did not answer.")
        return f"message-{len(self.taken)}"

    def addresses(self) -> list[str]:
        return [to for to, _ in self.taken]


@dataclass
class Post:
    """All that a notice goes through."""

    store: Stores
    mailbox: Mailbox = field(default_factory=Mailbox)
    folder: Bucket = field(default_factory=Bucket)
    written: list[tuple[LetterContext, Recipient, bytes | None]] = field(default_factory=list)

    def write(self, event: Event, situation: LetterContext, recipient: Recipient, document: bytes | None) -> bytes:
        self.written.append((situation, recipient, document))
        return f"{event.id} to {recipient.email}".encode()

    def notify(
        self, event: Event, *, minutes: float = 0, claimant: str = "one", staff: str | None = None
    ) -> DeliveryCounts:
        return notify(
            event,
            claimant=claimant,
            now=NOON + timedelta(minutes=minutes),
            staff_address=staff,
            accounts=self.store,
            deliveries=self.store,
            mailer=self.mailbox,
            documents=self.folder,
            write=self.write,
        )


@pytest.fixture
def post(store: Stores) -> Post:
    store.provision(PAGE, ADMIN, happened(), DUE, BILLING)
    return Post(store)


def changed(**facts: Any) -> Event:
    """Ada has changed the billing information."""
    return replace(
        happened(1),
        type=EventType.BILLING_INFORMATION_CHANGED,
        actor=Actor(ActorKind.CUSTOMER, ADMIN.id),
        before={},
        after=facts,
    )


def add(store: Stores, user: User) -> None:
    account = store.account(ACCOUNT.id)
    store.save_user(replace(account, roles={**account.roles, user.id: user.role}), user, happened(2))


# ---- Who ----


def test_a_change_concerns_the_admins_and_where_the_invoices_go(post: Post) -> None:
    add(post.store, MEMBER)
    add(post.store, SECOND_ADMIN)

    assert post.notify(changed()) == DeliveryCounts(sent=3, skipped=0)
    assert sorted(post.mailbox.addresses()) == [ADMIN.email, SECOND_ADMIN.email, BILLING_ADDRESS]


def test_whoever_is_reached_in_two_ways_is_written_to_once() -> None:
    written_to = recipients(changed(), [ADMIN, SECOND_ADMIN], ADMIN.email, None)

    assert written_to == (Recipient(ADMIN.email, "Ada Holm"), Recipient(SECOND_ADMIN.email, "Cy Dahl"))


def test_an_invitation_goes_to_the_invited_alone(post: Post) -> None:
    add(post.store, MEMBER)
    event = replace(happened(), type=EventType.USER_ADDED, before=None, after={"user": MEMBER.id})

    post.notify(event, staff=STAFF_ADDRESS)

    assert post.mailbox.addresses() == [MEMBER.email]


def test_whoever_was_removed_before_the_invitation_went_out_gets_none(post: Post) -> None:
    event = replace(happened(), type=EventType.USER_ADDED, before=None, after={"user": MEMBER.id})

    assert post.notify(event) == DeliveryCounts(0, 0)


@pytest.mark.parametrize("kind", [EventType.REVIEW_BOOKED, EventType.REVIEW_CANCELLED])
def test_a_review_concerns_the_admins_and_the_manager(kind: EventType, post: Post) -> None:
    facts = {"manager": {"email": "sofie@vendor.example", "name": "Sofie"}}
    booked = kind is EventType.REVIEW_BOOKED
    event = replace(happened(), type=kind, before=None if booked else facts, after=facts if booked else None)

    post.notify(event)

    assert post.mailbox.addresses() == [ADMIN.email, "sofie@vendor.example"]


@pytest.mark.parametrize(
    ("kind", "others"),
    [(EventType.REVIEW_DECLINED, []), (EventType.SUBSCRIPTION_TIER_LOWERED, [BILLING_ADDRESS])],
)
def test_a_decision_concerns_whoever_had_the_appointment(kind: EventType, others: list[str], post: Post) -> None:
    facts = {"appointment": {"manager": {"email": "sofie@vendor.example", "name": "Sofie"}}}

    post.notify(replace(happened(), type=kind, before=None, after=facts))

    assert sorted(post.mailbox.addresses()) == sorted([ADMIN.email, "sofie@vendor.example", *others])


def test_staff_are_told_what_they_should_look_into_if_they_have_an_address(post: Post) -> None:
    event = replace(happened(), type=EventType.ADDRESS_UNDELIVERABLE, before=None, after={"email": "x@y.example"})

    post.notify(event, staff=None)
    assert post.mailbox.addresses() == [ADMIN.email]

    post.notify(event, staff=STAFF_ADDRESS)
    assert post.mailbox.addresses() == [ADMIN.email, STAFF_ADDRESS]


@pytest.mark.parametrize("kind", [EventType.USER_REMOVED, EventType.CATALOGUE_REPLACED])
def test_of_some_things_nobody_is_told(kind: EventType, post: Post) -> None:
    before = stored_items()

    assert post.notify(replace(happened(), type=kind)) == DeliveryCounts(0, 0)
    assert stored_items() == before


def test_every_kind_that_is_mailed_has_somebody_to_write_to() -> None:
    assert all(AUDIENCES.values())
    assert [kind for kind, audience in AUDIENCES.items() if Audience.NAMED in audience] == [EventType.ACCOUNT_DELETED]


def test_a_mail_knows_whose_account_it_is_about_and_who_did_it(post: Post) -> None:
    post.notify(changed())

    [(situation, _, document), _] = post.written
    assert situation == LetterContext("Nordlys Kaffe", "en", "Europe/Copenhagen", "Ada Holm")
    assert document is None


def test_what_livello_did_itself_has_no_name(post: Post) -> None:
    post.notify(replace(changed(), actor=Actor(ActorKind.SYSTEM, None)))

    assert post.written[0][0].actor_name is None


# ---- How often ----


def test_an_event_that_is_delivered_five_times_is_mailed_once(post: Post) -> None:
    event = changed()

    outcomes = [post.notify(event, minutes=attempt, claimant=f"attempt {attempt}") for attempt in range(5)]

    assert outcomes == [DeliveryCounts(2, 0), *[DeliveryCounts(0, 2)] * 4]
    assert sorted(post.mailbox.addresses()) == [ADMIN.email, BILLING_ADDRESS]


def test_what_was_sent_is_kept_as_it_was_sent(post: Post) -> None:
    event = changed()

    post.notify(event)

    assert sorted(post.folder.files.values()) == sorted(message for _, message in post.mailbox.taken)
    assert all(key.startswith(f"accounts/{ACCOUNT.id}/mail/{event.id}/") for key in post.folder.files)
    assert not any("@" in key for key in post.folder.files), "keys turn up in logs"


def test_one_recipients_failure_never_holds_up_anothers(post: Post) -> None:
    event = changed()
    post.mailbox.instead[ADMIN.email] = [UpstreamFailed("Throttling")]

    with pytest.raises(NotAllSent):
        post.notify(event)
    assert post.mailbox.addresses() == [BILLING_ADDRESS]

    assert post.notify(event, claimant="two") == DeliveryCounts(sent=1, skipped=1)
    assert post.mailbox.addresses() == [BILLING_ADDRESS, ADMIN.email]


def test_a_minute_without_the_mail_service_loses_nothing(post: Post) -> None:
    event = changed()
    post.mailbox.instead = {to: [UpstreamFailed("Away")] * 5 for to in (ADMIN.email, BILLING_ADDRESS)}

    for attempt in range(5):
        with pytest.raises(NotAllSent):
            post.notify(event, minutes=attempt / 5)
    post.notify(event, minutes=1)

    assert sorted(post.mailbox.addresses()) == [ADMIN.email, BILLING_ADDRESS]


def test_while_one_worker_sends_another_leaves_it_alone(post: Post) -> None:
    event = changed()
    delivery = Delivery.of(event, Recipient(ADMIN.email, None))
    assert post.store.claim_delivery(delivery, "somebody else", NOON, NOON + CLAIM)

    with pytest.raises(NotAllSent):
        post.notify(event)
    assert post.mailbox.addresses() == [BILLING_ADDRESS]

    # It was cut off: its claim runs out.
    assert post.notify(event, minutes=3) == DeliveryCounts(sent=1, skipped=1)
    assert post.mailbox.addresses() == [BILLING_ADDRESS, ADMIN.email]


def test_a_claim_whose_answer_was_lost_is_still_the_claimants(post: Post) -> None:
    delivery = Delivery.of(changed(), Recipient(ADMIN.email, None))

    assert post.store.claim_delivery(delivery, "one", NOON, NOON + CLAIM)
    assert post.store.claim_delivery(delivery, "one", NOON, NOON + CLAIM)


def test_nobody_gives_back_what_is_not_theirs(post: Post) -> None:
    delivery = Delivery.of(changed(), Recipient(ADMIN.email, None))
    post.store.claim_delivery(delivery, "one", NOON, NOON + CLAIM)

    post.store.release_delivery(delivery, "two")

    with pytest.raises(NotAllSent):
        post.notify(replace(changed(), id=delivery.event), claimant="two")


# ---- Whether it was sent, when nobody can tell ----


def test_a_mail_of_which_the_service_tells_that_it_was_sent_is_not_sent_again(post: Post) -> None:
    event = changed()
    post.mailbox.lost_answers = {ADMIN.email}
    with pytest.raises(NotAllSent):
        post.notify(event)
    delivery = Delivery.of(event, Recipient(ADMIN.email, None))

    note_feedback(
        Feedback(DeliveryStatus.SENT, delivery, "message-1", NOON), now=NOON, accounts=post.store, deliveries=post.store
    )

    assert post.notify(event, minutes=60) == DeliveryCounts(sent=0, skipped=2)
    assert sorted(post.mailbox.addresses()) == [ADMIN.email, BILLING_ADDRESS]


def test_a_mail_of_which_nothing_is_heard_is_sent_again_when_the_claim_has_run_out(post: Post) -> None:
    event = changed()
    post.mailbox.lost_answers = {ADMIN.email}
    with pytest.raises(NotAllSent):
        post.notify(event)
    with pytest.raises(NotAllSent):
        post.notify(event, minutes=1, claimant="two")

    assert post.notify(event, minutes=3, claimant="three") == DeliveryCounts(sent=1, skipped=1)


# ---- Addresses that refuse mail ----


def lost(event: Event, address: str, fate: DeliveryStatus = DeliveryStatus.BOUNCED) -> Feedback:
    return Feedback(fate, Delivery.of(event, Recipient(address, None)), "message-1", NOON)


def undeliverable(store: Stores) -> list[Event]:
    events = store.events(ACCOUNT.id, limit=100, after=None).items
    return [event for event in events if event.type is EventType.ADDRESS_UNDELIVERABLE]


@pytest.mark.parametrize("fate", [DeliveryStatus.BOUNCED, DeliveryStatus.COMPLAINED])
def test_an_address_that_refuses_mail_is_not_written_to_again_and_the_others_are_told(
    fate: DeliveryStatus, post: Post
) -> None:
    add(post.store, SECOND_ADMIN)
    first = changed()
    post.notify(first)

    for _ in range(3):
        note_feedback(lost(first, SECOND_ADMIN.email, fate=fate), now=NOON, accounts=post.store, deliveries=post.store)

    [told] = undeliverable(post.store)
    assert told.after == {"email": SECOND_ADMIN.email, "reason": fate}
    assert told.actor == Actor(ActorKind.SYSTEM, None)
    post.mailbox.taken.clear()
    post.notify(told, staff=STAFF_ADDRESS)
    assert post.mailbox.addresses() == [ADMIN.email, STAFF_ADDRESS]
    post.mailbox.taken.clear()
    assert post.notify(replace(changed(), id=happened(9).id)) == DeliveryCounts(sent=2, skipped=1)
    assert SECOND_ADMIN.email not in post.mailbox.addresses()


def test_an_address_that_is_given_anew_is_written_to_again(post: Post) -> None:
    add(post.store, SECOND_ADMIN)
    for email in (SECOND_ADMIN.email, BILLING_ADDRESS):
        note_feedback(lost(changed(), email), now=NOON, accounts=post.store, deliveries=post.store)
    assert post.store.correspondents(ACCOUNT.id).undeliverable == {SECOND_ADMIN.email, BILLING_ADDRESS}

    add(post.store, SECOND_ADMIN)
    details = PAGE.information.billing.details
    moved = replace(details, language="it")
    post.store.replace_information(ACCOUNT.id, Area.BILLING, moved, 1, happened(3))

    assert post.notify(changed()) == DeliveryCounts(sent=3, skipped=0)


@pytest.mark.parametrize("address", [STAFF_ADDRESS, "left@nordlys.example"])
def test_an_address_that_is_not_the_accounts_is_nobodys_concern(address: str, post: Post) -> None:
    before = stored_items()

    note_feedback(lost(changed(), address), now=NOON, accounts=post.store, deliveries=post.store)

    assert stored_items() == before


def test_when_nobody_can_be_written_to_staff_still_are(post: Post) -> None:
    note_feedback(lost(changed(), ADMIN.email), now=NOON, accounts=post.store, deliveries=post.store)

    post.notify(undeliverable(post.store)[0], staff=STAFF_ADDRESS)

    assert post.mailbox.addresses() == [STAFF_ADDRESS]


# ---- Accounts that are gone ----


def test_of_an_account_that_is_gone_nothing_is_sent_and_nothing_comes_back(store: Stores) -> None:
    post = Post(store)

    assert post.notify(changed()) == DeliveryCounts(0, 0)
    note_feedback(lost(changed(), ADMIN.email), now=NOON, accounts=store, deliveries=store)
    note_feedback(lost(changed(), ADMIN.email, fate=DeliveryStatus.SENT), now=NOON, accounts=store, deliveries=store)

    assert stored_items() == []


def test_an_account_that_goes_meanwhile_stays_gone(store: Stores) -> None:
    """The worker has read it, and only then the last of it is deleted."""
    delivery = Delivery.of(changed(), Recipient(ADMIN.email, None))

    with pytest.raises(Exception, match="at the same moment"):
        store.claim_delivery(delivery, "one", NOON, NOON + CLAIM)

    assert stored_items() == []


def test_the_last_mail_leaves_nothing_of_the_account(store: Stores) -> None:
    post = Post(store)
    event = replace(
        happened(),
        type=EventType.ACCOUNT_DELETED,
        before=None,
        after={
            "account_name": "Nordlys Kaffe",
            "language": "it",
            "recipients": [{"email": ADMIN.email, "name": ADMIN.name}],
        },
    )

    assert post.notify(event) == DeliveryCounts(sent=1, skipped=0)
    assert post.notify(event) == DeliveryCounts(sent=0, skipped=1)

    assert post.written[0][0] == LetterContext("Nordlys Kaffe", "it", "UTC", None)
    assert post.folder.files == {}
    [item] = stored_items()
    assert ACCOUNT.id not in str(item)
    assert ADMIN.email not in str(item)
    assert item["expires_at"] == int((NOON + timedelta(days=30)).timestamp())


# ---- Documents, and what cannot be written ----


def issued() -> Event:
    return replace(
        happened(), type=EventType.INVOICE_ISSUED, before=None, after={"document": "accounts/nordlys-kaffe/A-1.pdf"}
    )


def test_an_invoice_waits_for_its_document(post: Post) -> None:
    with pytest.raises(NotAllSent):
        post.notify(issued())
    assert post.mailbox.taken == []

    post.folder.put("accounts/nordlys-kaffe/A-1.pdf", b"%PDF", "application/pdf")
    post.notify(issued())

    assert {document for _, _, document in post.written} == {b"%PDF"}


def test_one_recipient_who_cannot_be_written_to_does_not_silence_the_others(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = post.write

    def fail_for_ada(event: Event, situation: LetterContext, recipient: Recipient, document: bytes | None) -> bytes:
        if recipient.email == ADMIN.email:
            raise UnicodeError
        return write(event, situation, recipient, document)

    monkeypatch.setattr(post, "write", fail_for_ada)

    with pytest.raises(Unwritable):
        post.notify(changed())

    assert post.mailbox.addresses() == [BILLING_ADDRESS]


def test_what_cannot_be_written_is_told_before_anything_is_claimed(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise ValueError("no such field")

    monkeypatch.setattr(post, "write", fail)
    before = stored_items()

    with pytest.raises(Unwritable):
        post.notify(changed())

    assert stored_items() == before
