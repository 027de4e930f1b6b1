"""Reactivates a deactivated account: an admin requests it, a worker charges for it, then the account is active again.

The request is saved with its contract, prices and invoice before the charge. So an interrupted and repeated run charges
once, and exactly what the admin agreed to. The invoice, the contract and the active account follow the charge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime

from billing.accounts.mapping import contract_body
from billing.accounts.rules import Account, existing
from billing.ending.cancellation.rules import DueCharge, reactivate_until
from billing.ending.reactivation.records import ReactivationStore
from billing.ending.reactivation.rules import (
    NoPaymentMethod,
    QuoteChanged,
    Reactivation,
    ReactivationState,
    new_contract,
    require_deactivated,
    resubscribe,
)
from billing.invoicing.due import InvoicingDue
from billing.invoicing.dunning import InvoicePayment, after_charge, due_on, initial_payment
from billing.invoicing.exchange_rates.rules import AwaitedRate
from billing.invoicing.invoices import BillingReason, InvoiceDraft, build_draft
from billing.invoicing.issue_invoices import (
    build_invoice,
    credit_left,
    ends_with_one_offs,
    free_facts,
    invoice_facts,
    issue_invoices,
    with_next_number,
)
from billing.invoicing.numbering import NextNumber
from billing.invoicing.periods import FixedMonth, fix_month
from billing.invoicing.rate_hold import wait_for_rate, wait_for_tax_rate
from billing.invoicing.records import BillingContext, WholeInvoice
from billing.invoicing.seller_currency import ExchangeRateUnknown, in_sellers_currency
from billing.invoicing.settings import InvoicingSettings
from billing.invoicing.tax import TaxRule
from billing.invoicing.tax_rates.rules import TaxRateUnknown
from billing.invoicing.vat_number_hold import waits_for_vat_number
from billing.invoicing.vat_numbers.rules import VatNumberUnconfirmed, tax_on_sale
from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import ConcurrentChange, Conflict, RuleViolation, Violation
from billing.kernel.events import Actor, ActorKind, Event, EventType, Facts, RequestContext, by_system
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money
from billing.payments.charge_limits import ChargeObstacle, charge_obstacle
from billing.payments.gateway import KEYS_RELIED_ON, AmountRefused, CustomerDeleted, KeySpent, PaymentGateway
from billing.payments.methods import Charge, ChargeState, Method, PaymentFailure
from billing.platform.events.new_event import new_event, new_id
from billing.subscriptions.catalogue_records import CatalogueStore
from billing.subscriptions.pricing import period_lines
from billing.subscriptions.rules import Subscription

_MADE = frozenset({ChargeState.SUCCEEDED, ChargeState.IN_TRANSIT})


@dataclass(frozen=True, slots=True)
class ReactivationQuote:
    """The price of a reactivation today: the new contract, its subscription, and the draft of its first invoice."""

    contract: Contract
    subscription: Subscription
    draft: InvoiceDraft


def reactivation_quote(
    billing: BillingContext, today: date, settings: InvoicingSettings, store: CatalogueStore
) -> ReactivationQuote:
    """The quote for a reactivation today, with the credit that is left after what the account still owes. One query.

    Raises NotDeactivated, NothingSold, and Conflict without a catalogue.
    """
    account = billing.subscriber.account
    require_deactivated(account, today)
    catalogue = store.newest_catalogue()
    if catalogue is None:
        raise Conflict("There is no catalogue.")
    ended = today if account.ending is None else account.ending.active_until
    contract = new_contract(account.contract, ended, today)
    resubscribed = resubscribe(billing.subscriber.subscription, catalogue, contract.currency, today)
    subscription = resubscribed.in_language(billing.billing.language)
    seller, policy = billing.taxed_from(settings.seller), settings.unconfirmed
    tax = tax_on_sale(seller, billing.company, today, billing.vat_check, policy, billing.exemptions)
    lines, until = period_lines(subscription, contract, 0), contract.month_start(contract.paid_period(0)[1])
    credit = credit_left(billing, today, settings)
    draft = build_draft(BillingReason.PERIOD, today, until, lines, tax, credit, contract.currency, today)
    return ReactivationQuote(contract, subscription, draft)


def request_reactivation(
    billing: BillingContext,
    agreed: Money,
    *,
    context: RequestContext,
    settings: InvoicingSettings,
    store: ReactivationStore,
    catalogues: CatalogueStore,
) -> Reactivation:
    """Requests a reactivation. Returns the pending one; a repeated request returns the same one.

    `agreed` is the due amount that the admin was shown. One read, one query and one transaction; one get more for
    tax that is also in the seller's currency, and two reads more after a simultaneous request. Raises NotDeactivated,
    NothingSold, NoPaymentMethod, QuoteChanged, VatNumberUnconfirmed, TaxRateUnknown, ExchangeRateUnknown, RuleViolation
    for another currency, and ConcurrentChange if the account has changed since it was read.
    """
    account = billing.subscriber.account.id
    previous = store.reactivation(account)
    if previous is not None and previous.id == billing.subscriber.account.reactivation:
        return previous
    today = billing.subscriber.account.contract.today(context.time)
    quote = reactivation_quote(billing, today, settings, catalogues)
    due = quote.draft.due
    if agreed.currency != due.currency:
        raise RuleViolation(
            Violation(
                ("due", "currency"),
                f"The contract's currency is {due.currency}.",
                FieldCode.NOT_ALLOWED,
                {"allowed": [due.currency]},
            )
        )
    if agreed != due:
        raise QuoteChanged
    if due.amount and not _can_be_charged(billing, settings) and not _by_transfer(billing):
        raise NoPaymentMethod
    if quote.draft.tax.rule is TaxRule.RATE_MISSING:
        raise TaxRateUnknown(wait_for_tax_rate(billing, quote.draft, context, store, is_due=False))
    if waits_for_vat_number(billing, quote.draft, context.time, settings, store):
        raise VatNumberUnconfirmed
    draft = in_sellers_currency(quote.draft, quote.contract, settings, store)
    if isinstance(draft, AwaitedRate):
        wait_for_rate(billing, draft, context, settings, store, is_due=False)
        raise ExchangeRateUnknown(draft)
    reactivation = Reactivation(
        id=new_id(context.time),
        requested_at=context.time,
        requested_by=str(context.actor.user),
        state=ReactivationState.PENDING,
        contract=quote.contract,
        subscription=quote.subscription,
        invoice=build_invoice(billing, draft, today, settings),
        payment_intent_id=None,
        failure=None,
        version=0 if previous is None else previous.version,
    )
    event = new_event(
        EventType.ACCOUNT_REACTIVATION_REQUESTED, context, account=account, before=None, after=_facts(reactivation)
    )
    try:
        store.request(billing, reactivation, event)
    except ConcurrentChange:
        # Two simultaneous requests: the second gets the reactivation of the first.
        winner, now = store.reactivation(account), existing(store.billing_context(account))
        if winner is None or winner.id != now.subscriber.account.reactivation:
            raise
        return winner
    return replace(reactivation, version=reactivation.version + 1)


def complete_reactivation(
    account: str,
    *,
    now: datetime,
    correlation: str,
    settings: InvoicingSettings,
    store: ReactivationStore,
    gateway: PaymentGateway,
) -> ReactivationState | None:
    """Charges the agreed amount of a pending reactivation, and reactivates the account.

    What the old contract owes is issued first. Returns PENDING while that waits for staff; FAILED if the charge failed,
    or if the credit is spent; None if the account is active again, or if no reactivation was pending. Costs two reads,
    up to five requests to the payment service, and two transactions: one saves the payment's id, the other completes
    the reactivation. Raises ConcurrentChange, UpstreamFailed.
    """
    billing = store.billing_context(account)
    if billing is None or billing.subscriber.account.reactivation is None:
        return None
    if _has_month_due(billing, now):
        issue_invoices(account, now=now, correlation=correlation, settings=settings, store=store)
        billing = existing(store.billing_context(account))
        if _has_month_due(billing, now):
            return ReactivationState.PENDING
    reactivation = store.reactivation(account)
    if reactivation is None or reactivation.id != billing.subscriber.account.reactivation:
        raise ConcurrentChange  # the account and the reactivation were read around a change
    system = by_system(now, correlation)
    if reactivation.payment_intent_id is None and billing.credit < reactivation.invoice.draft.credit.amount:
        # Another invoice has taken the credit that the admin was shown. A new quote says what is due then.
        return _fail(billing, reactivation, PaymentFailure.FAILED, system, store)
    customer = RequestContext(Actor(ActorKind.CUSTOMER, reactivation.requested_by), now, correlation)
    today = reactivation.contract.today(now)
    term_days = billing.profile.payment_term(settings.term_days)
    due = due_on(reactivation.invoice.method, today, term_days, settings.sepa_notice_days)
    reactivation = replace(reactivation, invoice=replace(reactivation.invoice, produced_on=today, due_on=due))
    payment = initial_payment(reactivation.invoice, today, billing.credit)
    too_small = charge_obstacle(reactivation.invoice.draft.due, _method(billing)) is ChargeObstacle.TOO_SMALL
    is_debited_later = _method(billing) is Method.SEPA_DEBIT and settings.sepa_notice_days > 0
    is_paid_later = _by_transfer(billing) or is_debited_later
    is_charged = payment.next_attempt_on is not None and not is_paid_later and not too_small
    if is_charged or reactivation.payment_intent_id is not None:
        reactivation, charge = _charge(billing, reactivation, settings, system, store, gateway)
        if charge.state in _MADE:
            today = reactivation.contract.today(now)
            payment = after_charge(
                payment,
                charge,
                charge.method or _method(billing),
                today,
                settings.retry_days,
                due_on=reactivation.invoice.due_on,
                tried_with=billing.profile.charged,
            )
        elif is_charged:
            return _fail(billing, reactivation, charge.failure or PaymentFailure.FAILED, system, store)
    write = _completing(billing, reactivation, payment, system, customer, store)
    if reactivation.invoice.draft.total.amount:
        with_next_number(settings.series_of(reactivation.invoice.account), now, settings, write, store)
    else:
        write(None)
    return None


def _has_month_due(billing: BillingContext, now: datetime) -> bool:
    """Whether the old contract has a month that is owed and not fixed, even one that costs nothing, or one-offs that
    are still open."""
    account, due = billing.subscriber.account, billing.due
    if due is None:
        return False
    if ends_with_one_offs(billing, account.contract.today(now)):
        return True
    begins = account.contract.month_start(due.month)
    return begins <= account.contract.today(now) and account.is_served_on(begins)


def _charge(
    billing: BillingContext,
    reactivation: Reactivation,
    settings: InvoicingSettings,
    context: RequestContext,
    store: ReactivationStore,
    gateway: PaymentGateway,
) -> tuple[Reactivation, Charge]:
    """The reactivation with its one payment, and the result of the charge.

    A failed payment is cancelled at the payment service, so it can never succeed later.
    """
    profile, invoice = billing.profile, reactivation.invoice
    payment = reactivation.payment_intent_id
    if not _can_be_charged(billing, settings) and payment is None:
        return reactivation, Charge("", ChargeState.FAILED, PaymentFailure.NO_PAYMENT_METHOD, hard=True)
    if payment is None and charge_obstacle(invoice.draft.due, _method(billing)) is not None:
        return reactivation, Charge("", ChargeState.FAILED, PaymentFailure.FAILED, hard=True)
    if payment is None:
        try:
            payment = _new_payment(billing, reactivation, context, store, gateway)
        except CustomerDeleted:
            return reactivation, Charge("", ChargeState.FAILED, PaymentFailure.NO_PAYMENT_METHOD, hard=True)
        except AmountRefused:
            return reactivation, Charge("", ChargeState.FAILED, PaymentFailure.FAILED, hard=True)
        reactivation = store.save(replace(reactivation, payment_intent_id=payment))
    earlier = gateway.payment(payment)
    if earlier is not None and earlier.state in _MADE:
        return reactivation, earlier
    if profile.payment_method is None or _method(billing) not in settings.charged:
        charge = Charge(payment, ChargeState.FAILED, PaymentFailure.NO_PAYMENT_METHOD, hard=True)
    else:
        key = f"charge/{payment}/{context.correlation}"
        charge = gateway.charge(payment, profile.payment_method, _method(billing), key)
    if charge.state in _MADE:
        return reactivation, charge
    if not gateway.cancel(payment, f"cancel/{payment}/{context.correlation}"):
        final = gateway.payment(payment)  # it has succeeded or is in transit
        return reactivation, charge if final is None else final
    return reactivation, charge


def _new_payment(
    billing: BillingContext,
    reactivation: Reactivation,
    context: RequestContext,
    store: ReactivationStore,
    gateway: PaymentGateway,
) -> str:
    """The PaymentIntent of a reactivation. A late run looks first for one that an earlier run has created.

    The key holds the version of the reactivation: one that is spent is left behind by a version that is kept first.
    Raises CustomerDeleted, AmountRefused, UpstreamFailed.
    """
    account, due, method = reactivation.invoice.account, reactivation.invoice.draft.due, _method(billing)
    customer, name = str(billing.profile.customer), f"reactivation {reactivation.id}"
    if context.time - reactivation.requested_at >= KEYS_RELIED_ON:
        earlier = gateway.earlier_payment(customer, account, name, due, ())
        if earlier is not None:
            return earlier.payment_intent_id
    key = f"reactivate/{account}/{reactivation.id}/{reactivation.version}/{customer}/{method}"
    try:
        return gateway.new_payment(customer, account, name, due, method, key)
    except KeySpent:
        store.save(reactivation)
        raise


def _completing(
    billing: BillingContext,
    reactivation: Reactivation,
    payment: InvoicePayment,
    system: RequestContext,
    customer: RequestContext,
    store: ReactivationStore,
) -> Callable[[NextNumber | None], None]:
    """The write that completes the reactivation, given the invoice's number.

    The number is None where the total is zero.
    """
    account = billing.subscriber.account
    draft = reactivation.invoice.draft
    first_charge = DueCharge(reactivation.contract.start, draft.net, draft.tax_amount, draft.total)
    facts = {
        "contract": contract_body(reactivation.contract),
        "lines": [line.facts for line in reactivation.subscription.in_language(reactivation.invoice.language).lines],
        "first_charge": asdict(first_charge),
    }

    def complete(number: NextNumber | None) -> None:
        invoice = reactivation.invoice if number is None else reactivation.invoice.issued_as(number)
        facts_by_type: list[tuple[EventType, RequestContext, Facts | None, Facts]] = [
            (EventType.ACCOUNT_REACTIVATED, customer, _deadlines(account), facts)
        ]
        if number is None:
            free = free_facts(invoice.draft, invoice.language)
            facts_by_type.append((EventType.PERIOD_FREE, system, None, free))
        else:
            facts_by_type.append((EventType.INVOICE_ISSUED, system, None, invoice_facts(invoice, billing.profile)))
        if number is not None and payment.paid_on is not None and payment.method is not None:
            paid = {
                "number": number.text,
                "paid_on": payment.paid_on,
                "total": asdict(invoice.draft.total),
                "method": payment.method,
            }
            facts_by_type.append((EventType.INVOICE_PAID, system, None, paid))
        events = [
            new_event(type_, context, account=account.id, before=before, after=after)
            for type_, context, before, after in facts_by_type
        ]
        credit = billing.credit if number is None else billing.credit + payment.credit
        whole = None if number is None else WholeInvoice.new(invoice, payment)
        first = _first_month(billing, reactivation, None if number is None else number.text)
        store.complete(billing, reactivation, whole, number, first, credit, events)

    return complete


def _first_month(billing: BillingContext, reactivation: Reactivation, number: str | None) -> FixedMonth:
    """The first month of the new contract, fixed and invoiced; the old contract's last period is closed with it."""
    account, old = billing.subscriber.account, billing.period
    active = replace(account, contract=reactivation.contract, ending=None)
    first = fix_month(active, reactivation.subscription, InvoicingDue(0), old)
    if first.period is None:
        raise AssertionError("an account that does not end is served")
    draft = reactivation.invoice.draft
    period = first.period.with_invoice(number, draft.tax, draft.lines)
    if old is None:
        return replace(first, period=period)
    ended = None if account.ending is None else account.ending.active_until
    return replace(first, period=replace(period, contract=old.contract + 1), closed=replace(old, active_until=ended))


def _fail(
    billing: BillingContext,
    reactivation: Reactivation,
    failure: PaymentFailure,
    context: RequestContext,
    store: ReactivationStore,
) -> ReactivationState:
    """Keeps that a reactivation has failed, and tells the admin. The account stays deactivated. One transaction."""
    account = billing.subscriber.account
    failed = replace(reactivation, state=ReactivationState.FAILED, failure=failure)
    store.fail(account, failed, _failed(account, failed, context))
    return ReactivationState.FAILED


def _failed(account: Account, reactivation: Reactivation, context: RequestContext) -> Event:
    deadlines = _deadlines(account)
    facts = {
        **_facts(reactivation),
        "reason": reactivation.failure,
        "reactivate_until": deadlines["reactivate_until"],
        "purge_on": deadlines["purge_on"],
    }
    return new_event(EventType.ACCOUNT_REACTIVATION_FAILED, context, account=account.id, before=None, after=facts)


def _facts(reactivation: Reactivation) -> dict[str, object]:
    return {"reactivation": reactivation.id, "due": asdict(reactivation.invoice.draft.due)}


def _deadlines(account: Account) -> dict[str, object]:
    if account.ending is None:
        raise ConcurrentChange
    return {
        "deactivated_on": account.ending.active_until,
        "reactivate_until": reactivate_until(account.ending),
        "purge_on": account.ending.purge_on,
    }


def _method(billing: BillingContext) -> Method:
    return Method.CARD if billing.profile.shown is None else billing.profile.shown.method


def _can_be_charged(billing: BillingContext, settings: InvoicingSettings) -> bool:
    profile = billing.profile
    return None not in {profile.payment_method, profile.customer} and _method(billing) in settings.charged


def _by_transfer(billing: BillingContext) -> bool:
    """Whether the account pays by bank transfer. Then its first invoice is issued unpaid, like all its others."""
    shown = billing.profile.shown
    return shown is not None and shown.method is Method.BANK_TRANSFER
