"""The seller's books: numbers and their days rise together, and the register shows each once (case M22)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from billing.accounts.rules import existing
from billing.billing_page.provision_account import provision_account
from billing.ending.deletion.records import partitions
from billing.invoicing.due import InvoicingDue
from billing.invoicing.dunning import initial_payment
from billing.invoicing.invoices import IssuedInvoice
from billing.invoicing.issue_credit_note import issue_credit_note
from billing.invoicing.issue_invoices import issue_invoices, with_running_period
from billing.invoicing.numbering import NextNumber, NumberTaken, RegisteredNumber, register_faults
from billing.invoicing.periods import fix_month
from billing.invoicing.records import InvoiceStore, WholeInvoice
from billing.invoicing.reissue_invoice import reissue_invoice
from billing.kernel.contract_calendar import Contract
from billing.kernel.events import Actor, ActorKind, EventType, RequestContext
from billing.platform.dynamodb import keys
from billing.platform.events.new_event import new_event

from tests.aws import TABLE
from tests.faults.company import NEW_ACCOUNT, SETTINGS, catalogue
from tests.faults.network import connected
from tests.faults.world import World
from tests.store.samples import CONTEXT

STARTS = date(2026, 6, 1)
IN_COPENHAGEN = replace(SETTINGS, time_zone="Europe/Copenhagen")


@pytest.fixture
def world() -> Iterator[World]:
    with connected(), catalogue().calm() as made:
        yield made


def sold(world: World, account: str, zone: str, start: date = STARTS, interval: int = 1) -> None:
    contract = Contract(start, interval, "EUR", zone)
    provision_account(
        replace(NEW_ACCOUNT, account=account, contract=contract, discounts=(), invoiced_until=None),
        context=replace(CONTEXT, time=datetime(2026, 5, 20, 12, tzinfo=UTC)),
        directory=world.directory,
        pages=world.store,
        catalogues=world.store,
    )


def invoiced(world: World, account: str, at: datetime) -> list[IssuedInvoice]:
    """What an hourly run issues for an account."""
    numbers = issue_invoices(account, now=at, correlation="run", settings=IN_COPENHAGEN, store=world.invoicing)
    return [world.invoicing.invoice(account, number).invoice for number in numbers]


def credited(world: World, account: str, number: str, at: datetime) -> IssuedInvoice:
    """The credit note with which staff take back an invoice that is not paid."""
    gateway: Any = None  # nothing was begun there
    return issue_credit_note(
        existing(world.invoicing.billing_context(account)),
        number,
        None,
        "Invoiced by mistake",
        context=RequestContext(Actor(ActorKind.STAFF, "staff"), at, "credit"),
        settings=IN_COPENHAGEN,
        store=world.invoicing,
        gateway=gateway,
    ).invoice


def reissued(store: InvoiceStore, wrong: IssuedInvoice, at: datetime) -> IssuedInvoice:
    """The invoice that staff issue in the place of one that is not paid."""
    gateway: Any = None  # nothing was begun there
    return reissue_invoice(
        existing(store.billing_context(wrong.account)),
        wrong.number,
        (),
        "The address was wrong",
        keeps_tax=True,
        context=RequestContext(Actor(ActorKind.STAFF, "staff"), at, "correction"),
        settings=IN_COPENHAGEN,
        store=store,
        gateway=gateway,
    ).invoice


def register(world: World, series: str, year: int = 2026) -> tuple[RegisteredNumber, ...]:
    return world.invoicing.register(series, year, limit=1000, after=None).items


def test_number_and_date_of_credit_notes_rise_together_by_the_sellers_day(world: World) -> None:
    """Case M22: 22:30 UTC for a customer in Copenhagen, 22:31 UTC for one in London."""
    sold(world, "copenhagen", "Europe/Copenhagen")
    sold(world, "london", "Europe/London")
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    invoices = {account: invoiced(world, account, noon)[0].number for account in ("copenhagen", "london")}

    late = datetime(2026, 6, 15, 22, 30, tzinfo=UTC)
    first = credited(world, "copenhagen", invoices["copenhagen"], late)
    second = credited(world, "london", invoices["london"], late + timedelta(minutes=1))

    assert (first.number, first.produced_on) == ("CN-2026-000001", date(2026, 6, 16))
    assert (second.number, second.produced_on) == ("CN-2026-000002", date(2026, 6, 16))
    # What the customers have to do follows their own day.
    assert (first.due_on, second.due_on) == (date(2026, 6, 16), date(2026, 6, 15))


def test_an_invoice_is_issued_on_the_accounts_day_and_dated_by_the_sellers(world: World) -> None:
    sold(world, "auckland", "Pacific/Auckland")
    sold(world, "los-angeles", "America/Los_Angeles")

    [early] = invoiced(world, "auckland", datetime(2026, 5, 31, 12, 30, tzinfo=UTC))
    assert invoiced(world, "los-angeles", datetime(2026, 6, 1, 6, 30, tzinfo=UTC)) == []
    [late] = invoiced(world, "los-angeles", datetime(2026, 6, 1, 22, 30, tzinfo=UTC))

    assert (early.produced_on, early.draft.since, early.due_on) == (date(2026, 5, 31), STARTS, date(2026, 6, 15))
    assert (late.produced_on, late.draft.since, late.due_on) == (date(2026, 6, 2), STARTS, date(2026, 6, 15))


def test_an_invoice_that_is_dated_two_days_before_its_period_is_found_when_the_period_is_rebuilt(world: World) -> None:
    """The last hour of 30 December in Pago Pago is the first one of 1 January in Kiritimati."""
    in_pago_pago = replace(SETTINGS, time_zone="Pacific/Pago_Pago")
    sold(world, "kiritimati", "Pacific/Kiritimati", date(2027, 1, 1), interval=12)
    at = datetime(2026, 12, 31, 10, 5, tzinfo=UTC)
    [number] = issue_invoices("kiritimati", now=at, correlation="run", settings=in_pago_pago, store=world.invoicing)
    assert world.invoicing.invoice("kiritimati", number).invoice.produced_on == date(2026, 12, 30)
    key = {"pk": {"S": keys.account("kiritimati")}, "sk": {"S": keys.PAGE_PERIOD}}
    world.client.delete_item(TableName=TABLE, Key=key)

    built = with_running_period(existing(world.invoicing.billing_context("kiritimati")), world.invoicing).period

    assert built is not None
    assert [each.number for each in built.invoiced] == [number]


def test_the_year_of_a_number_is_the_sellers(world: World) -> None:
    sold(world, "london", "Europe/London", start=date(2026, 12, 31))

    [invoice] = invoiced(world, "london", datetime(2026, 12, 31, 23, 30, tzinfo=UTC))

    assert (invoice.number, invoice.produced_on) == ("LV-2027-000001", date(2027, 1, 1))
    assert world.invoicing.invoice("london", invoice.number).invoice == invoice


def test_a_run_whose_clock_is_behind_takes_the_day_of_the_last_number(world: World) -> None:
    """Two runs around midnight: the one that read its clock before it comes second."""
    sold(world, "one", "Pacific/Auckland")
    sold(world, "other", "Pacific/Auckland")
    midnight = datetime(2026, 6, 1, 22, tzinfo=UTC)
    behind = world.invoicing  # a process that goes on with the counter that it has read
    assert behind.counter("LV", 2026).count == 0

    [first] = invoiced(world, "one", midnight)
    [number] = issue_invoices(
        "other", now=midnight - timedelta(seconds=1), correlation="run", settings=IN_COPENHAGEN, store=behind
    )

    second = behind.invoice("other", number).invoice
    assert (first.number, first.produced_on) == ("LV-2026-000001", date(2026, 6, 2))
    assert (second.number, second.produced_on) == ("LV-2026-000002", date(2026, 6, 2))


def test_a_process_that_is_behind_takes_the_next_number_for_the_same_account(world: World) -> None:
    """The number that it believes to be free has items of this very account: that is no change of somebody else."""
    sold(world, "one", "Europe/Copenhagen")
    behind = world.invoicing
    assert behind.counter("LV", 2026).count == 0
    [first] = invoiced(world, "one", datetime(2026, 6, 1, 12, tzinfo=UTC))

    [number] = issue_invoices(
        "one", now=datetime(2026, 7, 1, 12, tzinfo=UTC), correlation="run", settings=IN_COPENHAGEN, store=behind
    )

    assert (first.number, number) == ("LV-2026-000001", "LV-2026-000002")


@pytest.mark.parametrize("series", ["LV", "CN", "both"])
def test_a_correction_goes_on_where_its_process_is_behind_in_a_series(series: str, world: World) -> None:
    for account in ("one", "other"):
        sold(world, account, "Europe/Copenhagen")
    june, july = (datetime(2026, month, 1, 12, tzinfo=UTC) for month in (6, 7))
    [wrong], [other] = (invoiced(world, account, june) for account in ("one", "other"))
    behind = world.invoicing
    for each in ("LV", "CN"):
        behind.counter(each, 2026)
    if series != "CN":
        invoiced(world, "one", july)
    if series != "LV":
        credited(world, "other", other.number, july)

    new = reissued(behind, wrong, july)

    assert new.replaces is not None
    assert new.number == f"LV-2026-00000{3 if series == 'CN' else 4}"
    assert new.replaces.credit_note == f"CN-2026-00000{1 if series == 'LV' else 2}"
    for each in ("LV", "CN"):
        assert register_faults(register(world, each), world.invoicing.counter(each, 2026)) == ()


def test_a_correction_does_not_take_the_number_of_the_invoice_itself(world: World) -> None:
    """The invoice was issued a moment ago, by another process."""
    sold(world, "one", "Europe/Copenhagen")
    behind, at = world.invoicing, datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert behind.counter("LV", 2026).count == 0
    [wrong] = invoiced(world, "one", at)

    assert reissued(behind, wrong, at).number == "LV-2026-000002"


def test_the_table_refuses_a_number_that_is_dated_before_the_last(world: World) -> None:
    """Whatever a process believes: the condition is the counter's."""
    sold(world, "copenhagen", "Europe/Copenhagen")
    [invoice] = invoiced(world, "copenhagen", datetime(2026, 6, 2, 12, tzinfo=UTC))
    store = world.invoicing
    context = existing(store.billing_context("copenhagen"))
    number = NextNumber("LV", date(2026, 6, 1), 2)
    whole = WholeInvoice.new(invoice.issued_as(number), initial_payment(invoice, STARTS))
    fixed = fix_month(context.subscriber.account, context.subscriber.subscription, InvoicingDue(1), context.period)
    event = new_event(EventType.INVOICE_ISSUED, CONTEXT, account="copenhagen", before=None, after={})

    with pytest.raises(NumberTaken) as taken:
        store.issue(context, whole, number, fixed, context.credit, event)

    assert (taken.value.counter.count, taken.value.counter.last_day) == (1, date(2026, 6, 2))
    assert len(register(world, "LV")) == 1


def test_each_number_is_registered_with_its_document_and_stays_after_a_purge(world: World) -> None:
    sold(world, "copenhagen", "Europe/Copenhagen")
    [invoice] = invoiced(world, "copenhagen", datetime(2026, 6, 1, 12, tzinfo=UTC))
    note = credited(world, "copenhagen", invoice.number, datetime(2026, 6, 2, 12, tzinfo=UTC))

    for document, series in ((invoice, "LV"), (note, "CN")):
        entries = register(world, series)
        assert [(each.number, each.day) for each in entries] == [(document.number, document.produced_on)]
        assert [(each.total, each.tax) for each in entries] == [(document.draft.total, document.draft.tax_amount)]
        assert register_faults(entries, world.invoicing.counter(series, 2026)) == ()
    stored = [item for item in world.table.items() if item["sk"]["S"].startswith("NUMBER#")]
    assert len(stored) == 2
    assert not any("copenhagen" in json.dumps(item) for item in stored), "the register names a customer"
    assert not {item["pk"]["S"] for item in stored} & {*partitions("copenhagen")}, "a purge would delete it"


def test_a_counter_of_an_earlier_release_goes_on(world: World) -> None:
    """It has no day and no register. Both begin with the next number."""
    old = {"pk": {"S": "NUMBERS"}, "sk": {"S": "SERIES#LV#2026"}, "count": {"N": "999999"}}
    world.client.put_item(TableName=TABLE, Item=old)
    sold(world, "copenhagen", "Europe/Copenhagen")

    [invoice] = invoiced(world, "copenhagen", datetime(2026, 6, 1, 12, tzinfo=UTC))

    assert invoice.number == "LV-2026-1000000"
    assert world.invoicing.invoice("copenhagen", invoice.number).invoice == invoice
    assert register_faults(register(world, "LV"), world.invoicing.counter("LV", 2026)) == ()
    counter = world.invoicing.counter("LV", 2026)
    assert (counter.count, counter.last_day, counter.registered_from) == (1_000_000, date(2026, 6, 1), 1_000_000)
