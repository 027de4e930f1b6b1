"""The sample events in events/published/ fit their schemas exactly, and follow the rules of the domain."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from billing.correspondence.event_kinds import SCHEMA_OF
from billing.ending.event_schemas import AccountDeleted, CancellationRequested, NoticeDeadlineNear
from billing.invoicing.event_schemas import InvoiceIssued
from billing.kernel.contract_calendar import Contract, termination
from billing.kernel.events import RANDOM_BYTES, ulid
from billing.kernel.money import rounded_tax
from billing.scaling.event_schemas import SubscriptionAutoscaled, SubscriptionTierLowered, UsageBelowTier
from billing.scaling.reviews.rules import next_renewal

from scripts.mail_preview import SAMPLES, sample

CONTRACT = Contract(date(2026, 1, 15), 3, "DKK", "Europe/Copenhagen")
VAT = Decimal("0.25")
PURGE_DAYS = 14


def document(kind: str) -> Any:
    return json.loads((SAMPLES / f"{kind}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", sorted(SCHEMA_OF))
def test_a_sample_has_exactly_the_fields_of_its_schema(kind: str) -> None:
    # Parsing drops keys that the schema does not define.
    fields = sample(kind).model_dump(mode="json")
    if fields["account"] is None:  # only the events of an account are in a sequence
        assert fields.pop("sequence") is None
    assert fields.pop("test_clock") is None
    assert fields == document(kind)


@pytest.mark.parametrize("kind", sorted(SCHEMA_OF))
def test_a_samples_event_id_encodes_its_time(kind: str) -> None:
    event = sample(kind)
    assert event.event[:10] == ulid(event.time, bytes(RANDOM_BYTES))[:10]
    assert event.time.tzinfo is not None


def test_the_sample_cancellation_follows_the_contract_calendar() -> None:
    event = sample("cancellation.requested")
    assert isinstance(event, CancellationRequested)
    ends = termination(CONTRACT.start, CONTRACT.interval_months, CONTRACT.today(event.time))
    facts = event.after
    assert (facts.notice_ends, facts.active_until) == (ends.notice_ends, ends.active_until)
    assert [charge.on for charge in facts.charges_still_due] == ends.charges_still_due
    assert facts.purge_on == ends.active_until + timedelta(days=PURGE_DAYS)


def test_the_sample_notice_is_a_week_before_the_last_day() -> None:
    event = sample("renewal.notice_deadline_near")
    assert isinstance(event, NoticeDeadlineNear)
    today = CONTRACT.today(event.time)
    assert event.after.last_day == today + timedelta(days=7)
    for day, renewal in ((event.after.last_day, True), (event.after.last_day + timedelta(days=1), False)):
        ends = termination(CONTRACT.start, CONTRACT.interval_months, day)
        assert (ends.active_until == event.after.renewal.on) == renewal


def test_the_sample_invoice_adds_up() -> None:
    event = sample("invoice.issued")
    assert isinstance(event, InvoiceIssued)
    facts = event.after
    assert sum(line.amount.amount for line in facts.lines) == facts.net.amount
    assert rounded_tax(facts.net.amount * VAT) == facts.tax.amount
    assert facts.net.amount + facts.tax.amount == facts.total.amount
    renewals = CONTRACT.renewals(facts.since)
    assert [next(renewals)[1], next(renewals)[1]] == [facts.since, facts.until]


def test_the_sample_tier_change_takes_effect_with_the_next_contract_month() -> None:
    event = sample("subscription.autoscaled")
    assert isinstance(event, SubscriptionAutoscaled)
    facts, decided = event.after, CONTRACT.today(event.time)
    assert facts.effective_on == CONTRACT.month_start(CONTRACT.month_of(decided) + 1)
    assert facts.next_invoice.on == CONTRACT.next_charge(facts.effective_on)[1]
    more = facts.after.price.amount - facts.before.price.amount
    months_left = CONTRACT.month_of(facts.next_invoice.on) - CONTRACT.month_of(facts.effective_on)
    assert facts.extra is not None
    assert facts.extra.amount == more * months_left
    assert facts.next_invoice.amount.amount - facts.next_invoice_without.amount == more * CONTRACT.interval_months
    assert facts.before.up_to is not None
    assert facts.after.up_to is not None
    assert facts.adds is not None
    assert facts.adds.tax is not None
    assert (facts.adds.on, facts.adds.amount) == (facts.effective_on, facts.extra)
    assert facts.adds.tax.amount == rounded_tax(facts.extra.amount * VAT)
    assert facts.before.up_to < min(month.typical for month in facts.months) <= facts.after.up_to


def test_the_sample_average_is_the_mean_of_its_months() -> None:
    event = sample("usage.below_tier")
    assert isinstance(event, UsageBelowTier)
    total = sum((month.usage for month in event.after.months), Decimal(0))
    assert event.after.average == (total / 3).quantize(Decimal("0.01"))


def test_the_sample_lower_tier_starts_at_the_next_renewal_and_holds_the_average() -> None:
    event = sample("subscription.tier_lowered")
    assert isinstance(event, SubscriptionTierLowered)
    assert event.after.effective_on == next_renewal(CONTRACT, CONTRACT.today(event.time))
    for lowered in event.after.tiers:
        assert lowered.after.up_to is not None
        assert lowered.average <= lowered.after.up_to
        assert lowered.after.price.amount < lowered.before.price.amount


def test_the_sample_deletion_is_at_the_start_of_the_purge_day() -> None:
    event = sample("account.deleted")
    assert isinstance(event, AccountDeleted)
    cancelled = sample("cancellation.requested")
    assert isinstance(cancelled, CancellationRequested)
    assert CONTRACT.today(event.after.deleted_at) == cancelled.after.purge_on
    assert event.after.deleted_at < datetime(2027, 4, 29, 1, tzinfo=UTC)
