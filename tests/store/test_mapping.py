"""A value that is stored and read again is the same, digit for digit."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from billing.accounts import mapping as account_mapping
from billing.accounts.rules import EarlierContract
from billing.invoicing import summary_mapping as invoice_summary_mapping
from billing.invoicing.invoices import Invoice, InvoiceStatus
from billing.kernel.events import Actor, ActorKind
from billing.kernel.money import Money
from billing.payments import mapping as payment_mapping
from billing.payments.methods import Card, Debit, Method, PaymentMethod, PaymentProfile
from billing.platform.dynamodb import bodies
from billing.platform.events import mapping as event_mapping
from billing.scaling.reviews import mapping as review_mapping
from billing.scaling.reviews.rules import Applied, Declined, Review
from billing.subscriptions import catalogue_mapping
from billing.subscriptions import mapping as subscription_mapping
from billing.subscriptions.catalogue import Catalogue, Product, Tier
from billing.subscriptions.rules import Cause, Discount, Line, Order, Subscription, TierChange
from billing.usage import mapping as usage_mapping
from billing.usage.corrections import Figures, RecordedUsageCorrection, UsageCorrection
from billing.usage.thresholds import AlertState
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import examples
from tests.store.samples import ACCOUNT, ADMIN, NOON, PAGE, REVIEW, SOFIE, sample_event


def test_an_account_round_trips() -> None:
    assert account_mapping.account_from(account_mapping.account_body(ACCOUNT), 7) == replace(ACCOUNT, version=7)


def test_an_account_remembers_its_earlier_contracts() -> None:
    earlier = (
        EarlierContract(date(2025, 1, 15), date(2025, 7, 15), ("search", "email")),
        EarlierContract(date(2025, 8, 1), date(2025, 12, 1), ("search",)),
    )
    returned = replace(ACCOUNT, earlier=earlier)

    assert account_mapping.account_from(account_mapping.account_body(returned), 1) == replace(returned, version=1)
    assert "earlier" not in bodies.parsed(account_mapping.account_body(ACCOUNT)), "as older accounts are stored"


def test_a_correction_of_usage_round_trips() -> None:
    correction = UsageCorrection(
        "1", ACCOUNT.id, "search", "shop", None, date(2026, 6, 9), Decimal("-0.5"), -1, Money(-9, "EUR"), "Why"
    )
    before, after = Figures(Decimal(3), Decimal("0.5"), 1, 10), Figures(Decimal("2.5"), Decimal(0), 0, 1)
    recorded = RecordedUsageCorrection(correction, Actor(ActorKind.STAFF, "staff-1"), NOON, before, after)

    stored = usage_mapping.correction_body(recorded)

    assert usage_mapping.correction_from(ACCOUNT.id, stored) == recorded


@pytest.mark.parametrize("corrected", [None, "0" * 32])
def test_an_alert_state_round_trips_byte_for_byte(corrected: str | None) -> None:
    """A condition compares the whole body, also one that an earlier release has written."""
    state = AlertState(10_000, date(2026, 6, 1), 75, corrected)
    stored = usage_mapping.alert_body(state)

    assert usage_mapping.alert_from(stored) == state
    assert usage_mapping.alert_body(usage_mapping.alert_from(stored)) == stored
    assert ("corrected" in stored) is (corrected is not None)


def test_a_user_round_trips() -> None:
    stored = account_mapping.user_body(ADMIN, "Nordlys Kaffe")

    assert account_mapping.user_from(stored) == ADMIN
    assert account_mapping.user_and_account_name_from(stored) == (ADMIN, "Nordlys Kaffe")


def test_billing_information_round_trips() -> None:
    information = PAGE.information
    body = account_mapping.information_body

    assert account_mapping.company_from(body(information.company.details)) == information.company.details
    assert account_mapping.billing_from(body(information.billing.details)) == information.billing.details
    assert account_mapping.contact_from(body(information.contact.details)) == information.contact.details


def test_an_event_round_trips() -> None:
    event = sample_event()

    assert event_mapping.event_from(event_mapping.event_body(event)) == event


def test_a_catalogue_round_trips() -> None:
    products = (Product("search", "Search", "searches", (Tier(10, {"EUR": 1, "JPY": 2}), Tier(None, None))),)

    assert catalogue_mapping.catalogue_from(catalogue_mapping.catalogue_body(products), 2) == Catalogue(2, products)


@pytest.mark.parametrize(
    "shown",
    [
        PaymentMethod(Method.CARD, Card("visa", "4242", 12, 2030)),
        PaymentMethod(Method.SEPA_DEBIT, None, Debit("DE", "3000")),
        PaymentMethod(Method.SEPA_DEBIT, None, Debit("DE", "3000", "MYQPQX3GYSJQ7RYT", "DE98ZZZ09999999999")),
        PaymentMethod(Method.BANK_TRANSFER, None),
        None,
    ],
)
def test_a_payment_profile_round_trips(shown: PaymentMethod | None) -> None:
    since = datetime(2026, 8, 4, 7, 20, tzinfo=UTC)
    profile = PaymentProfile("cus_1", shown, "pm_1", "finger", "seti_2", since, ("seti_1", "seti_2"), 3)

    assert payment_mapping.payment_profile_from(payment_mapping.payment_profile_body(profile), 3) == profile
    assert payment_mapping.shown_payment_method_from(payment_mapping.payment_profile_body(profile)) == shown


def test_a_debit_from_before_mandates_were_kept_is_read_and_written_for_the_release_before() -> None:
    """Byte for byte as it was written. A function of that release builds the debit from all its fields."""
    stored = (
        '{"customer":"cus_1","shown":{"method":"sepa_debit","card":null,"debit":{"country":"DE","last_four":"3000"}},'
        '"payment_method":"pm_1","fingerprint":"f","setup":"seti_1","set_up_at":"2026-08-04T07:20:00Z",'
        '"used":["seti_1"]}'
    )

    profile = payment_mapping.payment_profile_from(stored, 1)

    assert profile.shown == PaymentMethod(Method.SEPA_DEBIT, None, Debit("DE", "3000"))
    written = json.loads(payment_mapping.payment_profile_body(profile))
    assert written["shown"]["debit"] == {"country": "DE", "last_four": "3000"}


def test_an_empty_payment_profile_round_trips() -> None:
    assert (
        payment_mapping.payment_profile_from(payment_mapping.payment_profile_body(PaymentProfile()), 0)
        == PaymentProfile()
    )


@pytest.mark.parametrize("paid_on", [None, date(2026, 3, 1)])
def test_an_invoice_round_trips(paid_on: date | None) -> None:
    invoice = Invoice(
        "A-2026-000001", date(2026, 1, 1), date(2026, 1, 15), paid_on, InvoiceStatus.OPEN, Money(-5, "JPY"), 5
    )

    assert invoice_summary_mapping.invoice_from(invoice_summary_mapping.invoice_body(invoice)) == invoice


dates = st.dates()
discounts = st.builds(
    Discount,
    product=st.none() | st.just("search"),
    percent=st.none() | st.decimals(0, 100, places=4),
    amount=st.none() | st.integers(1, 10**12),
    valid_from=dates,
    valid_until=st.none() | dates,
    reason=st.text(),
)
lines = st.builds(
    Line,
    product=st.just("search"),
    name=st.text(),
    unit=st.text(),
    up_to=st.none() | st.integers(1, 10**12),
    price=st.builds(Money, st.integers(0, 10**12), st.sampled_from(["EUR", "JPY", "KWD"])),
)


changes = st.builds(
    TierChange,
    product=st.just("search"),
    up_to=st.none() | st.integers(1, 10**12),
    price=st.builds(Money, st.integers(0, 10**12), st.just("EUR")),
    effective_on=dates,
    cause=st.sampled_from(Cause),
    decision=st.text(),
)


@examples(100, deep=5_000)
@given(st.lists(lines, max_size=3), st.lists(discounts, max_size=3), st.lists(changes, max_size=3))
def test_a_subscription_round_trips(
    given_lines: list[Line], given_discounts: list[Discount], given_changes: list[TierChange]
) -> None:
    subscription = Subscription(4, tuple(given_lines), tuple(given_discounts), tuple(given_changes), version=7)

    assert (
        subscription_mapping.subscription_from(subscription_mapping.subscription_body(subscription), 7) == subscription
    )


def test_items_without_tier_changes_and_success_manager_can_be_read() -> None:
    subscription = bodies.parsed(subscription_mapping.subscription_body(PAGE.subscription))
    account = bodies.parsed(account_mapping.account_body(ACCOUNT))
    del subscription["changes"], account["success_manager"]

    assert subscription_mapping.subscription_from(bodies.text(subscription), 1) == PAGE.subscription
    assert account_mapping.account_from(bodies.text(account), 1) == ACCOUNT


def test_a_success_manager_round_trips() -> None:
    assert review_mapping.success_manager_from(review_mapping.success_manager_body(SOFIE), SOFIE.version) == SOFIE


@pytest.mark.parametrize(
    "review",
    [
        REVIEW,
        replace(REVIEW, cancelled_at=NOON),
        replace(REVIEW, decision=Declined("Christmas would not fit.", NOON)),
        replace(REVIEW, decision=Applied((Order("search", 10_000),), date(2026, 7, 15), NOON)),
    ],
)
def test_a_review_round_trips(review: Review) -> None:
    assert review_mapping.review_from(review_mapping.review_body(review), review.version) == review


def test_a_stored_decimal_keeps_its_digits() -> None:
    discount = Discount("search", Decimal("12.50"), None, date(2026, 1, 1), None, "signed")
    stored = subscription_mapping.subscription_body(Subscription(1, (), (discount,)))

    assert '"12.50"' in stored


def test_an_unknown_type_has_no_stored_form() -> None:
    with pytest.raises(TypeError):
        bodies.text({"quantity": object()})
