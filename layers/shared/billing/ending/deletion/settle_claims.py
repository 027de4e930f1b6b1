"""Open claims are settled: by what staff record, by the payment service's answers, or by the end of their time.

A settled claim is deleted in the transaction that records what has settled it (DESIGN 3.7.6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date

from billing.ending.deletion.claim_records import ClaimStore
from billing.ending.deletion.claims import (
    OpenClaim,
    after_charge,
    after_dispute,
    after_failure_outside,
    after_refund,
    looked_at,
    paid_by_transfer,
    refund_to_repeat,
    repaid_by_hand,
    set_off_claims,
    settled_entries,
    unknown_claim,
    with_own_credit,
    with_payment_of,
    without_intent,
    written_off,
)
from billing.invoicing.dunning import InvoicePayment
from billing.invoicing.entries import Entry, EntryKind, charged
from billing.invoicing.records import InvoiceStore
from billing.kernel.events import Event, EventType, Facts, RequestContext
from billing.kernel.money import Money
from billing.payments.gateway import PaymentGateway
from billing.payments.methods import ChargeState, Refund, RefundState
from billing.platform.events.new_event import new_event


@dataclass(frozen=True, slots=True)
class Settler:
    """What a worker settles claims with. `claim_years` says how long a new one is kept."""

    context: RequestContext
    claims: ClaimStore
    invoices: InvoiceStore
    gateway: PaymentGateway
    claim_years: int

    @property
    def today(self) -> date:
        """The day in UTC: the time zone of a deleted account is not kept."""
        return self.context.time.date()


# ---- Staff -------------------------------------------------------------------------------------------


def record_claim_payment(
    claim: str,
    paid_on: date,
    reference: str,
    amount: Money | None = None,
    *,
    context: RequestContext,
    store: ClaimStore,
) -> OpenClaim:
    """The claim after a transfer has paid it, or `amount` of it. One get and one transaction.

    The same amount, day and reference again change nothing. Raises NotFound, NotOwed, RuleViolation for a day to come
    or another currency, ConcurrentChange.
    """
    before = store.claim(claim)
    if amount is not None and Entry(EntryKind.TRANSFERRED, amount.amount, paid_on, reference) in before.payment.entries:
        return before
    after = paid_by_transfer(before, paid_on, reference, context.time.date(), amount)
    change = "overpaid" if after.to_repay > before.to_repay else "paid"
    return _record(before, after, change, amount or before.owed_to_us, reference, context, store)


def record_claim_repayment(
    claim: str, amount: Money, repaid_on: date, reference: str, *, context: RequestContext, store: ClaimStore
) -> OpenClaim:
    """The claim after staff have given money back by hand. One get and one transaction.

    Raises NotFound, NotOwed, RuleViolation, ConcurrentChange.
    """
    before = store.claim(claim)
    after = repaid_by_hand(before, amount, repaid_on, reference, context.time.date())
    return _record(before, after, "repaid", amount, reference, context, store)


def write_off_claim(claim: str, reason: str, *, context: RequestContext, store: ClaimStore) -> OpenClaim:
    """The claim without what will not be paid. One get and one transaction.

    Raises NotFound, NotOwed, ConcurrentChange.
    """
    before = store.claim(claim)
    after = written_off(before, context.actor.user, context.time.date())
    return _record(before, after, "written_off", before.owed_to_us, reason, context, store)


def _record(
    before: OpenClaim,
    after: OpenClaim,
    change: str,
    amount: Money,
    reference: str,
    context: RequestContext,
    store: ClaimStore,
) -> OpenClaim:
    facts = _facts(after, change, amount, reference)
    event = new_event(EventType.OPEN_CLAIM_SETTLED, context, account=before.account, before=None, after=facts)
    store.save([after], [event])
    return after


# ---- Due work ----------------------------------------------------------------------------------------


def look_at_claim(claim: str, settler: Settler) -> str | None:
    """Asks the payment service about what is on its way, and deletes a claim whose time is over.

    A charge that was begun and may still succeed is cancelled: nobody pays twice. Returns what has changed, None for
    nothing. Up to two requests, two gets and one transaction. Raises ConcurrentChange, UpstreamFailed.
    """
    current = settler.claims.find(claim)
    if current is None or settler.today < current.due_on:
        return None
    if settler.today > current.keep_until:
        owed = current.owed_to_us if current.owed_to_us.amount else current.owed_by_us
        facts = {**_facts(current, "expired", owed, None), "settled": True}
        settler.claims.expire(current, _event(current, facts, settler.context))
        return "expired"
    refund = refund_to_repeat(current)
    changed = _look_at_payment(current, settler) if refund is None else _repeat_refund(current, *refund, settler)
    if not changed:
        settler.claims.save([looked_at(current, settler.today)])
    return changed


def _repeat_refund(claim: OpenClaim, payment: str, attempt: str, amount: int, settler: Settler) -> str | None:
    """Asks for a refund without an answer again. The same attempt is made once."""
    key = f"refund/{claim.account}/{claim.id}/{attempt}/claim/{claim.version}"
    answer = settler.gateway.refund(payment, claim.id, attempt, Money(amount, claim.currency), key)
    result = after_refund(claim, answer, settler.today)
    if result is None:
        return None
    _save(*result, answer.amount, answer.id or payment, payment, settler)
    return result[1]


def _look_at_payment(claim: OpenClaim, settler: Settler) -> str | None:
    intent = claim.payment.payment_intent_id
    if intent is None:
        return None
    if claim.payment.has_live_intent and not claim.payment.is_in_transit:
        key = f"cancel/{intent}/{settler.context.correlation}"
        if settler.gateway.cancel(intent, key):
            settler.claims.save([without_intent(claim)])
            return "payment_cancelled"
    return "payment" if sync_claim_payment(intent, settler) else None


# ---- Notices of the payment service ------------------------------------------------------------------


def sync_claim_payment(payment: str, settler: Settler) -> bool:
    """Takes in a payment of a deleted account; whether anything was changed.

    Money that nothing is owed for any more is a claim of its own: it is to be repaid. One transaction for
    all invoices that the payment collects. Raises ConcurrentChange, UpstreamFailed.
    """
    owner, charge = settler.gateway.invoice_of(payment), settler.gateway.payment(payment)
    if owner is None or charge is None:
        return False
    account, number = owner
    documents, known = _documents(account, payment, number, payment, settler)
    if EntryKind.CHARGED in known:
        return False
    claims: list[OpenClaim] = []
    events: list[Event] = []
    for document, share in documents:
        claim, amount = settler.claims.find(document), (charge.amount or 0) if share is None else share
        if claim is None and charge.state is ChargeState.SUCCEEDED:
            nothing = InvoicePayment(settler.today, 0)
            claim = unknown_claim(
                document, account, nothing, str(charge.currency), settler.context.time, settler.claim_years
            )
        result = None if claim is None else after_charge(claim, charge, amount, settler.today)
        if result is not None:
            after, change = result
            facts = _facts(after, change, Money(amount, after.currency), payment)
            claims.append(after)
            events.append(_event(after, facts, settler.context))
    if claims:
        settler.claims.save(claims, events)
    return bool(claims)


def sync_claim_refund(refund: str, settler: Settler) -> bool:
    """Takes in a refund of a deleted account; whether anything was changed.

    One that fails after the deletion is owed again, also where its document is gone. One that somebody has made by hand
    at the payment service settles what is to be repaid. Raises ConcurrentChange, UpstreamFailed.
    """
    current = settler.gateway.refund_of(refund)
    owner = None if current is None else settler.gateway.invoice_of(current.payment)
    if current is None or current.account is None:
        return False
    number = current.credit_note or ("" if owner is None else owner[1])
    documents, known = _documents(current.account, current.payment, number, refund, settler)
    if not documents:
        return False
    document = current.credit_note or documents[0][0]
    claim = settler.claims.find(document)
    if current.credit_note is None and known & _OUTSIDE:
        return _sync_failure_outside(current, known, settler)
    if current.credit_note is None:
        is_for_it = claim is not None and not claim.is_under_way and claim.owed_by_us.amount >= current.amount.amount
        if not is_for_it or current.state is not RefundState.DONE:
            return False
    if claim is None:
        if current.state is not RefundState.FAILED or EntryKind.REFUND_FAILED in known:
            return False
        done = Entry(EntryKind.REFUND_DONE, current.amount.amount, settler.today, refund, current.payment)
        paid = InvoicePayment(settler.today, 0, (done,))
        claim = unknown_claim(
            document, current.account, paid, current.amount.currency, settler.context.time, settler.claim_years
        )
    result = after_refund(claim, current, settler.today)
    if result is None:
        return False
    _save(*result, current.amount, refund, current.payment, settler)
    return True


_OUTSIDE = frozenset({EntryKind.REFUNDED_OUTSIDE, EntryKind.CREDIT_REFUNDED})


def _sync_failure_outside(refund: Refund, known: frozenset[EntryKind], settler: Settler) -> bool:
    """Takes in that a refund has failed that staff had made at the payment service before the deletion.

    As far as it gave back credit, that is owed again. What it gave back of a paid invoice was owed by nobody.
    """
    noted = settler.claims.noted(str(refund.id))
    was_credit = EntryKind.CREDIT_REFUNDED in known and EntryKind.CREDIT_REFUND_FAILED not in known
    if noted is None or refund.state is not RefundState.FAILED or not was_credit:
        return False
    changed = False
    for document, share in noted.documents:
        nothing = InvoicePayment(settler.today, 0)
        claim = settler.claims.find(document) or unknown_claim(
            document, str(refund.account), nothing, refund.amount.currency, settler.context.time, settler.claim_years
        )
        after = after_failure_outside(claim, refund, share, settler.today)
        if after is not None:
            amount = Money(share, refund.amount.currency)
            _save(after, "refund_failed", amount, refund.id, refund.payment, settler)
            changed = True
    return changed


def sync_claim_dispute(dispute: str, settler: Settler) -> bool:
    """Takes in what a bank does with a payment of a deleted account; whether anything was changed.

    A bank may take back a SEPA debit for 13 months (docs.stripe.com/payments/sepa-debit#disputed-payments). Of each
    invoice that the payment has paid, as far as the disputed amount reaches, it becomes a claim. Raises
    ConcurrentChange, UpstreamFailed.
    """
    current = settler.gateway.dispute(dispute)
    if current is None or current.account is None:
        return False
    documents, known = _documents(current.account, current.payment, current.invoice or "", dispute, settler)
    left, changed = current.amount.amount, False
    for document, share in documents:
        amount = left if share is None else min(left, share)
        left -= amount
        claim = settler.claims.find(document)
        if claim is None and amount:
            entries = settled_entries(current, amount, known, settler.today)
            paid = InvoicePayment(settler.today, amount, entries)
            claim = unknown_claim(
                document, current.account, paid, current.amount.currency, settler.context.time, settler.claim_years
            )
        elif claim is not None and amount and not charged(claim.payment.entries, current.payment):
            # It is about other money of a document that is gone.
            claim = with_payment_of(claim, settled_entries(current, amount, known, settler.today), amount)
        result = None if claim is None else after_dispute(claim, current, amount, settler.today)
        if result is not None and not (result[0].is_settled and not result[0].version):
            _save(*result, Money(amount, current.amount.currency), dispute, current.payment, settler)
            changed = True
    return changed


def _documents(
    account: str, payment: str, number: str, about: str, settler: Settler
) -> tuple[Sequence[tuple[str, int | None]], frozenset[EntryKind]]:
    """The documents that a payment has paid or is to pay, each with its share, and what is known `about` an object of
    the payment service. No documents for a payment that is none of ours.

    Up to four gets. Raises ConcurrentChange while the deletion has yet to keep them.
    """
    settler.claims.require_kept(account)
    noted = settler.claims.noted(payment)
    known = noted if about == payment else settler.claims.noted(about)
    kinds = frozenset() if known is None else known.kinds
    if noted is not None:
        return noted.documents, kinds
    claim = settler.claims.find(number)
    if claim is not None:
        return claim.payment.allocations or ((number, None),), kinds
    return (((number, None),) if settler.invoices.is_registered(number) else ()), kinds


def _save(claim: OpenClaim, change: str, amount: Money, reference: str | None, payment: str, settler: Settler) -> None:
    """Saves what has changed of a claim, and of those that are set off with it. One transaction, with one get for each
    document that `payment` has paid or that refunds it.

    The others get their next version in any case, and those that are missing must be so still: a refund that fails
    meets a charge-back of the same moment.
    """
    claim, others, events = with_own_credit(claim, settler.today), list[OpenClaim](), list[Event]()
    missing: list[str] = []
    for number in _counterparts(claim, change, payment, settler):
        other = settler.claims.find(number)
        if other is None:
            missing.append(number)
            continue
        is_refund = change == "refund_failed"
        refunding, taken_back = (claim, other) if is_refund else (other, claim)
        found = set_off_claims(refunding, taken_back, payment, settler.today)
        if found is not None:
            claim, other = found[:2] if is_refund else (found[1], found[0])
            facts = _facts(other, "set_off", Money(found[2], other.currency), payment)
            events.append(_event(other, facts, settler.context))
        others.append(other)
    event = _event(claim, _facts(claim, change, amount, reference), settler.context)
    settler.claims.save([claim, *others], [event, *events], missing=missing)


def _counterparts(claim: OpenClaim, change: str, payment: str, settler: Settler) -> list[str]:
    """The documents whose claims may be set off with a change: the invoices that a payment has paid where its refund
    has failed, and the credit notes that refund it where it was charged back."""
    noted = settler.claims.noted(payment) if change in {"refund_failed", "charged_back"} else None
    numbers: set[str] = set()
    if change == "refund_failed":
        numbers = set() if noted is None else {number for number, _ in noted.documents}
        if claim.invoice is not None and claim.invoice.corrects is not None:
            numbers.add(claim.invoice.corrects.number)
    elif change == "charged_back":
        numbers = set() if noted is None else {*noted.credit_notes}
        entries = claim.payment.entries
        numbers |= {str(e.reference) for e in entries if e.kind is EntryKind.RETURNED and e.payment == payment}
    return sorted(numbers - {claim.id})


def _event(claim: OpenClaim, facts: Facts, context: RequestContext) -> Event:
    return new_event(EventType.OPEN_CLAIM_CHANGED, context, account=claim.account, before=None, after=facts)


def _facts(claim: OpenClaim, change: str, amount: Money, reference: str | None) -> Facts:
    return {
        "claim": claim.id,
        "change": change,
        "amount": asdict(amount),
        "to_pay": asdict(claim.owed_to_us),
        "to_repay": asdict(claim.owed_by_us),
        "settled": claim.is_settled,
        "reference": reference,
        "language": claim.language,
    }
