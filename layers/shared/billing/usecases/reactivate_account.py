"""A deactivated account is taken up again: asked for by an admin, charged by a worker, and active when that went well.

What is asked for is kept whole, prices and all, before anything is charged. So whatever is cut off and repeated, what
is charged is what the admin has agreed to, once; and only then there is an invoice, a contract and an active account.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta

from billing.domain.account import Account
from billing.domain.cancellation import DueCharge
from billing.domain.charge_limits import Obstacle, obstacle
from billing.domain.collection import Payment, after_charge, first_payment
from billing.domain.contract import Contract
from billing.domain.errors import AccountNotFound, ConcurrentChange, Conflict, RuleViolation, Violation
from billing.domain.events import Actor, ActorKind, Event, EventType, Facts, Occasion, by_system
from billing.domain.invoices import Draft, drafted
from billing.domain.invoices import Occasion as Billing
from billing.domain.invoicing_due import BillingDue
from billing.domain.money import Money
from billing.domain.payment import Charge, ChargeState, Failure, Method
from billing.domain.pricing import period_lines
from billing.domain.reactivation import (
    NoPaymentMethod,
    OfferChanged,
    Reactivation,
    ReactivationState,
    renewed,
    require_deactivated,
    signed_anew,
)
from billing.domain.subscription import Subscription
from billing.domain.tax import tax_between
from billing.domain.terms import Terms
from billing.gateways.payments import AmountRefused, CustomerDeleted, PaymentGateway
from billing.store.catalogue_store import CatalogueStore
from billing.store.invoice_store import BillingContext, InvoiceRecord
from billing.store.reactivation_store import ReactivationStore
from billing.usecases.collect_payments import HOUR
from billing.usecases.events import new_event, new_id
from billing.usecases.issue_invoices import invoice_of, issued_facts, numbered


@dataclass(frozen=True, slots=True)
class Offer:
    """What taking an account up again comes to today: the new contract, what is subscribed to, the first invoice."""

    contract: Contract
    subscription: Subscription
    draft: Draft


def offered(billed: BillingContext, today: date, terms: Terms, store: CatalogueStore) -> Offer:
    """What it comes to today. Raises NotDeactivated, NothingSold. One query."""
    account = billed.subscriber.account
    require_deactivated(account, today)
    catalogue = store.newest_catalogue()
    if catalogue is None:
        raise Conflict("There is no catalogue.")
    contract = renewed(account.contract, today)
    subscription = signed_anew(billed.subscriber.subscription, catalogue, contract.currency, today)
    tax = tax_between(terms.seller, billed.company, today)
    lines, until = period_lines(subscription, contract, 0), contract.month_start(contract.interval_months)
    draft = drafted(Billing.PERIOD, today, until, lines, tax, billed.credit, contract.currency)
    return Offer(contract, subscription, draft)


def request_reactivation(
    account: str,
    agreed: Money,
    *,
    occasion: Occasion,
    terms: Terms,
    store: ReactivationStore,
    catalogues: CatalogueStore,
) -> Reactivation:
    """The reactivation that is on its way. Asked for again, it is the same one.

    `agreed` is what the admin was shown to be due. Raises NotDeactivated, NothingSold, NoPaymentMethod, OfferChanged,
    RuleViolation for another currency, ConcurrentChange.
    """
    billed = billed_account(account, store)
    standing = store.reactivation(account)
    if standing is not None and standing.reactivation == billed.subscriber.account.reactivation:
        return standing
    today = billed.subscriber.account.contract.today(occasion.time)
    offer = offered(billed, today, terms, catalogues)
    due = offer.draft.due
    if agreed.currency != due.currency:
        raise RuleViolation(Violation(("due", "currency"), f"The contract's currency is {due.currency}."))
    if agreed != due:
        raise OfferChanged
    if due.amount and not _can_be_charged(billed) and not _by_transfer(billed):
        raise NoPaymentMethod
    reactivation = Reactivation(
        reactivation=new_id(occasion.time),
        requested_at=occasion.time,
        requested_by=str(occasion.actor.user),
        state=ReactivationState.PENDING,
        contract=offer.contract,
        subscription=offer.subscription,
        invoice=invoice_of(billed, offer.draft, today, terms),
        payment=None,
        failure=None,
        version=0 if standing is None else standing.version,
    )
    event = new_event(
        EventType.ACCOUNT_REACTIVATION_REQUESTED, occasion, account=account, before=None, after=_facts(reactivation)
    )
    try:
        store.request(billed, reactivation, event)
    except ConcurrentChange:
        # Two browsers at the same moment: whoever comes second gets the first one's.
        winner, now = store.reactivation(account), billed_account(account, store)
        if winner is None or winner.reactivation != now.subscriber.account.reactivation:
            raise
        return winner
    return replace(reactivation, version=reactivation.version + 1)


def complete_reactivation(
    account: str, *, now: datetime, correlation: str, terms: Terms, store: ReactivationStore, gateway: PaymentGateway
) -> ReactivationState | None:
    """Charges what was agreed to, and takes the account up again; where it stands then.

    None where nothing is on its way any more. Raises ConcurrentChange, SeriesExhausted, UpstreamFailed.
    """
    billed = store.billing_context(account)
    if billed is None or billed.subscriber.account.reactivation is None:
        return None
    reactivation = store.reactivation(account)
    if reactivation is None or reactivation.reactivation != billed.subscriber.account.reactivation:
        raise ConcurrentChange  # torn: one of the two was read before, the other after a change
    system = by_system(now, correlation)
    customer = Occasion(Actor(ActorKind.CUSTOMER, reactivation.requested_by), now, correlation)
    payment = first_payment(reactivation.invoice)
    too_small = obstacle(reactivation.invoice.draft.due, _method(billed)) is Obstacle.TOO_SMALL
    if payment.next_attempt_on is not None and not _by_transfer(billed) and not too_small:
        reactivation, charge = _charged(billed, reactivation, system, store, gateway)
        if charge.state not in {ChargeState.SUCCEEDED, ChargeState.IN_TRANSIT}:
            failure = charge.failure or Failure.FAILED
            failed = replace(reactivation, state=ReactivationState.FAILED, failure=failure)
            store.fail(billed.subscriber.account, failed, _failed(billed.subscriber.account, failed, system))
            return ReactivationState.FAILED
        today = reactivation.contract.today(now)
        payment = after_charge(payment, charge, _method(billed), today, terms.retry_days)
        payment = replace(payment, tried_with=billed.profile.charged)
    write = _completing(billed, reactivation, payment, terms, system, customer, store)
    numbered(terms.series, reactivation.invoice.produced_on.year, write, store)
    return None


def billed_account(account: str, store: ReactivationStore) -> BillingContext:
    """An account with what its invoices are made of. Raises AccountNotFound."""
    billed = store.billing_context(account)
    if billed is None:
        raise AccountNotFound
    return billed


def _charged(
    billed: BillingContext,
    reactivation: Reactivation,
    occasion: Occasion,
    store: ReactivationStore,
    gateway: PaymentGateway,
) -> tuple[Reactivation, Charge]:
    """The reactivation with its one payment, and what became of that. One that has failed can never succeed later."""
    profile, invoice = billed.profile, reactivation.invoice
    payment = reactivation.payment
    if not _can_be_charged(billed) and payment is None:
        return reactivation, Charge("", ChargeState.FAILED, Failure.NO_PAYMENT_METHOD, hard=True)
    if payment is None and obstacle(invoice.draft.due, _method(billed)) is not None:
        return reactivation, Charge("", ChargeState.FAILED, Failure.FAILED, hard=True)
    if payment is None:
        key = f"reactivate/{invoice.account}/{reactivation.reactivation}/{_method(billed)}/{occasion.time:{HOUR}}"
        name = f"reactivation {reactivation.reactivation}"
        try:
            payment = gateway.new_payment(
                str(profile.customer), invoice.account, name, invoice.draft.due, _method(billed), key
            )
        except CustomerDeleted:
            return reactivation, Charge("", ChargeState.FAILED, Failure.NO_PAYMENT_METHOD, hard=True)
        except AmountRefused:
            return reactivation, Charge("", ChargeState.FAILED, Failure.FAILED, hard=True)
        reactivation = store.keep(replace(reactivation, payment=payment))
    standing = gateway.payment(payment)
    if standing is not None and standing.state in {ChargeState.SUCCEEDED, ChargeState.IN_TRANSIT}:
        return reactivation, standing
    if profile.payment_method is None:
        charge = Charge(payment, ChargeState.FAILED, Failure.NO_PAYMENT_METHOD, hard=True)
    else:
        key = f"charge/{payment}/{occasion.correlation}"
        charge = gateway.charge(payment, profile.payment_method, _method(billed), key)
    if charge.state in {ChargeState.SUCCEEDED, ChargeState.IN_TRANSIT}:
        return reactivation, charge
    if not gateway.cancel(payment, f"cancel/{payment}/{occasion.correlation}"):
        made = gateway.payment(payment)
        return reactivation, charge if made is None else made
    return reactivation, charge


def _completing(
    billed: BillingContext,
    reactivation: Reactivation,
    payment: Payment,
    terms: Terms,
    system: Occasion,
    customer: Occasion,
    store: ReactivationStore,
) -> Callable[[str, int], None]:
    account = billed.subscriber.account
    first_charge = DueCharge(reactivation.contract.start, reactivation.invoice.draft.net)
    facts = {
        "contract": asdict(reactivation.contract),
        "lines": [asdict(line) for line in reactivation.subscription.lines],
        "first_charge": asdict(first_charge),
    }

    def complete(number: str, count: int) -> None:
        invoice = replace(reactivation.invoice, number=number)
        told: list[tuple[EventType, Occasion, Facts | None, Facts]] = [
            (EventType.ACCOUNT_REACTIVATED, customer, _deadlines(account), facts),
            (EventType.INVOICE_ISSUED, system, None, issued_facts(invoice)),
        ]
        if payment.paid_on is not None and payment.method is not None:
            paid = {
                "number": number,
                "paid_on": payment.paid_on,
                "total": asdict(invoice.draft.total),
                "method": payment.method,
            }
            told.append((EventType.INVOICE_PAID, system, None, paid))
        events = [
            new_event(type_, occasion, account=account.account, before=before, after=after)
            for type_, occasion, before, after in told
        ]
        credit = billed.credit - invoice.draft.credit.amount
        if credit < 0:
            raise ConcurrentChange
        kept = InvoiceRecord(invoice, payment, 0)
        store.complete(billed, reactivation, kept, terms.series, count, BillingDue(1), credit, events)

    return complete


def _failed(account: Account, reactivation: Reactivation, occasion: Occasion) -> Event:
    deadlines = _deadlines(account)
    facts = {
        **_facts(reactivation),
        "reason": reactivation.failure,
        "reactivate_until": deadlines["reactivate_until"],
        "purge_on": deadlines["purge_on"],
    }
    return new_event(EventType.ACCOUNT_REACTIVATION_FAILED, occasion, account=account.account, before=None, after=facts)


def _facts(reactivation: Reactivation) -> dict[str, object]:
    return {"reactivation": reactivation.reactivation, "due": asdict(reactivation.invoice.draft.due)}


def _deadlines(account: Account) -> dict[str, object]:
    if account.ending is None:
        raise ConcurrentChange
    return {
        "deactivated_on": account.ending.active_until,
        "reactivate_until": account.ending.purge_on - timedelta(days=1),
        "purge_on": account.ending.purge_on,
    }


def _method(billed: BillingContext) -> Method:
    return Method.CARD if billed.profile.shown is None else billed.profile.shown.method


def _can_be_charged(billed: BillingContext) -> bool:
    return billed.profile.payment_method is not None and billed.profile.customer is not None


def _by_transfer(billed: BillingContext) -> bool:
    """Whether staff let the account transfer the money itself: then the first invoice is open, as all of its are."""
    shown = billed.profile.shown
    return shown is not None and shown.method is Method.BANK_TRANSFER
