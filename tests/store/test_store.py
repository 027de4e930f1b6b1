"""The verbs of the stores on moto: their results, their refusals, and their round trips."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from billing import wiring
from billing.accounts.information import Area, BillingDetails
from billing.accounts.records import Membership
from billing.billing_page.records import PAGE_INVOICES
from billing.invoicing import summary_mapping as invoice_summary_mapping
from billing.invoicing.invoices import Invoice
from billing.kernel.errors import AccountNotFound, ConcurrentChange, NotFound, StaleVersion
from billing.kernel.permissions import Role
from billing.payments import mapping as payment_mapping
from billing.payments.methods import Card, Method, PaymentMethod, PaymentProfile
from billing.platform.dynamodb import keys
from billing.scaling.reviews.success_managers import CELL, Slot
from billing.subscriptions.catalogue import Catalogue, Product, Tier
from billing.subscriptions.subscriber import FixedMonths, Subscriber
from botocore.exceptions import ClientError

from tests.aws import put_item, stored_items
from tests.store.samples import ACCOUNT, ADMIN, BILLING, DUE, MEMBER, NOON, PAGE, REVIEW, SOFIE, invoices, sample_event
from tests.stores import Stores


@contextmanager
def calls() -> Iterator[list[str]]:
    """Collects the names of the operations that are sent to DynamoDB, with "consistent" for a consistent read."""
    operations: list[str] = []
    client = wiring.dynamodb()

    def note(model: Any, params: Any, **_: Any) -> None:
        consistent = json.loads(params["body"]).get("ConsistentRead", False)
        operations.append(model.name + (" consistent" if consistent else ""))

    client.meta.events.register("before-call.dynamodb", note)
    try:
        yield operations
    finally:
        client.meta.events.unregister("before-call.dynamodb", note)


def keep_invoice(invoice: Invoice) -> None:
    """Writes an invoice in the account's partition, without a renewal."""
    put_item(
        keys.account(ACCOUNT.id),
        keys.invoice(invoice.produced_on, invoice.number),
        invoice_summary_mapping.invoice_body(invoice),
    )


def test_a_provisioned_account_can_be_read_completely(store: Stores) -> None:
    store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)

    assert store.billing_page(ACCOUNT.id) == PAGE
    assert store.account(ACCOUNT.id) == ACCOUNT
    assert store.users(ACCOUNT.id) == (ADMIN,)


def test_an_unknown_account_is_not_found(store: Stores) -> None:
    with pytest.raises(AccountNotFound):
        store.account("nobody")
    with pytest.raises(AccountNotFound):
        store.billing_page("nobody")
    assert store.users("nobody") == ()
    assert store.invoices("nobody", year=None, status=None, limit=5, after=None).items == ()


def test_a_second_account_with_the_same_id_is_refused_and_writes_nothing(store: Stores) -> None:
    store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)
    before = stored_items()

    with pytest.raises(ConcurrentChange):
        store.provision(replace(PAGE, account=replace(ACCOUNT, name="Another")), MEMBER, sample_event(), DUE, BILLING)

    assert stored_items() == before


def test_the_billing_page_is_one_query_with_the_newest_invoices(store: Stores) -> None:
    store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)
    store.save_user(ACCOUNT.with_role(MEMBER.id, MEMBER.role), MEMBER, sample_event())
    issued = invoices(30)
    for invoice in issued:
        keep_invoice(invoice)

    with calls() as operations:
        page = store.billing_page(ACCOUNT.id)

    assert operations == ["Query"]
    assert page.invoices == tuple(reversed(issued[-PAGE_INVOICES:]))
    assert page.subscription == PAGE.subscription


def test_the_billing_page_shows_the_payment_method(store: Stores) -> None:
    store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)
    card = PaymentMethod(Method.CARD, Card("visa", "4242", 12, 2030))
    put_item(
        keys.account(ACCOUNT.id),
        keys.PAGE_PAYMENT_METHOD,
        payment_mapping.payment_profile_body(PaymentProfile(shown=card)),
        version=1,
    )
    for invoice in invoices(13):
        keep_invoice(invoice)

    page = store.billing_page(ACCOUNT.id)

    assert page.payment_method == card
    assert len(page.invoices) == PAGE_INVOICES


def test_a_page_without_invoices_is_one_query(store: Stores) -> None:
    store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)
    for invoice in invoices(3):
        keep_invoice(invoice)

    with calls() as operations:
        page = store.billing_page(ACCOUNT.id, invoices=0)

    assert operations == ["Query"]
    assert page == PAGE


def test_invoices_are_listed_in_pages_newest_first(store: Stores) -> None:
    issued = invoices(7)
    for invoice in issued:
        keep_invoice(invoice)

    listed: list[Invoice] = []
    after: str | None = None
    pages = 0
    while True:
        with calls() as operations:
            page = store.invoices(ACCOUNT.id, year=None, status=None, limit=3, after=after)
        assert operations == ["Query"]
        listed.extend(page.items)
        pages += 1
        if page.last is None:
            break
        after = page.last

    assert listed == list(reversed(issued))
    assert pages == 3


def test_a_page_with_exactly_the_remaining_invoices_is_the_last(store: Stores) -> None:
    for invoice in invoices(4):
        keep_invoice(invoice)

    first = store.invoices(ACCOUNT.id, year=None, status=None, limit=2, after=None)
    second = store.invoices(ACCOUNT.id, year=None, status=None, limit=2, after=first.last)

    assert len(second.items) == 2
    assert second.last is None


def test_an_invoice_issued_between_two_pages_repeats_no_invoice(store: Stores) -> None:
    issued = invoices(5)
    for invoice in issued[:4]:
        keep_invoice(invoice)
    first = store.invoices(ACCOUNT.id, year=None, status=None, limit=2, after=None)

    keep_invoice(issued[4])
    second = store.invoices(ACCOUNT.id, year=None, status=None, limit=2, after=first.last)

    assert [*first.items, *second.items] == list(reversed(issued[:4]))


def test_a_made_up_cursor_cannot_leave_the_account(store: Stores) -> None:
    """A position is only a place in this account's list of invoices."""
    store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)
    keep_invoice(invoices(1)[0])

    assert store.invoices("another", year=None, status=None, limit=5, after="2024-01-15#A-2024-000002").items == ()
    assert len(store.invoices(ACCOUNT.id, year=None, status=None, limit=5, after="zzz").items) == 1
    assert store.invoices(ACCOUNT.id, year=None, status=None, limit=5, after="!").items == ()


def test_billing_information_is_replaced_in_one_transaction_at_its_version(store: Stores) -> None:
    store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)
    moved = BillingDetails("finance@nordlys.example")

    with calls() as operations:
        store.replace_information(ACCOUNT.id, Area.BILLING, moved, version=1, event=sample_event())

    billing = store.billing_page(ACCOUNT.id).information.billing
    assert operations == ["TransactWriteItems"]
    assert (billing.details, billing.version) == (moved, 2)


def test_a_change_of_stale_billing_information_is_refused(store: Stores) -> None:
    store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)
    store.replace_information(
        ACCOUNT.id, Area.BILLING, BillingDetails("first@nordlys.example"), version=1, event=sample_event()
    )
    before = stored_items()

    with pytest.raises(StaleVersion):
        store.replace_information(
            ACCOUNT.id, Area.BILLING, BillingDetails("b@nordlys.example"), version=1, event=sample_event()
        )

    assert stored_items() == before


def test_billing_information_of_an_unknown_account_is_not_created(store: Stores) -> None:
    with pytest.raises(StaleVersion):
        store.replace_information(
            "nobody", Area.BILLING, BillingDetails("b@nordlys.example"), version=1, event=sample_event()
        )
    assert stored_items() == []


def test_a_user_and_their_role_are_written_in_one_transaction(store: Stores) -> None:
    store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)

    with calls() as operations:
        store.save_user(ACCOUNT.with_role(MEMBER.id, MEMBER.role), MEMBER, sample_event())
    both = store.account(ACCOUNT.id)
    assert operations == ["TransactWriteItems"]
    assert both.roles == {ADMIN.id: Role.ADMIN, MEMBER.id: Role.MEMBER}
    assert store.users(ACCOUNT.id) == (ADMIN, MEMBER)

    store.remove_user(both.without(MEMBER.id), MEMBER.id, sample_event(), NOON)
    assert store.account(ACCOUNT.id).roles == {ADMIN.id: Role.ADMIN}
    assert store.users(ACCOUNT.id) == (ADMIN,)


def test_of_two_concurrent_changes_of_users_one_is_refused(store: Stores) -> None:
    """Two admins who remove each other at the same moment would leave an account without an admin (DESIGN 3.4.4)."""
    store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)
    store.save_user(ACCOUNT.with_role("user-2", Role.ADMIN), replace(MEMBER, role=Role.ADMIN), sample_event())
    account = store.account(ACCOUNT.id)

    store.remove_user(account.without(ADMIN.id), ADMIN.id, sample_event(), NOON)
    with pytest.raises(ConcurrentChange):
        store.remove_user(account.without(MEMBER.id), MEMBER.id, sample_event(), NOON)

    assert store.account(ACCOUNT.id).roles == {MEMBER.id: Role.ADMIN}


def test_a_page_of_a_persons_accounts_is_one_query(store: Stores) -> None:
    for number in range(5):
        account = replace(ACCOUNT, id=f"shop-{number}", name=f"Shop {number}")
        store.provision(replace(PAGE, account=account), ADMIN, sample_event(), DUE, BILLING)

    with calls() as operations:
        first = store.accounts_of(ADMIN.id, limit=3, after=None)
    second = store.accounts_of(ADMIN.id, limit=3, after=first.last)

    assert operations == ["Query"]
    assert first.items[0] == Membership("shop-0", "Shop 0", Role.ADMIN)
    assert [each.account for each in (*first.items, *second.items)] == [f"shop-{number}" for number in range(5)]
    assert second.last is None
    assert store.accounts_of("stranger", limit=3, after=None).items == ()


def test_the_newest_version_of_the_catalogue_is_one_query(store: Stores) -> None:
    assert store.newest_catalogue() is None
    for version in range(1, 12):
        store.add_catalogue(catalogue(version, price=version), sample_event(account=None))

    with calls() as operations:
        newest = store.newest_catalogue()

    assert operations == ["Query consistent"]
    assert newest == catalogue(11, price=11)


def test_a_version_of_the_catalogue_is_never_replaced(store: Stores) -> None:
    store.add_catalogue(catalogue(1, price=100), sample_event(account=None))

    with pytest.raises(StaleVersion):
        store.add_catalogue(catalogue(1, price=200), sample_event(account=None))

    assert store.newest_catalogue() == catalogue(1, price=100)


def test_every_change_is_written_with_its_event(store: Stores) -> None:
    events = [sample_event(second) for second in range(4)]
    store.provision(PAGE, ADMIN, events[0], DUE, BILLING)
    store.replace_information(ACCOUNT.id, Area.BILLING, BillingDetails("b@nordlys.example"), 1, events[1])
    store.save_user(ACCOUNT.with_role(MEMBER.id, MEMBER.role), MEMBER, events[2])
    both = store.account(ACCOUNT.id)
    store.remove_user(both.without(MEMBER.id), MEMBER.id, events[3], NOON)

    with calls() as operations:
        first = store.events(ACCOUNT.id, limit=3, after=None)
    rest = store.events(ACCOUNT.id, limit=3, after=first.last)

    assert operations == ["Query"]
    assert (*first.items, *rest.items) == tuple(reversed(events))
    assert rest.last is None


def test_a_refused_change_records_no_event(store: Stores) -> None:
    store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)
    store.add_catalogue(catalogue(1, price=1), sample_event(account=None))
    before = stored_items()

    with pytest.raises(StaleVersion):
        store.replace_information(ACCOUNT.id, Area.BILLING, BillingDetails("b@x.example"), 7, sample_event(1))
    with pytest.raises(StaleVersion):
        store.add_catalogue(catalogue(1, price=2), sample_event(1, account=None))
    with pytest.raises(ConcurrentChange):
        store.save_user(replace(ACCOUNT, version=7).with_role("user-9", Role.ADMIN), MEMBER, sample_event(1))

    assert stored_items() == before


def test_another_failure_is_not_reported_as_a_concurrent_change(store: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    failure = ClientError({"Error": {"Code": "AccessDeniedException"}}, "TransactWriteItems")

    def fail(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr(wiring.dynamodb(), "_make_api_call", fail)

    with pytest.raises(ClientError, match="AccessDenied"):
        store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)


def test_reads_before_a_change_are_consistent(store: Stores) -> None:
    """A stale read would decide a change on old roles or on an old version."""
    store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)

    with calls() as operations:
        store.account(ACCOUNT.id)
        store.users(ACCOUNT.id)
        store.billing_page(ACCOUNT.id, consistent=True)

    assert operations == ["GetItem consistent", "Query consistent", "Query consistent"]


def test_reads_and_writes_share_the_client_of_the_process(store: Stores) -> None:
    """By default PynamoDB makes its own session and client."""
    assert store._client is wiring.dynamodb()
    assert store._writes._connection.client is wiring.dynamodb()


def catalogue(version: int, price: int) -> Catalogue:
    return Catalogue(version, (Product("search", "Search", "searches", (Tier(10, {"EUR": price}),)),))


# ---- Success managers and reviews ----


def test_each_read_of_reviews_and_managers_is_one_round_trip(store: Stores) -> None:
    store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)
    store.replace_success_manager(SOFIE, 0, sample_event(1, account=None))
    store.book_review(ACCOUNT, REVIEW, sample_event(2))

    with calls() as operations:
        assert store.success_manager(SOFIE.id) == SOFIE
        assert store.success_managers(limit=10, after=None).items == (SOFIE,)
        first, last = cells = REVIEW.slot.cells
        assert store.booked(SOFIE.id, first, last, ACCOUNT.id) == {*cells}
        assert store.open_review(ACCOUNT.id) == REVIEW
        assert store.reviews(ACCOUNT.id, limit=10, after=None).items == (REVIEW,)

    assert operations == [
        "GetItem consistent",
        "Query",
        "Query consistent",
        "GetItem consistent",
        "GetItem consistent",
        "Query",
    ]


def test_a_quarter_hour_of_a_manager_is_booked_once(store: Stores) -> None:
    store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)
    store.book_review(ACCOUNT, REVIEW, sample_event(1))
    store.cancel_review(ACCOUNT, replace(REVIEW, cancelled_at=NOON), sample_event(2))
    again = replace(REVIEW, id=sample_event(3).id, slot=Slot(REVIEW.slot.begins + CELL, REVIEW.slot.ends + CELL))
    store.book_review(ACCOUNT, again, sample_event(3))
    before = stored_items()

    for other in (REVIEW, again):
        overlapping = replace(other, id=sample_event(4).id)
        with pytest.raises(ConcurrentChange):
            store.book_review(ACCOUNT, overlapping, sample_event(4))

    assert stored_items() == before


def test_a_decision_needs_current_versions_of_account_review_and_subscription(store: Stores) -> None:
    store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)
    store.book_review(ACCOUNT, REVIEW, sample_event(1))
    before = stored_items()
    stale = [
        (replace(ACCOUNT, version=2), REVIEW, PAGE.subscription),
        (ACCOUNT, replace(REVIEW, version=2), PAGE.subscription),
        (ACCOUNT, REVIEW, replace(PAGE.subscription, version=2)),
    ]

    for account, review, subscription in stale:
        changed = Subscriber(account, subscription)
        with pytest.raises(ConcurrentChange):
            store.decide_review(account, review, changed, sample_event(2), frees_time=True)
    a_month_is_fixed = Subscriber(ACCOUNT, PAGE.subscription, FixedMonths(3, version=1))
    with pytest.raises(ConcurrentChange):
        store.decide_review(ACCOUNT, REVIEW, a_month_is_fixed, sample_event(2), frees_time=True)

    assert stored_items() == before


def test_an_unknown_version_of_the_catalogue_is_not_found(store: Stores) -> None:
    with pytest.raises(NotFound):
        store.catalogue(1)
