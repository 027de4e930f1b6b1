"""The rules that compare an account's books: each returns what differs, and changes nothing (decision 0025).

The payment service is compared only where its objects carry our metadata. What it did within the last SETTLING is not
judged: its notices may still be on their way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from billing.accounts.rules import Account, Status
from billing.invoicing.due import InvoicingDue
from billing.invoicing.dunning import InvoicePayment
from billing.invoicing.entries import Entry, EntryKind
from billing.invoicing.invoices import InvoiceStatus
from billing.invoicing.numbering import RegisteredNumber, SeriesCounter, register_faults
from billing.invoicing.one_offs import Mark, OneOff
from billing.invoicing.periods import Amounts, PaidPeriod, PeriodInvoice, TakenBack, months_to_fix, owed_by_product
from billing.invoicing.transfers import Transfer
from billing.kernel.money import Money, charged_units
from billing.payments.ledger import LedgerPayment
from billing.payments.methods import ChargeState, DisputeState, Refund, RefundState
from billing.subscriptions.rules import Subscription

SETTLING = timedelta(days=1)
"""How long Livello may take to record what the payment service did, and to act on what is due."""

PROCESSING_MAX = timedelta(days=14)
"""How long a payment may be in transit. A SEPA debit takes up to 14 business days at worst, mostly 5
(docs.stripe.com/payments/sepa-debit)."""

MOTION = timedelta(days=40)
"""An account is compared every night while its money has moved within so many days."""

ROUND = timedelta(days=28)
"""After so many days an account is compared although nothing has moved."""

NIGHT = timedelta(days=1)


class Rule(StrEnum):
    """The rules. Their values are stored, published and mailed; they never change (docs/operate.md explains each)."""

    PAYMENT_NOT_BOOKED = "payment-not-booked"
    PAYMENT_FOREIGN = "payment-foreign"
    PAYMENT_STUCK = "payment-stuck"
    REFUND_NOT_BOOKED = "refund-not-booked"
    DISPUTE_NOT_BOOKED = "dispute-not-booked"
    CHARGE_NOT_CONFIRMED = "charge-not-confirmed"
    TRANSIT_NOT_CONFIRMED = "transit-not-confirmed"
    LOOK_OVERDUE = "look-overdue"
    LOOK_MISSING = "look-missing"
    MONTH_NOT_DUE = "month-not-due"
    OWED_DIFFERS = "owed-differs"
    ONE_OFF_DIFFERS = "one-off-differs"
    CREDIT_DIFFERS = "credit-differs"
    TRANSFER_DIFFERS = "transfer-differs"
    REGISTER_BROKEN = "register-broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference. `subject` tells it from the others of its rule: the id of a payment, a number, a paid period.

    `account` is None for the register. `expected` and `found` are one word each, or a few; the amounts say how much,
    where it is about an amount. `since` is the instant of the first comparison that found it.
    """

    rule: Rule
    account: str | None
    subject: str
    invoice: str | None
    expected: str
    found: str
    expected_amount: Money | None = None
    found_amount: Money | None = None
    since: datetime | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """What makes it the same finding in the next comparison, whatever the amounts are by then."""
        return self.rule.value, self.subject


@dataclass(frozen=True, slots=True)
class BookedDocument:
    """What the books have of an invoice or a credit note.

    `looked_at` is the day on which the worker of collection looks at it next, None where it is not scheduled. `lines`
    are the net amounts by product of what the document says, None where they are not compared. `is_of_a_period` says
    whether a paid period must know the document: not a credit note that staff have issued, nor an invoice of a release
    before paid periods, nor one of one-off charges alone. `stands_for` is the invoice that a correction is of: it takes
    it back with another one in its place, or is that other one. `one_offs` are the lines of an invoice that have a
    one-off.
    """

    number: str
    produced_on: date
    currency: str
    payment: InvoicePayment
    looked_at: date | None
    lines: Amounts | None = None
    is_of_a_period: bool = False
    stands_for: str | None = None
    one_offs: tuple[BookedOneOff, ...] = ()


@dataclass(frozen=True, slots=True)
class BookedOneOff:
    """A line of an invoice that has a one-off: its net amount, above zero also for a goodwill, and whether a credit
    note has taken the line back."""

    one_off: str
    amount: int
    is_credited: bool


@dataclass(frozen=True, slots=True)
class Books:
    """All that Livello has of an account's money, as it was read at once.

    `due` is the next contract month to invoice, and `running` the running paid period; either may be None. `closed` are
    the periods before. `credit` is the stored balance in minor units, `other_credit` those in the currencies that the
    contract had before. `is_waiting` says that invoicing waits for
    staff, for a VAT number or for an exchange rate, each of which has a list of its own. `one_offs` are all charges and
    goodwill of the account, open or closed.
    """

    account: Account
    subscription: Subscription
    due: InvoicingDue | None
    running: PaidPeriod | None
    closed: tuple[PaidPeriod, ...]
    documents: tuple[BookedDocument, ...]
    credit: int
    is_waiting: bool = False
    transfers: tuple[Transfer, ...] = ()
    one_offs: tuple[OneOff, ...] = ()
    other_credit: Mapping[str, int] = field(default_factory=dict)

    def entries(self, *kinds: EntryKind) -> Iterator[tuple[BookedDocument, Entry]]:
        """The entries of these kinds, each with its document, oldest document first."""
        for document in self.documents:
            for entry in document.payment.entries:
                if entry.kind in kinds:
                    yield document, entry


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the payment service has of an account: its PaymentIntents by id, with their refunds and disputes."""

    payments: Mapping[str, LedgerPayment] = field(default_factory=dict)


def findings(books: Books, ledger: Ledger, now: datetime) -> tuple[Finding, ...]:
    """Returns all that differs in an account's books at the instant `now`, by rule."""
    return (
        *_payments(books, ledger, now),
        *_stuck(books, ledger, now),
        *_refunds(books, ledger, now),
        *_disputes(books, ledger, now),
        *_charges(books, ledger),
        *_transits(books, ledger),
        *_looks(books, now),
        *_months(books, now),
        *_periods(books),
        *_one_offs(books),
        *_credit(books),
        *_transfers(books),
    )


def named_payments(books: Books) -> tuple[str, ...]:
    """Returns the payments of the payment service that the books name, the newest last."""
    named: dict[str, None] = {}
    for document in books.documents:
        if document.payment.payment_intent_id is not None:
            named[document.payment.payment_intent_id] = None
        for entry in document.payment.entries:
            payment = entry.reference if entry.kind is EntryKind.CHARGED else entry.payment
            if payment is not None:
                named[payment] = None
    return tuple(named)


def may_have_more(books: Books, payment: LedgerPayment) -> tuple[bool, bool]:
    """Whether a payment may have refunds, and disputes: its charge names some, or the books do."""
    refunded = payment.has_refunds or any(
        document.payment.is_credit_note and document.payment.payment_intent_id == payment.id
        for document in books.documents
    )
    refunds = (EntryKind.RETURNED, EntryKind.REFUND_BEGUN, *_REFUNDED)
    disputes = (EntryKind.DISPUTED, EntryKind.CHARGED_BACK)
    return (
        refunded or any(entry.payment == payment.id for _, entry in books.entries(*refunds)),
        payment.has_disputes or any(entry.payment == payment.id for _, entry in books.entries(*disputes)),
    )


def next_comparison(books: Books, found: Sequence[Finding], today: date) -> date:
    """Returns the day of the next comparison: tomorrow while money is in motion or something differs."""
    days = [document.produced_on for document in books.documents]
    days += [entry.on for document in books.documents for entry in document.payment.entries]
    in_transit = any(document.payment.is_in_transit for document in books.documents)
    moves = in_transit or any(day > today - MOTION for day in days)
    return today + (NIGHT if moves or found else ROUND)


def compare_register(
    series: str, year: int, entries: Iterable[RegisteredNumber], counter: SeriesCounter
) -> Finding | None:
    """Returns what is wrong with the register of a series and year, None where it is right (register_faults)."""
    faults = register_faults(entries, counter)
    if not faults:
        return None
    more = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
    return Finding(
        Rule.REGISTER_BROKEN,
        None,
        f"{series}-{year}",
        None,
        f"{counter.registered_from} to {counter.count}",
        f"{faults[0]}{more}",
    )


# ---- What the payment service has, and the books must have ----


def _payments(books: Books, ledger: Ledger, now: datetime) -> Iterator[Finding]:
    """Each payment that has succeeded is charged to invoices as a whole, in its currency, to this account.

    One that no invoice keeps is to be refunded: one in another currency, or of an account without an invoice.
    """
    charged = [*books.entries(EntryKind.CHARGED)]
    for payment in _ours(ledger):
        shares = [(document, entry.amount) for document, entry in charged if entry.reference == payment.id]
        invoice = shares[0][0].number if shares else payment.invoice
        currency = shares[0][0].currency if shares else payment.amount.currency
        booked = Money(sum(amount for _, amount in shares), currency)
        owners = (payment.account, payment.customer_account)
        others = [each for each in owners if each is not None and each != books.account.id]
        if others or currency != payment.amount.currency:
            yield _finding(
                books,
                Rule.PAYMENT_FOREIGN,
                payment.id,
                invoice,
                f"{books.account.id} {booked.currency}",
                f"{next(iter(others), books.account.id)} {payment.amount.currency}",
                booked if shares else None,
                payment.amount,
            )
        elif (
            payment.state is ChargeState.SUCCEEDED
            and payment.made_at <= now - SETTLING
            and not _is_same(booked, payment.amount)
            and (shares or not _is_refunded(payment))
            and not _is_looked_at(books, payment.id, now)
        ):
            yield _finding(
                books,
                Rule.PAYMENT_NOT_BOOKED,
                payment.id,
                invoice,
                "charged",
                "charged" if shares else "nothing",
                payment.amount,
                booked,
            )


def _stuck(books: Books, ledger: Ledger, now: datetime) -> Iterator[Finding]:
    """No payment is in transit for longer than PROCESSING_MAX."""
    for payment in _ours(ledger):
        if payment.state is ChargeState.IN_TRANSIT and payment.made_at < now - PROCESSING_MAX:
            since = f"in_transit since {payment.made_at.date()}"
            yield _finding(
                books, Rule.PAYMENT_STUCK, payment.id, payment.invoice, "an end", since, found_amount=payment.amount
            )


_REFUNDED = (EntryKind.REFUND_DONE, EntryKind.REFUNDED_OUTSIDE, EntryKind.CREDIT_REFUNDED)
_REFUND_UNDONE = (EntryKind.REFUND_FAILED, EntryKind.REFUND_OUTSIDE_FAILED, EntryKind.CREDIT_REFUND_FAILED)


def _refunds(books: Books, ledger: Ledger, now: datetime) -> Iterator[Finding]:
    """Each refund is booked once and in its final state; and each that is booked exists.

    It is of a credit note, of the credit that an invoice holds, or made at the payment service itself; or it is what
    staff have recorded as repaid. One of a payment that no invoice keeps is not booked.
    """
    booked = [*books.entries(*_REFUNDED)]
    charged = {entry.reference for _, entry in books.entries(EntryKind.CHARGED)}
    by_hand = Counter(_units(document, entry) for document, entry in books.entries(EntryKind.REPAID_BY_HAND))
    nameless = Counter(
        (document.payment.payment_intent_id, _units(document, entry))
        for document, entry in booked
        if entry.reference is None
    )
    made = {each.refund.id: (payment, each) for payment in _ours(ledger) for each in payment.refunds}
    for identity, (payment, each) in made.items():
        refund = each.refund
        shares = [(document, entry) for document, entry in booked if entry.reference == identity]
        invoice = shares[0][0].number if shares else refund.credit_note
        expected, found = _stands(refund), Money(_booked_of(books, identity), refund.amount.currency)
        # One that was made at the payment service itself is booked while it is pending, as soon as it is heard of.
        is_on_its_way = refund.state is RefundState.PENDING and _is_same(found, refund.amount) and not _done(shares)
        is_unkept = payment.id not in charged and not shares
        if each.made_at > now - SETTLING or is_on_its_way or is_unkept or _is_same(found, expected):
            continue
        missing = charged_units(expected) - charged_units(found)
        if missing > 0:
            if nameless[refund.payment, missing]:  # the first refunds were kept without their id
                nameless[refund.payment, missing] -= 1
                continue
            if refund.credit_note is None and by_hand[missing]:
                by_hand[missing] -= 1
                continue
        yield _finding(
            books,
            Rule.REFUND_NOT_BOOKED,
            str(identity),
            invoice,
            refund.state.value,
            "done" if found.amount else "nothing",
            expected,
            found,
        )
    for document, entry in booked:
        source = entry.payment or document.payment.payment_intent_id
        if entry.reference is not None and entry.reference not in made and source in ledger.payments:
            yield _finding(
                books,
                Rule.REFUND_NOT_BOOKED,
                entry.reference,
                document.number,
                "nothing",
                "done",
                Money(0, document.currency),
                Money(entry.amount, document.currency),
            )


def _units(document: BookedDocument, entry: Entry) -> int:
    """An amount as the payment service counts it."""
    return charged_units(Money(entry.amount, document.currency))


def _stands(refund: Refund) -> Money:
    """What a refund has given back for good."""
    return refund.amount if refund.state is RefundState.DONE else Money(0, refund.amount.currency)


def _booked_of(books: Books, refund: str | None) -> int:
    """What the books say that a refund has given back. One that has failed at once was never done."""
    done, undone = (
        sum(entry.amount for _, entry in books.entries(*kinds) if entry.reference == refund)
        for kinds in (_REFUNDED, _REFUND_UNDONE)
    )
    return max(0, done - undone)


def _done(shares: Sequence[tuple[BookedDocument, Entry]]) -> bool:
    return any(entry.kind is EntryKind.REFUND_DONE for _, entry in shares)


def _disputes(books: Books, ledger: Ledger, now: datetime) -> Iterator[Finding]:
    """Each dispute of a payment is known, with its end."""
    kinds = {
        DisputeState.OPEN: (EntryKind.DISPUTED, EntryKind.CHARGED_BACK),
        DisputeState.LOST: (EntryKind.CHARGED_BACK,),
        DisputeState.WON: (EntryKind.CHARGE_BACK_WON, EntryKind.DISPUTE_CLOSED),
    }
    for payment in _ours(ledger):
        charged = sum(entry.amount for _, entry in books.entries(EntryKind.CHARGED) if entry.reference == payment.id)
        for each in payment.disputes:
            dispute = each.dispute
            known = {entry.kind for document in books.documents for entry in _of(document, dispute.id)}
            if each.made_at > now - SETTLING or (dispute.state is DisputeState.WON and not known):
                continue
            wanted = kinds[dispute.state]
            expected = Money(min(charged, dispute.amount.amount), dispute.amount.currency)
            sums = [
                sum(entry.amount for _, entry in books.entries(kind) if _is_of(entry, dispute.id)) for kind in wanted
            ]
            if charged and max(sums) != expected.amount:
                found = "known" if known else "nothing"
                yield _finding(
                    books,
                    Rule.DISPUTE_NOT_BOOKED,
                    dispute.id,
                    payment.invoice,
                    dispute.state.value,
                    found,
                    expected,
                    Money(max(sums), expected.currency),
                )


# ---- What the books have, and the payment service must have ----


def _charges(books: Books, ledger: Ledger) -> Iterator[Finding]:
    """Each charge in the books is a payment that has succeeded."""
    for document, entry in books.entries(EntryKind.CHARGED):
        payment = ledger.payments.get(entry.reference or "")
        if entry.reference is None or (payment is not None and payment.state is ChargeState.SUCCEEDED):
            continue
        amount = Money(entry.amount, document.currency)
        yield _finding(
            books,
            Rule.CHARGE_NOT_CONFIRMED,
            f"{document.number} {entry.reference}",
            document.number,
            ChargeState.SUCCEEDED.value,
            "nothing" if payment is None else payment.state.value,
            amount,
        )


def _transits(books: Books, ledger: Ledger) -> Iterator[Finding]:
    """Each invoice in transit has a payment that is in transit. One that has succeeded is to be charged."""
    for document in books.documents:
        payment = document.payment
        if payment.status is not InvoiceStatus.IN_TRANSIT or payment.is_credit_note:
            continue
        current = ledger.payments.get(payment.payment_intent_id or "")
        state = None if current is None else current.state
        if state not in {ChargeState.IN_TRANSIT, ChargeState.SUCCEEDED}:
            yield _finding(
                books,
                Rule.TRANSIT_NOT_CONFIRMED,
                document.number,
                document.number,
                ChargeState.IN_TRANSIT.value,
                "nothing" if state is None else state.value,
                Money(payment.left, document.currency),
            )


def _looks(books: Books, now: datetime) -> Iterator[Finding]:
    """Nothing unpaid waits for a look that is overdue. Each unpaid document has a look to come, or is past due."""
    today = books.account.contract.today(now)
    for document in books.documents:
        payment, look = document.payment, document.payment.next_look_on
        if look is None or not (payment.left or payment.is_in_transit):
            continue
        if document.looked_at is None and payment.remind_on is not None and payment.reminders.is_overlooked:
            continue  # past due since a release without reminders: the next run of collection gives it a plan
        left = Money(payment.left, document.currency)
        if document.looked_at is None or document.looked_at > look:
            wanted = f"a look by {look}"
            found = "nothing" if document.looked_at is None else f"a look on {document.looked_at}"
            yield _finding(books, Rule.LOOK_MISSING, document.number, document.number, wanted, found, left)
        elif look < today - SETTLING:
            yield _finding(
                books, Rule.LOOK_OVERDUE, document.number, document.number, f"a look by {look}", "nothing", left
            )


# ---- What the books say of themselves ----


def _months(books: Books, now: datetime) -> Iterator[Finding]:
    """An account that is served is due for its next contract month."""
    account, contract = books.account, books.account.contract
    if account.status is Status.DEACTIVATED:
        return
    today = contract.today(now)
    latest = max(contract.month_of(today) + 1, account.invoiced_from or 0, 0)
    month = None if books.due is None else books.due.month
    if month is None or month > latest:
        found = "nothing" if month is None else str(contract.month_start(month))
        yield _finding(books, Rule.MONTH_NOT_DUE, "next", None, f"{contract.month_start(latest)} or before", found)
    elif contract.month_start(month) < today - SETTLING and not books.is_waiting:
        yield _finding(
            books,
            Rule.MONTH_NOT_DUE,
            "next",
            None,
            f"{contract.month_start(month)} to be invoiced",
            "not invoiced",
        )


def _periods(books: Books) -> Iterator[Finding]:
    """What a paid period owes is invoiced and not taken back, or to come, by product, and its invoices and credit notes
    say so. What was invoiced elsewhere is taken for owed."""
    documents = {document.number: document for document in books.documents}
    periods = [*books.closed, *([] if books.running is None else [books.running])]
    known = {each.number for period in periods for each in _documents_of(period)}
    for period in periods:
        currency = period.currency_in(books.account.contract)
        subject = f"{period.contract}-{period.first_month}"
        for each in _documents_of(period):
            document = documents.get(each.number or "")
            said = None if document is None else document.lines
            if each.number is None or (document is not None and said is None) or said == each.amounts:
                continue
            yield _finding(
                books,
                Rule.OWED_DIFFERS,
                f"{subject} {each.number}",
                each.number,
                "as in the document",
                "no document" if document is None else "something else",
                None if said is None else Money(_sum(said), currency),
                Money(_sum(each.amounts), currency),
            )
        if any(each.number is None and each.tax is None for each in period.invoiced):
            continue  # invoiced elsewhere
        owed, invoiced = _owed(books, period)
        differing = [product for product in {*owed, *invoiced} if owed.get(product, 0) != invoiced.get(product, 0)]
        if differing:
            yield _finding(
                books,
                Rule.OWED_DIFFERS,
                subject,
                None,
                "owed: " + ", ".join(sorted(product or "discounts" for product in differing)),
                "invoiced and to come",
                Money(sum(owed.get(product, 0) for product in differing), currency),
                Money(sum(invoiced.get(product, 0) for product in differing), currency),
            )
    for document in books.documents:
        if document.stands_for is not None and document.stands_for not in known:
            continue  # a correction is of a period exactly if the invoice is that it corrects
        if document.is_of_a_period and document.number not in known:
            amount = None if document.lines is None else Money(_sum(document.lines), document.currency)
            yield _finding(
                books,
                Rule.OWED_DIFFERS,
                document.number,
                document.number,
                "a paid period",
                "none",
                found_amount=amount,
            )


def _one_offs(books: Books) -> Iterator[Finding]:
    """Each one-off is on the invoices that it names, with what it says, and on no other.

    A line that a credit note has taken back may be on one invoice more: the invoice was corrected. What is open has
    been used by no more than it is.
    """
    documents = {document.number: document for document in books.documents}
    lines = {(each.one_off, document.number): each for document in books.documents for each in document.one_offs}
    marked = {(one_off.id, use.number): use.amount for one_off in books.one_offs for use in one_off.uses if use.number}
    own = books.account.contract.currency
    for (identity, number), amount in marked.items():
        document, line = documents.get(number), lines.get((identity, number))
        is_read = document is None or document.lines is not None
        if is_read and (line is None or line.amount != amount):
            found = "no document" if document is None else "another line"
            currency = own if document is None else document.currency
            said = None if line is None else Money(line.amount, currency)
            subject = f"{identity} {number}"
            expected = Money(amount, currency)
            yield _finding(books, Rule.ONE_OFF_DIFFERS, subject, number, "a line of it", found, expected, said)
    replaced = Counter(identity for (identity, number), line in lines.items() if line.is_credited)
    for (identity, number), line in lines.items():
        if (identity, number) in marked or line.is_credited:
            continue
        if replaced[identity]:
            replaced[identity] -= 1
            continue
        found_amount = Money(line.amount, documents[number].currency)
        subject = f"{identity} {number}"
        yield _finding(
            books, Rule.ONE_OFF_DIFFERS, subject, number, "no line of it", "a line", found_amount=found_amount
        )
    for one_off in books.one_offs:
        if one_off.left < 0 or (one_off.mark is Mark.INVOICED and one_off.left):
            left = Money(one_off.left, one_off.price.currency)
            yield _finding(books, Rule.ONE_OFF_DIFFERS, one_off.id, None, "invoiced once", "something else", None, left)


def _credit(books: Books) -> Iterator[Finding]:
    """The stored credit of each currency is what the entries add up to, and never below zero."""
    own = books.account.contract.currency
    stored = {own: books.credit, **books.other_credit}
    for currency in dict.fromkeys([own, *stored, *(document.currency for document in books.documents)]):
        computed = sum(document.payment.credit for document in books.documents if document.currency == currency)
        if stored.get(currency, 0) == computed >= 0:
            continue
        amounts = Money(computed, currency), Money(stored.get(currency, 0), currency)
        subject = "balance" if currency == own else f"balance {currency}"
        yield _finding(books, Rule.CREDIT_DIFFERS, subject, None, "the sum of the entries", "the balance", *amounts)


def _transfers(books: Books) -> Iterator[Finding]:
    """The shares of each transfer sum to it, and the invoices have them as entries, with what was taken back.

    What an earlier release has recorded has entries only: an invoice may have more of a reference than its transfers.
    """
    recorded: Counter[tuple[str, str]] = Counter()
    taken_back: Counter[tuple[str, str]] = Counter()
    for transfer in books.transfers:
        currency = transfer.amount.currency
        total = Money(sum(share.amount for share in transfer.shares), currency)
        if total != transfer.amount:
            yield _finding(
                books, Rule.TRANSFER_DIFFERS, transfer.id, None, "as received", "its shares", transfer.amount, total
            )
        for share in transfer.shares:
            recorded[share.invoice, transfer.reference] += share.amount
            taken_back[share.invoice, transfer.reference] += share.amount if transfer.taken_back else 0
    for document in books.documents:
        for (number, reference), amount in recorded.items():
            if number != document.number:
                continue
            entries = [*_of(document, reference)]
            came = sum(entry.amount for entry in entries if entry.kind is EntryKind.TRANSFERRED)
            went = sum(entry.amount for entry in entries if entry.kind is EntryKind.TRANSFER_TAKEN_BACK)
            wanted = taken_back[number, reference]
            if came < amount or went != wanted:
                yield _finding(
                    books,
                    Rule.TRANSFER_DIFFERS,
                    f"{number} {reference}",
                    number,
                    "as its transfers",
                    "its entries",
                    Money(amount - wanted, document.currency),
                    Money(came - went, document.currency),
                )


def _documents_of(period: PaidPeriod) -> tuple[PeriodInvoice | TakenBack, ...]:
    """What a paid period knows of its invoices and of the credit notes that take back."""
    return (*period.invoiced, *period.taken_back)


def _owed(books: Books, period: PaidPeriod) -> tuple[dict[str | None, int], dict[str | None, int]]:
    """The net amounts by product that a period owes, and those that are invoiced or to come.

    The running period also owes its months to come. Nothing is compared of one that its next run builds anew, nor of
    one that ended before all of its months were fixed.
    """
    account, contract, due = books.account, books.account.contract, books.due
    invoiced: dict[str | None, int] = {}
    for amounts in period.documents:
        for product, amount in amounts:
            invoiced[product] = invoiced.get(product, 0) + amount
    if period.fixed_through + 1 == period.until_month:
        return owed_by_product(period, contract, None), invoiced
    if period is not books.running or due is None or not period.is_current(contract, due):
        return {}, {}
    ends = contract.month_start(period.until_month)
    for fixed in months_to_fix(account, books.subscription, due, period, ends):
        for line in fixed.lines:
            invoiced[line.product] = invoiced.get(line.product, 0) + line.net.amount
    return owed_by_product(period, contract, books.subscription), invoiced


def _ours(ledger: Ledger) -> Iterator[LedgerPayment]:
    """The payments that carry our metadata."""
    return (each for each in ledger.payments.values() if each.account is not None)


def _is_looked_at(books: Books, payment: str, now: datetime) -> bool:
    """Whether an invoice waits for the end of this payment, and its next look is not overdue.

    The payment service does not say when a debit has ended, only when it was begun.
    """
    today = books.account.contract.today(now)
    return any(
        document.payment.is_in_transit
        and document.payment.payment_intent_id == payment
        and document.payment.next_attempt_on is not None
        and document.payment.next_attempt_on >= today
        for document in books.documents
    )


def _is_refunded(payment: LedgerPayment) -> bool:
    """Whether all of a payment went back."""
    return sum(_stands(each.refund).amount for each in payment.refunds) >= payment.amount.amount


def _is_same(booked: Money, at_service: Money) -> bool:
    """Whether two amounts are the same to the payment service, which charges some currencies in coarser steps."""
    return charged_units(booked) == charged_units(at_service)


def _of(document: BookedDocument, reference: str) -> Iterator[Entry]:
    return (entry for entry in document.payment.entries if _is_of(entry, reference))


def _is_of(entry: Entry, reference: str) -> bool:
    return entry.reference == reference


def _sum(amounts: Amounts) -> int:
    return sum(amount for _, amount in amounts)


def _finding(
    books: Books,
    rule: Rule,
    subject: str,
    invoice: str | None,
    expected: str,
    found: str,
    expected_amount: Money | None = None,
    found_amount: Money | None = None,
) -> Finding:
    return Finding(rule, books.account.id, subject, invoice, expected, found, expected_amount, found_amount)
