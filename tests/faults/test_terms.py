"""A term is changed once, and never for a month that is invoiced: cut off anywhere, with others at once."""

from __future__ import annotations

from contextlib import suppress
from datetime import date

from billing.accounts.lapse_term import lapse_term
from billing.accounts.terms import TermEnded, TermState
from billing.billing_page.change_subscription import ChangeRequest
from billing.billing_page.change_term import agree_to_term, propose_term, take_term_back
from billing.invoicing.issue_invoices import issue_invoices
from billing.kernel.errors import StaleVersion
from billing.kernel.events import Actor, ActorKind, RequestContext

from tests.faults.company import NEW_ACCOUNT, SETTINGS, Command, company, events, stored_invoices
from tests.faults.cuts import Faults
from tests.faults.test_subscription_changes import EVE, RENEWAL
from tests.faults.world import World

ACCOUNT = NEW_ACCOUNT.account


def request(kind: ActorKind = ActorKind.STAFF) -> ChangeRequest:
    context = RequestContext(Actor(kind, "someone"), EVE, "request")
    return ChangeRequest(0, is_preview=False, context=context, seller=SETTINGS.seller, policy=None)


def proposed(interval: int) -> Command:
    def command(world: World) -> None:
        page = world.store.billing_page(ACCOUNT, consistent=True)
        propose_term(page, interval, "As agreed", request(), pages=world.store)

    return command


def with_proposal() -> World:
    with company().calm() as world:
        proposed(12)(world)
        return world


def consent(world: World) -> None:
    page = world.store.billing_page(ACCOUNT, consistent=True)
    assert page.term is not None
    agree_to_term(page, page.term.id, request(ActorKind.CUSTOMER), pages=world.store)


def take_back(world: World) -> None:
    take_term_back(world.store.billing_page(ACCOUNT, consistent=True), request().context, pages=world.store)


def lapse(world: World) -> None:
    lapse_term(ACCOUNT, now=RENEWAL, correlation="end", is_replay=False, store=world.terms)


def run(world: World) -> None:
    """The run of the renewal, which also issues the invoices of the quarters before."""
    issue_invoices(ACCOUNT, now=RENEWAL, correlation="run", settings=SETTINGS, store=world.invoicing)


def consistent(world: World) -> None:
    """The contract has the term that is agreed, no other, and each invoice has the months of its term."""
    page = world.store.billing_page(ACCOUNT, consistent=True)
    contract, change = page.account.contract, page.term
    agreed = change is not None and change.state is TermState.AGREED
    assert [each.from_month for each in contract.terms] == ([change.from_month] if agreed and change else [])
    assert len(events(world, "contract_term.agreed")) - len(contract.terms) in {
        0,
        len(events(world, "contract_term.ended")),
    }
    for invoice in stored_invoices(world):
        draft = invoice["issued"]["draft"]
        month = contract.month_of(date.fromisoformat(draft["since"]))
        assert draft["until"] == contract.month_start(contract.paid_period(month)[1]).isoformat()


def agreed_once(world: World) -> None:
    consistent(world)
    assert len(events(world, "contract_term.agreed")) == 1


def test_a_shorter_term_is_agreed_once(faults: Faults) -> None:
    faults.every_cut(world=company, command=proposed(1), invariants=agreed_once, always=consistent)


def test_consent_is_given_once(faults: Faults) -> None:
    faults.every_cut(world=with_proposal, command=consent, invariants=agreed_once, always=consistent)


def test_a_change_is_taken_back_once(faults: Faults) -> None:
    def ended_once(world: World) -> None:
        consistent(world)
        assert len(events(world, "contract_term.ended")) == 1

    faults.every_cut(world=with_proposal, command=take_back, invariants=ended_once, always=consistent)
    faults.every_cut(world=with_proposal, command=lapse, invariants=ended_once, always=consistent)


def test_one_of_two_members_of_staff_wins(faults: Faults) -> None:
    def one(world: World) -> None:
        consistent(world)
        assert len([*events(world, "contract_term.agreed"), *events(world, "contract_term.proposed")]) == 1

    faults.every_race(world=company, first=proposed(1), second=proposed(6), invariants=one, may_lose=(StaleVersion,))


def test_consent_while_staff_take_it_back(faults: Faults) -> None:
    """Both may happen, one after the other; the contract is as the last one says."""

    def kept(world: World) -> None:
        with suppress(TermEnded):
            consent(world)

    faults.every_race(world=with_proposal, first=kept, second=take_back, invariants=consistent)


def test_a_term_is_changed_while_the_renewal_is_invoiced(faults: Faults) -> None:
    """On the eve the run is early: the change waits for the next renewal, or the run sees it."""
    faults.every_race(world=company, first=proposed(1), second=run, invariants=consistent)
