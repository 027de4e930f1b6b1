"""An interrupted check of a VAT number ends with one answer, one event and one next question, whatever VIES does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from billing.accounts.rules import existing
from billing.billing_page.provision_account import provision_account
from billing.invoicing.issue_invoices import issue_invoices
from billing.invoicing.settings import UnconfirmedVatNumber
from billing.invoicing.vat_numbers.check import CheckOutcome, check_vat_number
from billing.invoicing.vat_numbers.decide import decide_vat_number
from billing.invoicing.vat_numbers.records import VatNumberStore
from billing.invoicing.vat_numbers.register import NoAnswer, VatRegister
from billing.invoicing.vat_numbers.rules import OUTAGE_TOLD_AFTER, Treatment, VatNumberCheck, relevant
from billing.kernel.errors import StaleVersion, UpstreamFailed
from billing.kernel.events import Actor, ActorKind, RequestContext

from local.vies.service import Vies
from tests.aws import TABLE
from tests.faults.company import NEW_ACCOUNT, SETTINGS, body, catalogue, events
from tests.faults.cuts import Faults
from tests.faults.edges import edge
from tests.faults.world import World
from tests.store.samples import CONTEXT
from tests.vies import gateway, stand_in

ACCOUNT = NEW_ACCOUNT.account
NOON = datetime(2026, 7, 15, 12, tzinfo=UTC)
VALID, INVALID, UNAVAILABLE = "DE136695976", "DE136108200", "DE136100301"
HOLD = UnconfirmedVatNumber.HOLD
HOLDING = replace(SETTINGS, unconfirmed=HOLD)
STAFF = RequestContext(Actor(ActorKind.STAFF, "staff-1"), NOON, "decision")


class Checking(World):
    """A world with VIES. An answer that is lost at the seam is no answer."""

    def __init__(self) -> None:
        super().__init__()
        self.vies: Vies = stand_in()
        self.runs = 0
        self.now = NOON

    @property
    def numbers(self) -> VatNumberStore:
        return VatNumberStore(TABLE, self.client)

    @property
    def register(self) -> VatRegister:
        register: VatRegister = gateway(self.vies)
        return edge("vies", register, failure=lambda: NoAnswer("TIMEOUT"))

    @property
    def correlation(self) -> str:
        self.runs += 1
        return f"run {self.runs}"


def company(vat_number: str) -> Callable[[], Checking]:
    """Makes a world with the sample company in Germany, whose number is due."""

    def make() -> Checking:
        before = catalogue()
        world = Checking()
        world.table = before.table
        german = replace(NEW_ACCOUNT.company, country="DE", postcode="10115", city="Berlin", vat_number=vat_number)
        with world.calm():
            provision_account(
                replace(NEW_ACCOUNT, company=german),
                context=CONTEXT,
                directory=world.directory,
                pages=world.store,
                catalogues=world.store,
                checks_vat_numbers=True,
            )
        return world

    return make


def check(world: Checking, now: datetime = NOON) -> CheckOutcome:
    return check_vat_number(
        ACCOUNT,
        now=now,
        correlation=world.correlation,
        seller=SETTINGS.seller,
        policy=HOLD,
        store=world.numbers,
        register=lambda: world.register,
    )


def check_until_answered(world: Checking) -> None:
    """The planner's runs of a day: a question that was lost is asked again. A repetition goes on with the next day."""
    for _ in range(24 * 4):
        if world.stored("PAGE#VAT-CHECK"):
            return
        world.now += timedelta(minutes=15)
        check(world, world.now)
    raise UpstreamFailed("VIES has not answered for a day.")


def answered(world: Checking) -> VatNumberCheck:
    state = existing(world.numbers.state(ACCOUNT))
    known = relevant(state.check, state.company)
    assert known is not None
    return known


def one_answer(event_type: str, again_after: timedelta = timedelta(days=20)) -> Callable[[Checking], None]:
    def invariants(world: Checking) -> None:
        known = answered(world)
        state = existing(world.numbers.state(ACCOUNT))
        assert known.requester == "DK10000009"
        assert state.due is not None
        assert state.due.at > NOON + again_after, "no next question"
        assert len(events(world, "vat_number.")) == len(events(world, event_type)) == 1
        assert world.stored("OUTAGE#") == [], "an outage that is over"

    return invariants


def due_or_answered(world: Checking) -> None:
    """The number is never forgotten."""
    assert len(world.stored("DUE#vat-number")) == 1


def test_an_interrupted_check_ends_with_one_confirmation(faults: Faults) -> None:
    faults.every_cut(
        world=company(VALID),
        command=check_until_answered,
        invariants=one_answer("vat_number.confirmed"),
        always=due_or_answered,
    )


def test_an_interrupted_check_tells_once_of_an_unconfirmed_number(faults: Faults) -> None:
    faults.every_cut(
        world=company(INVALID),
        command=check_until_answered,
        invariants=one_answer("vat_number.not_confirmed", timedelta(hours=6)),
        always=due_or_answered,
    )


def test_an_outage_is_told_once_and_changes_nothing_else(faults: Faults) -> None:
    def two_days(world: Checking) -> None:
        for hours in range(0, 48, 6):
            assert check(world, NOON + timedelta(hours=hours)) is not CheckOutcome.ANSWERED

    def told_once(world: Checking) -> None:
        state = existing(world.numbers.state(ACCOUNT))
        assert state.check is None
        [event] = events(world, "vat_number.")
        assert event["type"] == "vat_number.unanswered"
        told = datetime.fromisoformat(event["time"])
        assert told - datetime.fromisoformat(event["after"]["since"]) >= OUTAGE_TOLD_AFTER
        [outage] = map(body, world.stored("OUTAGE#"))
        assert outage["told"]

    faults.every_cut(world=company(UNAVAILABLE), command=two_days, invariants=told_once, always=due_or_answered)


def test_an_interrupted_decision_is_recorded_once_and_frees_the_invoices(faults: Faults) -> None:
    def refused() -> Checking:
        with company(INVALID)().calm() as world:
            check(world)
            issue(world)
            assert world.stored("INVOICE#") == [], "issued without a confirmation"
            return world

    def decide(world: Checking) -> None:
        decide_vat_number(
            existing(world.numbers.state(ACCOUNT)),
            Treatment.REVERSE_CHARGE,
            "Confirmed in writing",
            1,
            context=STAFF,
            store=world.numbers,
        )

    def decide_and_issue(world: Checking) -> None:
        decide(world)
        issue(world)

    def freed(world: Checking) -> None:
        assert len(events(world, "vat_number.decided")) == 1
        invoices = [body(item)["number"] for item in world.stored("INVOICE#")]
        evidence = [item["sk"]["S"].removeprefix("VAT-CHECK#") for item in world.stored("VAT-CHECK#")]
        assert invoices == evidence != []
        assert not any("gsi1pk" in item for item in world.stored("PAGE#VAT-CHECK")), "still in the list of staff"

    faults.every_cut(world=refused, command=decide_and_issue, invariants=freed)


def test_a_decision_about_an_answer_that_has_changed_is_refused(faults: Faults) -> None:
    with company(INVALID)().calm() as world:
        check(world)
        state = existing(world.numbers.state(ACCOUNT))
        try:
            decide_vat_number(state, Treatment.CHARGE_TAX, "No", 0, context=STAFF, store=world.numbers)
        except StaleVersion:
            pass
        else:
            raise AssertionError("a decision about another version")


def issue(world: Checking) -> None:
    issue_invoices(ACCOUNT, now=NOON, correlation=world.correlation, settings=HOLDING, store=world.invoicing)


def test_an_account_from_before_the_setting_is_asked_about_with_its_next_invoice(faults: Faults) -> None:
    def older() -> Checking:
        with company(VALID)().calm() as world:
            state = existing(world.numbers.state(ACCOUNT))
            world.numbers.stop(state)
            return world

    def issue_check_issue(world: Checking) -> None:
        issue(world)
        check_until_answered(world)
        issue(world)

    def invoiced(world: Checking) -> None:
        one_answer("vat_number.confirmed")(world)
        assert len(world.stored("INVOICE#")) == len(world.stored("VAT-CHECK#")) > 0

    faults.every_cut(world=older, command=issue_check_issue, invariants=invoiced)
