"""Open claims: what stays of a deleted account until it is paid, repaid or written off (DESIGN 3.7.6).

A claim goes in either direction: the customer has not paid an invoice, or the vendor owes money. GDPR art. 17(3)(b) and
(e) keeps what bookkeeping law and legal claims need, and only that: a document as issued, and what became of its money.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from billing.invoicing.credit_refunds import after_credit_refund, credit_refund_under_way
from billing.invoicing.disputes import dispute_steps
from billing.invoicing.dunning import InvoicePayment
from billing.invoicing.entries import Entry, EntryKind, attempt_under_way, charged_back, disputed_payments
from billing.invoicing.invoices import InvoiceDraft, IssuedInvoice
from billing.invoicing.open_money import OpenMoney, OpenState
from billing.kernel.errors import Conflict, RuleViolation, Violation
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money
from billing.payments.methods import Charge, ChargeState, Dispute, Refund, RefundState

CLAIM_YEARS = 3
"""How long a claim is kept, unless a deployment says otherwise: the usual limitation period, from the end of the year
in which the claim arose (§§ 195, 199 BGB; three years in Danish law too, forældelsesloven § 3)."""

LOOKED_AT_AFTER = timedelta(days=1)
"""How often the payment service is asked about a payment or a refund that is on its way."""

DAY = timedelta(days=1)


class NotOwed(Conflict):
    """Nothing of this claim is owed in this direction, or it is on its way."""

    code = "not-owed"


@dataclass(frozen=True, slots=True)
class OpenClaim:
    """What is open of one document of a deleted account. `id` is the document's number.

    `receipt` is the receipt of the deletion, "" where only the payment service knows of it. `invoice` is the document
    as issued; None for money without one: a payment that came late, was taken back late, or credit that no invoice
    held. `drafts` are what was due and not invoiced: then `id` is that of the receipt. `payment` is the money of the
    document. `to_repay` is what the vendor owes of the credit that an invoice held, in minor units. `language` is the
    customer's.
    It is kept until the end of the day `keep_until`. `look_on` is the day of the next question to the payment service.
    """

    id: str
    account: str
    receipt: str
    kept_at: datetime
    keep_until: date
    currency: str
    payment: InvoicePayment
    language: str
    to_repay: int = 0
    invoice: IssuedInvoice | None = None
    drafts: tuple[InvoiceDraft, ...] = ()
    look_on: date | None = None
    version: int = 0

    @property
    def owed_to_us(self) -> Money:
        """What the customer has not paid."""
        return Money(0 if self.payment.is_credit_note else self.payment.left, self.currency)

    @property
    def owed_by_us(self) -> Money:
        """What the vendor has to give back."""
        return Money(self.payment.left if self.payment.is_credit_note else self.to_repay, self.currency)

    @property
    def is_under_way(self) -> bool:
        """Whether the payment service has yet to say what becomes of a payment or a refund."""
        return self.payment.is_in_transit or attempt_under_way(self.payment.entries) is not None

    @property
    def state(self) -> OpenState:
        """Why it is open."""
        if disputed_payments(self.payment.entries):
            return OpenState.DISPUTED
        return OpenState.IN_TRANSIT if self.is_under_way else OpenState.OPEN

    @property
    def is_settled(self) -> bool:
        """Whether nothing is open any more: then it is deleted."""
        return not (self.owed_to_us.amount or self.owed_by_us.amount) and self.state is not OpenState.DISPUTED

    @property
    def due_on(self) -> date:
        """The day on which there is something to do: to ask the payment service, or to delete the claim."""
        last = self.keep_until + DAY
        return last if self.look_on is None else min(last, self.look_on)


def keep_until(arose_on: date, years: int) -> date:
    """The last day of a claim: the end of so many years after the year in which it arose."""
    return date(arose_on.year + years, 12, 31)


def claims_of(
    account: str,
    receipt: str,
    language: str,
    documents: Sequence[tuple[IssuedInvoice, InvoicePayment]],
    open_money: OpenMoney,
    kept_at: datetime,
    years: int,
) -> tuple[OpenClaim, ...]:
    """The claims that are kept of an account, in the order of its documents, those in its present currency first."""
    claims = _claims_in(account, receipt, receipt, language, documents, open_money, kept_at, years)
    for each in open_money.others:
        rest = f"{receipt}-{each.currency}"
        claims += _claims_in(account, receipt, rest, language, documents, each, kept_at, years)
    return tuple(claims)


def _claims_in(
    account: str,
    receipt: str,
    rest: str,
    language: str,
    documents: Sequence[tuple[IssuedInvoice, InvoicePayment]],
    open_money: OpenMoney,
    kept_at: datetime,
    years: int,
) -> list[OpenClaim]:
    """The claims in one currency. `rest` is the id of the one that belongs to no document."""
    today = kept_at.date()
    by_number = {invoice.number: (invoice, payment) for invoice, payment in documents}
    claims = []
    for each in open_money.documents:
        invoice, payment = by_number[each.number]
        claim = OpenClaim(
            id=invoice.number,
            account=account,
            receipt=receipt,
            kept_at=kept_at,
            keep_until=keep_until(today if each.to_repay else invoice.due_on, years),
            currency=open_money.currency,
            payment=payment,
            language=invoice.language,
            to_repay=0 if payment.is_credit_note else each.to_repay,
            invoice=invoice,
        )
        claims.append(looked_at(claim, today))
    not_invoiced = open_money.to_invoice.amount
    if not_invoiced or open_money.unassigned:
        arose_on = min((each.since for each in open_money.not_invoiced), default=today)
        claims.append(
            OpenClaim(
                id=rest,
                account=account,
                receipt=receipt,
                kept_at=kept_at,
                keep_until=keep_until(today if open_money.unassigned else arose_on, years),
                currency=open_money.currency,
                payment=InvoicePayment(today, not_invoiced),
                language=language,
                to_repay=open_money.unassigned,
                drafts=open_money.not_invoiced,
            )
        )
    return claims


def unknown_claim(
    number: str, account: str, payment: InvoicePayment, currency: str, kept_at: datetime, years: int
) -> OpenClaim:
    """A claim about a `payment` of a deleted account, of whose document nothing is left."""
    return OpenClaim(
        id=number,
        account=account,
        receipt="",
        kept_at=kept_at,
        keep_until=keep_until(kept_at.date(), years),
        currency=currency,
        payment=payment,
        language="en",
    )


@dataclass(frozen=True, slots=True)
class Note:
    """What was taken in of an object of the payment service: a payment, a refund or a dispute of a deleted account.

    A notice about it may be repeated, or come much later. `documents` are the numbers of those that it was about, each
    with its share in minor units, and `kinds` the entries that name it. `credit_notes` are the numbers of those that
    refund the payment.
    """

    object: str
    documents: tuple[tuple[str, int], ...]
    kinds: frozenset[EntryKind]
    credit_notes: frozenset[str] = frozenset()

    def with_earlier(self, earlier: Note | None) -> Note:
        """The note with what was noted of the same object before."""
        if earlier is None:
            return self
        documents = {**dict(self.documents), **dict(earlier.documents)}
        credit_notes = self.credit_notes | earlier.credit_notes
        return Note(self.object, tuple(documents.items()), self.kinds | earlier.kinds, credit_notes)


def notes_of(documents: Iterable[tuple[str, InvoicePayment]], since: date) -> tuple[Note, ...]:
    """The notes of all entries since a day, by object. The documents are given by their numbers."""
    shares: dict[str, dict[str, int]] = {}
    kinds: dict[str, set[EntryKind]] = {}
    credit_notes: dict[str | None, set[str]] = {}
    for number, payment in documents:
        for entry in payment.entries:
            if entry.kind is EntryKind.RETURNED:
                credit_notes.setdefault(entry.payment, set()).add(str(entry.reference))
            if entry.kind in _OF_THE_PAYMENT_SERVICE and entry.reference is not None and entry.on >= since:
                of_object = shares.setdefault(entry.reference, {})
                of_object[number] = max(of_object.get(number, 0), entry.amount)
                kinds.setdefault(entry.reference, set()).add(entry.kind)
    return tuple(
        Note(each, tuple(found.items()), frozenset(kinds[each]), frozenset(credit_notes.get(each, ())))
        for each, found in shares.items()
    )


_OF_THE_PAYMENT_SERVICE = frozenset(
    {
        EntryKind.CHARGED,
        EntryKind.REFUND_DONE,
        EntryKind.REFUND_FAILED,
        EntryKind.REFUNDED_OUTSIDE,
        EntryKind.REFUND_OUTSIDE_FAILED,
        EntryKind.CREDIT_REFUNDED,
        EntryKind.CREDIT_REFUND_FAILED,
        EntryKind.DISPUTED,
        EntryKind.DISPUTE_CLOSED,
        EntryKind.CHARGED_BACK,
        EntryKind.CHARGE_BACK_WON,
    }
)
"""The kinds of entries whose reference is an id at the payment service."""


# ---- What staff record -------------------------------------------------------------------------------


def paid_by_transfer(
    claim: OpenClaim, paid_on: date, reference: str, today: date, amount: Money | None = None
) -> OpenClaim:
    """The claim after a transfer of `amount` has arrived, or of all that is owed. What is over is to be repaid.

    Raises NotOwed, and RuleViolation for a day to come or another currency.
    """
    _require_owed_to_us(claim)
    _require_past(paid_on, "paid_on", today)
    owed = claim.owed_to_us
    if amount is not None and amount.currency != owed.currency:
        raise RuleViolation(_in_another_currency(owed))
    entry = Entry(EntryKind.TRANSFERRED, (amount or owed).amount, paid_on, reference)
    paid = claim.payment.with_entries(entry)
    return replace(_with_payment(claim, paid), to_repay=claim.to_repay + paid.credit - claim.payment.credit)


def repaid_by_hand(claim: OpenClaim, amount: Money, repaid_on: date, reference: str, today: date) -> OpenClaim:
    """The claim after money was given back by hand. Raises NotOwed, and RuleViolation for a day to come, another
    currency, or more than is owed."""
    owed = claim.owed_by_us
    if not owed.amount or attempt_under_way(claim.payment.entries) is not None or claim.payment.is_in_transit:
        raise NotOwed("Nothing is to be repaid of this claim, or a refund is on its way.")
    _require_past(repaid_on, "repaid_on", today)
    if amount.currency != owed.currency:
        raise RuleViolation(_in_another_currency(owed))
    if amount.amount > owed.amount:
        raise RuleViolation(
            Violation(
                ("amount", "amount"), f"No more than {owed.amount} is owed.", FieldCode.TOO_LARGE, {"max": owed.amount}
            )
        )
    return _repaid(claim, Entry(EntryKind.REPAID_BY_HAND, amount.amount, repaid_on, reference))


def written_off(claim: OpenClaim, user: str | None, today: date) -> OpenClaim:
    """The claim without what will not be paid of it. Raises NotOwed."""
    _require_owed_to_us(claim)
    entry = Entry(EntryKind.WRITTEN_OFF, claim.payment.left, today, user)
    return _with_payment(claim, claim.payment.with_entries(entry))


def _in_another_currency(owed: Money) -> Violation:
    allowed = {"allowed": [owed.currency]}
    return Violation(("amount", "currency"), f"The currency is {owed.currency}.", FieldCode.NOT_ALLOWED, allowed)


def _require_owed_to_us(claim: OpenClaim) -> None:
    if not claim.owed_to_us.amount or claim.payment.is_in_transit:
        raise NotOwed("Nothing is to be paid of this claim, or its payment is on its way.")


def _require_past(day: date, field: str, today: date) -> None:
    if day > today + DAY:  # the customer's day may be one ahead of UTC's
        raise RuleViolation(Violation((field,), "It must not be a day to come.", FieldCode.TOO_LATE, {"max": today}))


# ---- What the payment service says -------------------------------------------------------------------


def after_charge(claim: OpenClaim, charge: Charge, share: int, today: date) -> tuple[OpenClaim, str] | None:
    """The claim after the answer about a payment, and what has changed; None where nothing has.

    `share` is what of the payment is this document's, in minor units. What it does not need is to be repaid.
    """
    payment, intent = claim.payment, charge.payment_intent_id
    if _has(payment, EntryKind.CHARGED, intent):
        return None
    if charge.state is ChargeState.SUCCEEDED:
        entry = Entry(EntryKind.CHARGED, share, today, intent)
        charged = replace(payment, is_in_transit=False, method=charge.method or payment.method).with_entries(entry)
        too_much = charged.credit - payment.credit
        paid = replace(_with_payment(claim, charged), to_repay=claim.to_repay + too_much)
        return paid, "overpaid" if too_much else "paid"
    is_it = payment.payment_intent_id == intent
    if is_it and payment.is_in_transit and charge.state in {ChargeState.FAILED, ChargeState.CANCELLED}:
        return _with_payment(claim, replace(payment, is_in_transit=False, is_past_due=True)), "payment_failed"
    return None


def after_refund(claim: OpenClaim, refund: Refund, today: date) -> tuple[OpenClaim, str] | None:
    """The claim after the answer about a refund, and what has changed; None where nothing has."""
    payment = claim.payment
    kind = {RefundState.DONE: EntryKind.REFUND_DONE, RefundState.FAILED: EntryKind.REFUND_FAILED}.get(refund.state)
    if kind is None or (refund.id is not None and _has(payment, kind, refund.id)):
        return None
    amount = refund.amount.amount
    if payment.is_credit_note:
        if kind is EntryKind.REFUND_DONE and not payment.left:
            return None
        answered = replace(payment, is_in_transit=False).with_entries(Entry(kind, amount, today, refund.id))
        return _with_payment(claim, answered), "repaid" if kind is EntryKind.REFUND_DONE else "refund_failed"
    if kind is EntryKind.REFUND_DONE:
        answered = after_credit_refund(payment, refund, today)
        return replace(_with_payment(claim, answered), to_repay=max(0, claim.to_repay - amount)), "repaid"
    answered = after_credit_refund(payment, refund, today)
    # One that was made before is owed again. One without an answer so far is in what is to be repaid already.
    owed = claim.to_repay + (0 if attempt_under_way(payment.entries) is not None else amount)
    return replace(_with_payment(claim, answered), to_repay=owed), "refund_failed"


def after_failure_outside(claim: OpenClaim, refund: Refund, amount: int, today: date) -> OpenClaim | None:
    """The claim after the failure of a refund of credit that staff had made at the payment service; None where that is
    known. `amount`, in minor units, is owed again."""
    if _has(claim.payment, EntryKind.CREDIT_REFUND_FAILED, refund.id):
        return None
    failed = Entry(EntryKind.CREDIT_REFUND_FAILED, amount, today, refund.id, refund.payment)
    payment = replace(claim.payment, entries=(*claim.payment.entries, failed))
    return replace(_with_payment(claim, payment), to_repay=claim.to_repay + amount)


def with_payment_of(claim: OpenClaim, entries: Sequence[Entry], amount: int) -> OpenClaim:
    """The claim with the money of a payment that its document had received and that is gone (`settled_entries`)."""
    payment = replace(claim.payment, owed=claim.payment.owed + amount, entries=(*claim.payment.entries, *entries))
    return replace(claim, payment=payment)


def with_own_credit(claim: OpenClaim, today: date) -> OpenClaim:
    """The claim after what is to be repaid of an invoice has paid what is open of it, as an account's credit does."""
    payment = claim.payment
    amount = 0 if claim.is_under_way or payment.has_live_intent else min(claim.to_repay, claim.owed_to_us.amount)
    if not amount:
        return claim
    paid = payment.with_entries(Entry(EntryKind.CREDIT_APPLIED, amount, today))
    return replace(_with_payment(claim, paid), to_repay=claim.to_repay - amount)


def set_off_claims(
    refunding: OpenClaim, taken_back: OpenClaim, payment: str, today: date
) -> tuple[OpenClaim, OpenClaim, int] | None:
    """Both claims after a refund of a payment that was not made was set off with a charge-back of the same payment, and
    the amount in minor units (billing.invoicing.disputes). None where nothing is to be set off."""
    is_moving = refunding.is_under_way or taken_back.is_under_way or taken_back.payment.has_live_intent
    charged = charged_back(taken_back.payment.entries, payment)
    amount = min(refunding.owed_by_us.amount, taken_back.payment.balance, charged)
    if is_moving or amount <= 0 or refunding.currency != taken_back.currency:
        return None
    of_invoice = Entry(EntryKind.SET_OFF, amount, today, refunding.id, payment)
    invoice = _with_payment(taken_back, taken_back.payment.with_entries(of_invoice))
    if not refunding.payment.is_credit_note:
        return replace(refunding, to_repay=refunding.to_repay - amount), invoice, amount
    of_note = Entry(EntryKind.SET_OFF, amount, today, taken_back.id)
    return _with_payment(refunding, refunding.payment.with_entries(of_note)), invoice, amount


def after_dispute(claim: OpenClaim, dispute: Dispute, share: int, today: date) -> tuple[OpenClaim, str] | None:
    """The claim after what a customer's bank has done with its payment, and what has changed; None where nothing has.

    `share` is what of the disputed amount is this document's, in minor units.
    """
    payment = claim.payment
    known = {each.kind for each in payment.entries if each.reference == dispute.id}
    paid = sum(
        each.amount for each in payment.entries if each.kind is EntryKind.CHARGED and each.reference == dispute.payment
    )
    amount = min(paid, share)
    steps = dispute_steps(dispute.state, known)
    if not steps or not amount:
        return None
    entries = [Entry(kind, amount, today, dispute.id, dispute.payment) for kind in steps]
    updated = payment.with_entries(*entries)
    if updated.left > payment.left:
        updated = replace(updated.without_intent(), is_past_due=True)
    too_much = max(0, updated.credit - payment.credit)
    return replace(_with_payment(claim, updated), to_repay=claim.to_repay + too_much), _CHANGES[steps[-1]]


_CHANGES = {
    EntryKind.DISPUTED: "disputed",
    EntryKind.CHARGED_BACK: "charged_back",
    EntryKind.DISPUTE_CLOSED: "dispute_closed",
    EntryKind.CHARGE_BACK_WON: "charge_back_won",
}


def settled_entries(dispute: Dispute, amount: int, known: AbstractSet[EntryKind], today: date) -> tuple[Entry, ...]:
    """The money of a document that is gone, as far as a dispute needs it: paid, and what is known of the dispute.

    What was charged back before was settled in another way: a dispute that is won after that is too much.
    """
    entries = [Entry(EntryKind.CHARGED, amount, today, dispute.payment)]
    order = (EntryKind.DISPUTED, EntryKind.CHARGED_BACK, EntryKind.DISPUTE_CLOSED, EntryKind.CHARGE_BACK_WON)
    entries += [Entry(kind, amount, today, dispute.id, dispute.payment) for kind in order if kind in known]
    if EntryKind.CHARGED_BACK in known and EntryKind.CHARGE_BACK_WON not in known:
        entries.append(Entry(EntryKind.TRANSFERRED, amount, today))
    return tuple(entries)


def looked_at(claim: OpenClaim, today: date) -> OpenClaim:
    """The claim with the day of the next look at the payment service, None where nothing is on its way.

    A charge that was begun may still succeed.
    """
    is_waiting = claim.is_under_way or claim.payment.has_live_intent
    return replace(claim, look_on=today + LOOKED_AT_AFTER if is_waiting else None)


def without_intent(claim: OpenClaim) -> OpenClaim:
    """The claim after its charge was cancelled."""
    payment = claim.payment.without_intent()
    return replace(claim, payment=payment, look_on=None)


def refund_to_repeat(claim: OpenClaim) -> tuple[str, str, int] | None:
    """The payment, the attempt and the amount of a refund without an answer. The same attempt is made once."""
    payment = claim.payment
    attempt = attempt_under_way(payment.entries)
    if attempt is None:
        return None
    if payment.is_credit_note:
        return str(payment.payment_intent_id), attempt, payment.left
    entry = credit_refund_under_way(payment)
    return None if entry is None else (str(entry.payment), attempt, entry.amount)


def _repaid(claim: OpenClaim, entry: Entry) -> OpenClaim:
    if claim.payment.is_credit_note:
        return _with_payment(claim, claim.payment.with_entries(entry))
    payment = replace(claim.payment, entries=(*claim.payment.entries, entry))
    return replace(_with_payment(claim, payment), to_repay=claim.to_repay - entry.amount)


def _with_payment(claim: OpenClaim, payment: InvoicePayment) -> OpenClaim:
    changed = replace(claim, payment=payment)
    return changed if changed.is_under_way else replace(changed, look_on=None)


def _has(payment: InvoicePayment, kind: EntryKind, reference: str | None) -> bool:
    return any(each.kind is kind and each.reference == reference for each in payment.entries)


def direction(claim: OpenClaim) -> tuple[bool, bool]:
    """Whether a claim is one of the vendor, and whether it is one against the vendor. A dispute counts as the first."""
    is_ours = claim.owed_to_us.amount > 0 or claim.state is OpenState.DISPUTED
    return is_ours, claim.owed_by_us.amount > 0
