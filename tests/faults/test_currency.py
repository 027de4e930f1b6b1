"""A contract changes its currency once, with the run of its renewal: cut off anywhere, with others at once."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import cast

from billing.accounts.rules import existing
from billing.accounts.terms import TermEnded, TermState
from billing.billing_page.change_subscription import ChangeRequest, change_product, replace_discounts
from billing.billing_page.change_term import CurrencyOrder, agree_to_term, propose_term, take_term_back
from billing.ending.cancellation.commands import follow_term
from billing.invoicing.administer_one_offs import NewOneOff, add_one_off
from billing.invoicing.issue_credit_note import issue_credit_note
from billing.invoicing.issue_invoices import issue_invoices
from billing.invoicing.one_off_records import OneOffStore
from billing.invoicing.one_offs import OneOffKind
from billing.invoicing.record_transfer import record_payment
from billing.kernel.errors import ConcurrentChange, RuleViolation
from billing.kernel.events import Actor, ActorKind, RequestContext
from billing.kernel.money import Money
from billing.payments.gateway import PaymentGateway
from billing.subscriptions.rules import Order

from tests.aws import TABLE
from tests.faults.company import NEW_ACCOUNT, SETTINGS, company, events, stored_invoices
from tests.faults.cuts import Faults
from tests.faults.world import World
from tests.store.samples import CONTEXT

ACCOUNT = NEW_ACCOUNT.account
ASKED = datetime(2026, 6, 10, 12, tzinfo=UTC)
DAY = datetime(2026, 10, 15, 12, tzinfo=UTC)


def request(kind: ActorKind = ActorKind.STAFF, now: datetime = ASKED) -> ChangeRequest:
    context = RequestContext(Actor(kind, "someone"), now, "request")
    return ChangeRequest(0, is_preview=False, context=context, seller=SETTINGS.seller, policy=None)


def propose(world: World) -> None:
    page = world.store.billing_page(ACCOUNT, consistent=True)
    order = CurrencyOrder("DKK", 30)
    propose_term(page, None, "Moved", request(), pages=world.store, order=order, invoices=lambda: world.invoicing)


def consent(world: World) -> None:
    page = world.store.billing_page(ACCOUNT, consistent=True)
    assert page.term is not None
    asked = request(ActorKind.CUSTOMER)
    agree_to_term(page, page.term.id, asked, pages=world.store, invoices=lambda: world.invoicing)


def take_back(world: World) -> None:
    page = world.store.billing_page(ACCOUNT, consistent=True)
    take_term_back(page, request(now=DAY).context, pages=world.store)


def run(world: World) -> None:
    issue_invoices(ACCOUNT, now=DAY, correlation="run", settings=SETTINGS, store=world.invoicing)


def plain() -> World:
    """The sample company without its discount of a fixed amount, the quarters before invoiced and paid."""
    with company().calm() as world:
        page = world.store.billing_page(ACCOUNT, consistent=True)
        replace_discounts(page, (), replace(request(), replaces=1), pages=world.store)
        issue_invoices(ACCOUNT, now=ASKED, correlation="run", settings=SETTINGS, store=world.invoicing)
        return world


def proposed() -> World:
    with plain().calm() as world:
        propose(world)
        return world


def agreed() -> World:
    """Kroner are agreed from DAY on, and everything until then is invoiced and paid."""
    with proposed().calm() as world:
        consent(world)
        eve = datetime(2026, 7, 15, 12, tzinfo=UTC)
        issue_invoices(ACCOUNT, now=eve, correlation="run", settings=SETTINGS, store=world.invoicing)
        pay_all(world, eve.date())
        return world


def pay_all(world: World, day: date) -> None:
    store, context = world.invoicing, replace(CONTEXT, time=DAY)
    gateway = cast(PaymentGateway, None)  # nothing is charged that could be cancelled
    for record in world.invoicing.unpaid(ACCOUNT, consistent=True):
        billing = existing(world.invoicing.billing_context(ACCOUNT))
        number = record.invoice.number
        record_payment(billing, number, day, number, context=context, store=store, gateway=gateway)


def charge(world: World) -> None:
    """A one-off charge in euros, on the day itself."""
    billing = existing(world.invoicing.billing_context(ACCOUNT))
    new = NewOneOff("training", OneOffKind.CHARGE, "Training", (), Money(500, "EUR"), 1, False, "Asked for")
    store = OneOffStore(TABLE, world.client)
    add_one_off(billing, new, is_preview=False, context=replace(CONTEXT, time=ASKED), settings=SETTINGS, store=store)


def consistent(world: World) -> None:
    """Each invoice has the currency of its month, the account's money that of its contract, and the prices too."""
    page = world.store.billing_page(ACCOUNT, consistent=True)
    contract, change = page.account.contract, page.term
    for invoice in stored_invoices(world):
        draft = invoice["issued"]["draft"]
        month = contract.month_of(date.fromisoformat(draft["since"]))
        assert draft["total"]["currency"] == contract.currency_of(month)
    lines = page.subscription.lines_on(DAY.date())
    assert {line.price.currency for line in lines} == {contract.currency}
    assert len(events(world, "contract_currency.changed")) == len(contract.terms) <= 1
    assert {one_off.price.currency for one_off in page.one_offs.open} <= {contract.currency}
    assert not contract.terms or (change is not None and change.state is TermState.AGREED)


def changed(world: World) -> None:
    consistent(world)
    assert world.store.account(ACCOUNT).contract.currency == "DKK"
    assert len(stored_invoices(world)) == 4


def either(world: World) -> None:
    """It has changed, or it has lapsed and that is told once."""
    consistent(world)
    assert len(events(world, "contract_currency.changed")) + len(events(world, "contract_term.ended")) == 1


def test_it_is_proposed_and_agreed_once(faults: Faults) -> None:
    def once(world: World) -> None:
        assert [len(events(world, f"contract_term.{each}")) for each in ("proposed", "agreed")] == [1, 0]

    def agreed_once(world: World) -> None:
        consistent(world)
        assert len(events(world, "contract_term.agreed")) == 1

    faults.every_cut(world=plain, command=propose, invariants=once, always=consistent)
    faults.every_cut(world=proposed, command=consent, invariants=agreed_once, always=consistent)


def test_the_run_of_its_renewal_changes_it_once(faults: Faults) -> None:
    faults.every_cut(world=agreed, command=run, invariants=changed, always=consistent)


def test_it_lapses_once(faults: Faults) -> None:
    def left() -> World:
        with agreed().calm() as world:
            charge(world)
            return world

    faults.every_cut(world=left, command=run, invariants=either, always=consistent)


def test_a_one_off_comes_while_it_changes(faults: Faults) -> None:
    def kept(world: World) -> None:
        with suppress(RuleViolation):  # kroner by then
            charge(world)

    faults.every_race(world=agreed, first=kept, second=run, invariants=either, may_lose=(ConcurrentChange,))


def test_a_credit_note_is_issued_while_it_changes(faults: Faults) -> None:
    """Its credit stays in euros, whichever comes first."""

    def credit(world: World) -> None:
        billing = existing(world.invoicing.billing_context(ACCOUNT))
        number = world.invoicing.summaries(ACCOUNT)[0].invoice.number
        store, context, gateway = world.invoicing, replace(CONTEXT, time=DAY), cast(PaymentGateway, None)
        issue_credit_note(
            billing, number, None, "Mistake", context=context, settings=SETTINGS, store=store, gateway=gateway
        )

    def kept_apart(world: World) -> None:
        either(world)
        held: Counter[str] = Counter()
        for record in world.invoicing.summaries(ACCOUNT):
            held[record.left.currency] += record.payment.credit
        assert existing(world.invoicing.billing_context(ACCOUNT)).credits == {
            currency: amount for currency, amount in held.items() if amount
        }

    faults.every_race(world=agreed, first=credit, second=run, invariants=kept_apart, may_lose=(ConcurrentChange,))


def test_it_is_taken_back_while_it_changes(faults: Faults) -> None:
    def kept(world: World) -> None:
        with suppress(TermEnded):
            take_back(world)

    faults.every_race(world=agreed, first=kept, second=run, invariants=either, may_lose=(ConcurrentChange,))


def test_a_product_is_moved_while_it_changes(faults: Faults) -> None:
    def larger(world: World) -> None:
        page = world.store.billing_page(ACCOUNT, consistent=True)
        asked = replace(request(now=DAY), replaces=frozenset({page.subscription.version}))
        change_product(page, Order("search", 25_000), None, "Asked for", asked, pages=world.store)

    faults.every_race(world=agreed, first=larger, second=run, invariants=either, may_lose=(ConcurrentChange,))


def test_the_notice_follows_once(faults: Faults) -> None:
    def ran() -> World:
        with agreed().calm() as world:
            run(world)
            return world

    def followed(world: World) -> None:
        page = world.store.billing_page(ACCOUNT, consistent=True)
        assert page.term is not None
        assert page.term.follow_at is None

    def follow(world: World) -> None:
        follow_term(ACCOUNT, now=DAY, store=world.cancellations)

    faults.every_cut(world=ran, command=follow, invariants=followed, always=consistent)


def test_consent_comes_while_its_renewal_is_invoiced(faults: Faults) -> None:
    """At midnight: the consent counts and the renewal is in kroner, or it does not and the renewal is in euros."""

    def proposed_and_paid() -> World:
        with proposed().calm() as world:
            eve = datetime(2026, 7, 15, 12, tzinfo=UTC)
            issue_invoices(ACCOUNT, now=eve, correlation="run", settings=SETTINGS, store=world.invoicing)
            pay_all(world, eve.date())
            return world

    def kept(world: World) -> None:
        with suppress(TermEnded):
            consent(world)

    def one_of_both(world: World) -> None:
        consistent(world)
        assert len(events(world, "contract_currency.changed")) == len(events(world, "contract_term.agreed"))
        assert len(stored_invoices(world)) == 4

    faults.every_race(
        world=proposed_and_paid, first=kept, second=run, invariants=one_of_both, may_lose=(ConcurrentChange,)
    )
