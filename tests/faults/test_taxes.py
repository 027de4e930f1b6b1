"""Tax rates and exemptions are changed once, and no invoice has another day's tax: cut off anywhere, with others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from billing.billing_page.change_exemptions import replace_exemptions
from billing.billing_page.change_subscription import ChangeRequest
from billing.billing_page.provision_account import provision_account
from billing.invoicing.exemptions.records import ExemptionStore
from billing.invoicing.exemptions.rules import Exemption
from billing.invoicing.exemptions.warn import warn_ending_exemption
from billing.invoicing.issue_invoices import issue_invoices
from billing.invoicing.tax import Certificate
from billing.invoicing.tax_rates.records import TaxRateStore
from billing.invoicing.tax_rates.replace import replace_tax_rates
from billing.invoicing.tax_rates.rules import TaxRate, TaxTreatment
from billing.kernel.errors import ConcurrentChange, RuleViolation, StaleVersion
from billing.kernel.events import Actor, ActorKind, RequestContext

from tests.aws import TABLE
from tests.faults.company import NEW_ACCOUNT, SETTINGS, body, catalogue, company, events, stored_invoices
from tests.faults.cuts import Faults
from tests.faults.world import World
from tests.store.samples import CONTEXT

ACCOUNT = NEW_ACCOUNT.account
EVE = datetime(2026, 7, 14, 12, tzinfo=UTC)
RENEWAL = datetime(2026, 7, 15, 12, tzinfo=UTC)
STARTED = datetime(2026, 1, 20, 12, tzinfo=UTC)
"""After the first paid period of the sample company has begun."""

STAFF = RequestContext(Actor(ActorKind.STAFF, "staff-1"), EVE, "request")
ABROAD = replace(SETTINGS, seller=replace(SETTINGS.seller, country="NO", vat_number=None))
FIRST, END = date(2026, 7, 15), date(2026, 10, 15)
CERTIFICATE = Certificate("R-1", "Ministry", date(2026, 7, 1))
EMBASSY = Exemption("VATEX-EU-151-1A", {"en": "Exempt: embassy"}, CERTIFICATE, FIRST, END)
OTHER = replace(EMBASSY, words={"en": "Exempt: mission"})
MOMS = TaxRate("NO", date(2018, 1, 1), TaxTreatment.TAXED, "MVA", Decimal(25))


def issued() -> World:
    """The sample company, with the invoices of the quarters before FIRST."""
    with company().calm() as world:
        issue_invoices(ACCOUNT, now=EVE, correlation="before", settings=SETTINGS, store=world.invoicing)
        return world


def exempt(*wanted: Exemption) -> Callable[[World], None]:
    def command(world: World) -> None:
        page = world.store.billing_page(ACCOUNT, consistent=True)
        request = ChangeRequest(0, is_preview=False, context=STAFF, seller=SETTINGS.seller, policy=None)
        replace_exemptions(page, wanted, request, pages=world.store)

    return command


def run(world: World) -> None:
    issue_invoices(ACCOUNT, now=RENEWAL, correlation="run", settings=SETTINGS, store=world.invoicing)


def rules(world: World) -> dict[str, str]:
    drafts = [each["issued"]["draft"] for each in stored_invoices(world)]
    return {each["since"]: each["tax"]["rule"] for each in drafts}


def consistent(world: World) -> None:
    """Each write of the exemptions has one event, and an invoice that came after it says so."""
    [*items] = world.stored("PAGE#TAX-EXEMPTIONS")
    changes = events(world, "tax_exemptions.changed")
    assert sum(int(each["version"]["N"]) for each in items) == len(changes)


def recorded_once(world: World) -> None:
    consistent(world)
    assert len(events(world, "tax_exemptions.changed")) == 1
    [item] = world.stored("PAGE#TAX-EXEMPTIONS")
    assert {"gsi1pk", "gsi2pk"} <= item.keys(), "due, and in the list of staff"


def test_an_exemption_is_recorded_once(faults: Faults) -> None:
    faults.every_cut(world=issued, command=exempt(EMBASSY), invariants=recorded_once, always=consistent)


def test_one_of_two_members_of_staff_wins(faults: Faults) -> None:
    faults.every_race(
        world=issued,
        first=exempt(EMBASSY),
        second=exempt(OTHER),
        invariants=recorded_once,
        may_lose=(StaleVersion, ConcurrentChange),
    )


def test_an_exemption_and_the_run_of_its_first_day(faults: Faults) -> None:
    """The invoice of the day is exempt exactly if the exemption was recorded: whichever comes second is refused."""

    def either(world: World) -> None:
        consistent(world)
        is_exempt = bool(events(world, "tax_exemptions.changed"))
        assert rules(world)[FIRST.isoformat()] == ("exempt" if is_exempt else "domestic")

    faults.every_race(
        world=issued, first=exempt(EMBASSY), second=run, invariants=either, may_lose=(ConcurrentChange, RuleViolation)
    )


def test_an_end_is_told_once(faults: Faults) -> None:
    def near() -> World:
        with issued().calm() as world:
            exempt(EMBASSY)(world)
            return world

    def warn(world: World) -> None:
        at, store = datetime(2026, 9, 20, tzinfo=UTC), ExemptionStore(TABLE, world.client)
        warn_ending_exemption(ACCOUNT, now=at, correlation="warn", store=store)

    def due(world: World) -> None:
        [item] = world.stored("PAGE#TAX-EXEMPTIONS")
        assert ("gsi1pk" in item) != bool(events(world, "tax_exemption.ending"))

    def told(world: World) -> None:
        due(world)
        assert len(events(world, "tax_exemption.ending")) == 1

    faults.every_cut(world=near, command=warn, invariants=told, always=due)


# ---- The rates of staff ----


def at_home() -> World:
    """The sample company in Norway, where the seller is too."""
    norwegian = replace(NEW_ACCOUNT.company, country="NO", postcode="0150", vat_number=None)
    with catalogue().calm() as world:
        provision_account(
            replace(NEW_ACCOUNT, company=norwegian),
            context=CONTEXT,
            directory=world.directory,
            pages=world.store,
            catalogues=world.store,
        )
        return world


def give(world: World, *entries: TaxRate, version: int = 0) -> None:
    context = RequestContext(STAFF.actor, EVE, "rates")
    store = TaxRateStore(TABLE, world.client)
    replace_tax_rates(entries or (MOMS,), version, seller=ABROAD.seller, context=context, store=store)


def run_at_home(world: World) -> None:
    issue_invoices(ACCOUNT, now=STARTED, correlation="run", settings=ABROAD, store=world.invoicing)


def never_zero(world: World) -> None:
    for each in stored_invoices(world):
        draft = each["issued"]["draft"]
        assert draft["tax"]["rule"] == "own_rate"
        assert draft["tax_amount"]["amount"] == (draft["net"]["amount"] * 25 + 50) // 100
    [item] = world.stored("DUE#renewal")
    assert ("gsi2pk" in item) == ("awaits_tax" in body(item))
    assert "gsi1pk" in item, "no longer planned"


def test_an_interrupted_wait_is_told_once_and_ends_with_the_rate(faults: Faults) -> None:
    def wait_then_issue(world: World) -> None:
        run_at_home(world)
        give(world)
        run_at_home(world)

    def told_once(world: World) -> None:
        never_zero(world)
        assert len(events(world, "tax_rate.missing")) == 1
        assert len(stored_invoices(world)) == 1
        assert not TaxRateStore(TABLE, world.client).awaiting_tax(limit=10, after=None).items

    faults.every_cut(world=at_home, command=wait_then_issue, invariants=told_once, always=never_zero)


def test_rates_are_given_once(faults: Faults) -> None:
    def given(world: World) -> None:
        shared = [item for item in world.table.items() if item["pk"]["S"] == "TAX-RATES"]
        assert sorted(item["sk"]["S"].partition("#")[0] for item in shared) == ["EVENT", "TABLE"]

    faults.every_cut(world=company, command=give, invariants=given)
    faults.every_race(
        world=company,
        first=give,
        second=lambda world: give(world, replace(MOMS, rate=Decimal(12))),
        invariants=given,
        may_lose=(StaleVersion, ConcurrentChange),
    )
