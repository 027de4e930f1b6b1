"""Mail about events: its recipients, exactly-once delivery, crashes. Uses moto's table and an in-memory mailbox."""

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
from tests.store.samples import ACCOUNT, ADMIN, BILLING, DUE, MEMBER, NOON, PAGE, sample_event
from tests.stores import Stores

STAFF_ADDRESS = "staff@vendor.example"
BILLING_ADDRESS = PAGE.information.billing.details.email
SECOND_ADMIN = User("user-3", "cy@nordlys.example", "Cy Dahl", Role.ADMIN)


@dataclass
class Mailbox:
    """An in-memory mail service.

    `instead` are the errors to raise, by address. `lost_answers` are addresses whose mail is sent but not confirmed.
    """

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


ADA = Actor(ActorKind.CUSTOMER, ADMIN.id)


@dataclass
class Post:
    """Everything that notify() needs, and what it wrote."""

    store: Stores
    mailbox: Mailbox = field(default_factory=Mailbox)
    folder: Bucket = field(default_factory=Bucket)
    written: list[tuple[LetterContext, Recipient, bytes | None]] = field(default_factory=list)

    def write(self, event: Event, letter_context: LetterContext, recipient: Recipient, document: bytes | None) -> bytes:
        self.written.append((letter_context, recipient, document))
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
    store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)
    return Post(store)


def changed(**facts: Any) -> Event:
    """An event: Ada has changed the billing information."""
    return replace(
        sample_event(1),
        type=EventType.BILLING_INFORMATION_CHANGED,
        actor=Actor(ActorKind.CUSTOMER, ADMIN.id),
        before={},
        after=facts,
    )


def add(store: Stores, user: User) -> None:
    account = store.account(ACCOUNT.id)
    store.save_user(replace(account, roles={**account.roles, user.id: user.role}), user, sample_event(2))


# ---- Recipients ----


def test_a_change_is_mailed_to_the_admins_and_the_billing_address(post: Post) -> None:
    add(post.store, MEMBER)
    add(post.store, SECOND_ADMIN)

    assert post.notify(changed()) == DeliveryCounts(sent=3, skipped=0)
    assert sorted(post.mailbox.addresses()) == [ADMIN.email, SECOND_ADMIN.email, BILLING_ADDRESS]


def test_a_recipient_in_two_audiences_gets_one_mail() -> None:
    addressed = recipients(changed(), [ADMIN, SECOND_ADMIN], ADMIN.email, None)

    assert addressed == (Recipient(ADMIN.email, "Ada Holm"), Recipient(SECOND_ADMIN.email, "Cy Dahl"))


def test_an_invitation_by_the_only_admin_goes_only_to_the_invited_user(post: Post) -> None:
    add(post.store, MEMBER)
    event = replace(sample_event(), type=EventType.USER_ADDED, actor=ADA, before=None, after={"user": MEMBER.id})

    post.notify(event, staff=STAFF_ADDRESS)

    assert post.mailbox.addresses() == [MEMBER.email]


def test_a_user_removed_before_the_invitation_is_sent_gets_none(post: Post) -> None:
    event = replace(sample_event(), type=EventType.USER_ADDED, actor=ADA, before=None, after={"user": MEMBER.id})

    assert post.notify(event) == DeliveryCounts(0, 0)


BO = {"user": MEMBER.id, "email": MEMBER.email, "name": MEMBER.name}


def role_event(kind: EventType, before: str | None, after: str | None, actor: Actor = ADA) -> Event:
    """An event: the actor has changed the role of Bo."""
    facts = [None if role is None else {**BO, "role": role} for role in (before, after)]
    return replace(sample_event(1), type=kind, actor=actor, before=facts[0], after=facts[1])


@pytest.mark.parametrize(
    ("kind", "before", "after", "is_user"),
    [
        (EventType.USER_ADDED, None, "member", True),
        (EventType.USER_ADDED, None, "admin", True),
        (EventType.USER_CHANGED, "member", "admin", True),
        (EventType.USER_CHANGED, "admin", "member", True),
        (EventType.USER_REMOVED, "admin", None, False),
        (EventType.USER_REMOVED, "member", None, False),
    ],
)
def test_a_change_of_a_role_is_mailed_to_the_user_and_to_all_admins_but_the_one_who_made_it(
    kind: EventType, before: str | None, after: str | None, is_user: bool, post: Post
) -> None:
    add(post.store, SECOND_ADMIN)
    if is_user:
        add(post.store, replace(MEMBER, role=Role(str(after))))

    post.notify(role_event(kind, before, after), staff=STAFF_ADDRESS)

    assert post.mailbox.addresses() == [MEMBER.email, SECOND_ADMIN.email]
    assert [recipient.is_concerned for _, recipient, _ in post.written] == [True, False]


def test_a_change_of_a_role_by_staff_is_mailed_to_every_admin(post: Post) -> None:
    add(post.store, MEMBER)

    post.notify(role_event(EventType.USER_CHANGED, "admin", "member", Actor(ActorKind.STAFF, "staff-1")))

    assert post.mailbox.addresses() == [MEMBER.email, ADMIN.email]


def test_an_admin_who_leaves_and_the_others_get_mail(post: Post) -> None:
    post.notify(role_event(EventType.USER_REMOVED, "admin", None, Actor(ActorKind.CUSTOMER, MEMBER.id)))

    assert post.mailbox.addresses() == [MEMBER.email, ADMIN.email]


def test_a_change_of_a_name_alone_sends_no_mail(post: Post) -> None:
    add(post.store, MEMBER)
    add(post.store, SECOND_ADMIN)

    assert post.notify(role_event(EventType.USER_CHANGED, "member", "member")) == DeliveryCounts(0, 0)


def test_a_repeated_invitation_is_mailed_to_the_user_alone(post: Post) -> None:
    add(post.store, MEMBER)
    add(post.store, SECOND_ADMIN)

    post.notify(role_event(EventType.USER_INVITED_AGAIN, "member", "member"))

    assert post.mailbox.addresses() == [MEMBER.email]


@pytest.mark.parametrize("again", [MEMBER, replace(MEMBER, id="user-9")])
def test_a_removed_user_who_has_access_again_is_not_told_that_they_have_none(again: User, post: Post) -> None:
    add(post.store, again)
    add(post.store, SECOND_ADMIN)

    post.notify(role_event(EventType.USER_REMOVED, "member", None))

    assert post.mailbox.addresses() == [SECOND_ADMIN.email]


def test_the_mail_about_a_removal_is_written_once_to_an_address_that_takes_mail(post: Post) -> None:
    post.store.mark_undeliverable(ACCOUNT.id, MEMBER.email, sample_event(2))
    removed = role_event(EventType.USER_REMOVED, "member", None, Actor(ActorKind.STAFF, "staff-1"))

    assert post.notify(removed) == DeliveryCounts(sent=1, skipped=1)
    assert post.notify(removed) == DeliveryCounts(sent=0, skipped=2)
    assert post.mailbox.addresses() == [ADMIN.email]


@pytest.mark.parametrize("kind", [EventType.REVIEW_BOOKED, EventType.REVIEW_CANCELLED])
def test_a_review_is_mailed_to_the_admins_and_the_success_manager(kind: EventType, post: Post) -> None:
    facts = {"manager": {"email": "sofie@vendor.example", "name": "Sofie"}}
    booked = kind is EventType.REVIEW_BOOKED
    event = replace(sample_event(), type=kind, before=None if booked else facts, after=facts if booked else None)

    post.notify(event)

    assert post.mailbox.addresses() == [ADMIN.email, "sofie@vendor.example"]


@pytest.mark.parametrize(
    ("kind", "others"),
    [(EventType.REVIEW_DECLINED, []), (EventType.SUBSCRIPTION_TIER_LOWERED, [BILLING_ADDRESS])],
)
def test_a_decision_is_mailed_to_the_participants_of_the_review(kind: EventType, others: list[str], post: Post) -> None:
    facts = {"appointment": {"manager": {"email": "sofie@vendor.example", "name": "Sofie"}}}

    post.notify(replace(sample_event(), type=kind, before=None, after=facts))

    assert sorted(post.mailbox.addresses()) == sorted([ADMIN.email, "sofie@vendor.example", *others])


def test_staff_get_mail_about_undeliverable_addresses_if_they_have_an_address(post: Post) -> None:
    event = replace(sample_event(), type=EventType.ADDRESS_UNDELIVERABLE, before=None, after={"email": "x@y.example"})

    post.notify(event, staff=None)
    assert post.mailbox.addresses() == [ADMIN.email]

    post.notify(event, staff=STAFF_ADDRESS)
    assert post.mailbox.addresses() == [ADMIN.email, STAFF_ADDRESS]


@pytest.mark.parametrize("kind", [EventType.DOWNLOAD_REQUESTED, EventType.CATALOGUE_REPLACED])
def test_some_event_types_send_no_mail(kind: EventType, post: Post) -> None:
    before = stored_items()

    assert post.notify(replace(sample_event(), type=kind)) == DeliveryCounts(0, 0)
    assert stored_items() == before


def test_every_mailed_event_type_has_an_audience() -> None:
    assert all(AUDIENCES.values())
    assert [kind for kind, audience in AUDIENCES.items() if Audience.NAMED in audience] == [EventType.ACCOUNT_DELETED]


def test_a_mail_names_the_account_and_the_actor(post: Post) -> None:
    post.notify(changed())

    [(letter_context, _, document), _] = post.written
    assert letter_context == LetterContext("Nordlys Kaffe", "en", "Europe/Copenhagen", "Ada Holm", ADMIN.email)
    assert document is None


def test_an_event_by_the_system_has_no_actor_name(post: Post) -> None:
    post.notify(replace(changed(), actor=Actor(ActorKind.SYSTEM, None)))

    assert (post.written[0][0].actor_name, post.written[0][0].actor_email) == (None, None)


# ---- Exactly once ----


def test_an_event_delivered_five_times_is_mailed_once(post: Post) -> None:
    event = changed()

    counts = [post.notify(event, minutes=attempt, claimant=f"attempt {attempt}") for attempt in range(5)]

    assert counts == [DeliveryCounts(2, 0), *[DeliveryCounts(0, 2)] * 4]
    assert sorted(post.mailbox.addresses()) == [ADMIN.email, BILLING_ADDRESS]


def test_the_audit_copy_is_the_message_that_was_sent(post: Post) -> None:
    event = changed()

    post.notify(event)

    assert sorted(post.folder.files.values()) == sorted(message for _, message in post.mailbox.taken)
    assert all(key.startswith(f"accounts/{ACCOUNT.id}/mail/{event.id}/") for key in post.folder.files)
    assert not any("@" in key for key in post.folder.files), (
        "document keys appear in logs, so they must contain no address"
    )


def test_a_failure_for_one_recipient_does_not_stop_the_mail_to_another(post: Post) -> None:
    event = changed()
    post.mailbox.instead[ADMIN.email] = [UpstreamFailed("Throttling")]

    with pytest.raises(NotAllSent):
        post.notify(event)
    assert post.mailbox.addresses() == [BILLING_ADDRESS]

    assert post.notify(event, claimant="two") == DeliveryCounts(sent=1, skipped=1)
    assert post.mailbox.addresses() == [BILLING_ADDRESS, ADMIN.email]


def test_an_outage_of_the_mail_service_loses_no_mail(post: Post) -> None:
    event = changed()
    post.mailbox.instead = {to: [UpstreamFailed("Away")] * 5 for to in (ADMIN.email, BILLING_ADDRESS)}

    for attempt in range(5):
        with pytest.raises(NotAllSent):
            post.notify(event, minutes=attempt / 5)
    post.notify(event, minutes=1)

    assert sorted(post.mailbox.addresses()) == [ADMIN.email, BILLING_ADDRESS]


def test_a_mail_claimed_by_another_worker_is_not_sent(post: Post) -> None:
    event = changed()
    delivery = Delivery.of(event, Recipient(ADMIN.email, None))
    assert post.store.claim_delivery(delivery, "another worker", NOON, NOON + CLAIM)

    with pytest.raises(NotAllSent):
        post.notify(event)
    assert post.mailbox.addresses() == [BILLING_ADDRESS]

    # The other worker has crashed, and its claim expires.
    assert post.notify(event, minutes=3) == DeliveryCounts(sent=1, skipped=1)
    assert post.mailbox.addresses() == [BILLING_ADDRESS, ADMIN.email]


def test_a_claimant_can_repeat_its_claim_after_a_lost_answer(post: Post) -> None:
    delivery = Delivery.of(changed(), Recipient(ADMIN.email, None))

    assert post.store.claim_delivery(delivery, "one", NOON, NOON + CLAIM)
    assert post.store.claim_delivery(delivery, "one", NOON, NOON + CLAIM)


def test_only_the_claimant_can_release_a_claim(post: Post) -> None:
    delivery = Delivery.of(changed(), Recipient(ADMIN.email, None))
    post.store.claim_delivery(delivery, "one", NOON, NOON + CLAIM)

    post.store.release_delivery(delivery, "two")

    with pytest.raises(NotAllSent):
        post.notify(replace(changed(), id=delivery.event), claimant="two")


# ---- Lost answers of the mail service ----


def test_a_mail_reported_as_sent_is_not_sent_again(post: Post) -> None:
    event = changed()
    post.mailbox.lost_answers = {ADMIN.email}
    with pytest.raises(NotAllSent):
        post.notify(event)
    delivery = Delivery.of(event, Recipient(ADMIN.email, None))

    note_feedback(
        Feedback(DeliveryStatus.SENT, delivery, "message-1", NOON),
        now=NOON,
        correlation="run",
        accounts=post.store,
        deliveries=post.store,
    )

    assert post.notify(event, minutes=60) == DeliveryCounts(sent=0, skipped=2)
    assert sorted(post.mailbox.addresses()) == [ADMIN.email, BILLING_ADDRESS]


def test_a_mail_without_a_report_is_sent_again_after_its_claim_expires(post: Post) -> None:
    event = changed()
    post.mailbox.lost_answers = {ADMIN.email}
    with pytest.raises(NotAllSent):
        post.notify(event)
    with pytest.raises(NotAllSent):
        post.notify(event, minutes=1, claimant="two")

    assert post.notify(event, minutes=3, claimant="three") == DeliveryCounts(sent=1, skipped=1)


# ---- Undeliverable addresses ----


def report(event: Event, address: str, status: DeliveryStatus = DeliveryStatus.BOUNCED) -> Feedback:
    return Feedback(status, Delivery.of(event, Recipient(address, None)), "message-1", NOON)


def undeliverable(store: Stores) -> list[Event]:
    events = store.events(ACCOUNT.id, limit=100, after=None).items
    return [event for event in events if event.type is EventType.ADDRESS_UNDELIVERABLE]


@pytest.mark.parametrize("status", [DeliveryStatus.BOUNCED, DeliveryStatus.COMPLAINED])
def test_an_undeliverable_address_gets_no_more_mail_and_the_other_admins_are_informed(
    status: DeliveryStatus, post: Post
) -> None:
    add(post.store, SECOND_ADMIN)
    first = changed()
    post.notify(first)

    for _ in range(3):
        note_feedback(
            report(first, SECOND_ADMIN.email, status=status),
            now=NOON,
            correlation="run",
            accounts=post.store,
            deliveries=post.store,
        )

    [event] = undeliverable(post.store)
    assert event.after == {"email": SECOND_ADMIN.email, "reason": status}
    assert event.actor == Actor(ActorKind.SYSTEM, None)
    post.mailbox.taken.clear()
    post.notify(event, staff=STAFF_ADDRESS)
    assert post.mailbox.addresses() == [ADMIN.email, STAFF_ADDRESS]
    post.mailbox.taken.clear()
    assert post.notify(replace(changed(), id=sample_event(9).id)) == DeliveryCounts(sent=2, skipped=1)
    assert SECOND_ADMIN.email not in post.mailbox.addresses()


def test_an_address_that_is_saved_again_gets_mail_again(post: Post) -> None:
    add(post.store, SECOND_ADMIN)
    for email in (SECOND_ADMIN.email, BILLING_ADDRESS):
        note_feedback(report(changed(), email), now=NOON, correlation="run", accounts=post.store, deliveries=post.store)
    assert post.store.correspondents(ACCOUNT.id).undeliverable == {SECOND_ADMIN.email, BILLING_ADDRESS}

    add(post.store, SECOND_ADMIN)
    details = PAGE.information.billing.details
    changed_details = replace(details, language="it")
    post.store.replace_information(ACCOUNT.id, Area.BILLING, changed_details, 1, sample_event(3))

    assert post.notify(changed()) == DeliveryCounts(sent=3, skipped=0)


@pytest.mark.parametrize("address", [STAFF_ADDRESS, "left@nordlys.example"])
def test_a_report_about_an_address_the_account_does_not_have_changes_nothing(address: str, post: Post) -> None:
    before = stored_items()

    note_feedback(report(changed(), address), now=NOON, correlation="run", accounts=post.store, deliveries=post.store)

    assert stored_items() == before


def test_staff_get_the_mail_when_no_admin_is_deliverable(post: Post) -> None:
    note_feedback(
        report(changed(), ADMIN.email), now=NOON, correlation="run", accounts=post.store, deliveries=post.store
    )

    post.notify(undeliverable(post.store)[0], staff=STAFF_ADDRESS)

    assert post.mailbox.addresses() == [STAFF_ADDRESS]


# ---- Deleted accounts ----


def test_a_deleted_account_gets_no_mail_and_no_new_items(store: Stores) -> None:
    post = Post(store)

    assert post.notify(changed()) == DeliveryCounts(0, 0)
    note_feedback(report(changed(), ADMIN.email), now=NOON, correlation="run", accounts=store, deliveries=store)
    note_feedback(
        report(changed(), ADMIN.email, status=DeliveryStatus.SENT),
        now=NOON,
        correlation="run",
        accounts=store,
        deliveries=store,
    )

    assert stored_items() == []


def test_an_account_deleted_during_the_delivery_gets_no_new_items(store: Stores) -> None:
    """The worker read the account before its last item was deleted."""
    delivery = Delivery.of(changed(), Recipient(ADMIN.email, None))

    with pytest.raises(Exception, match="at the same moment"):
        store.claim_delivery(delivery, "one", NOON, NOON + CLAIM)

    assert stored_items() == []


def test_the_mail_about_the_deletion_stores_nothing_of_the_account(store: Stores) -> None:
    post = Post(store)
    event = replace(
        sample_event(),
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


@pytest.mark.parametrize("type_", [EventType.OPEN_CLAIM_CHANGED, EventType.ACCOUNT_MONEY_OPEN])
def test_staff_get_the_mail_about_a_deleted_account(type_: EventType, store: Stores) -> None:
    """Nothing of the account is read, which may be another one by now, and nothing is stored under it."""
    post = Post(store)
    after = {"language": "it", "stage": "deleted", "claim": "LV-2026-000001"}
    event = replace(sample_event(), type=type_, before=None, after=after)

    assert post.notify(event, staff="staff@livello.example") == DeliveryCounts(sent=1, skipped=0)
    assert post.notify(event, staff="staff@livello.example") == DeliveryCounts(sent=0, skipped=1)

    assert post.written[0][0] == LetterContext(ACCOUNT.id, "it", "UTC", None)
    assert post.folder.files == {}
    [item] = stored_items()
    assert item["pk"].startswith("DELETED#")


# ---- Documents, and mails that cannot be built ----


def issued() -> Event:
    return replace(
        sample_event(), type=EventType.INVOICE_ISSUED, before=None, after={"document": "accounts/nordlys-kaffe/A-1.pdf"}
    )


def test_an_invoice_waits_for_its_document(post: Post) -> None:
    with pytest.raises(NotAllSent):
        post.notify(issued())
    assert post.mailbox.taken == []

    post.folder.put("accounts/nordlys-kaffe/A-1.pdf", b"%PDF", "application/pdf")
    post.notify(issued())

    assert {document for _, _, document in post.written} == {b"%PDF"}


def test_a_mail_that_cannot_be_built_does_not_stop_the_others(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    write = post.write

    def fail_for_ada(
        event: Event, letter_context: LetterContext, recipient: Recipient, document: bytes | None
    ) -> bytes:
        if recipient.email == ADMIN.email:
            raise UnicodeError
        return write(event, letter_context, recipient, document)

    monkeypatch.setattr(post, "write", fail_for_ada)

    with pytest.raises(Unwritable):
        post.notify(changed())

    assert post.mailbox.addresses() == [BILLING_ADDRESS]


def test_a_mail_that_cannot_be_built_is_never_claimed(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise ValueError("no such field")

    monkeypatch.setattr(post, "write", fail)
    before = stored_items()

    with pytest.raises(Unwritable):
        post.notify(changed())

    assert stored_items() == before
