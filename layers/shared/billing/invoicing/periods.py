"""What an account owes for its contract months, and what was invoiced for them (decision 0018).

An invoice is what is owed less what was invoiced. Contract months are fixed in order, each as it was known when it
began: a later decision, a late run, or the end of the account changes nothing of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from billing.accounts.rules import Account
from billing.invoicing.due import InvoicingDue
from billing.invoicing.invoices import BillingReason, IssuedInvoice
from billing.invoicing.tax import Tax
from billing.kernel.contract_calendar import Contract
from billing.kernel.money import Money
from billing.subscriptions.pricing import (
    InvoiceLine,
    ProductMonths,
    changes_on,
    changes_within,
    contract_months,
    currency_of,
    joined,
    lines_of,
    months_before,
    steps_from,
)
from billing.subscriptions.rules import Subscription

Amounts = tuple[tuple[str | None, int], ...]
"""Net amounts in minor units, by product; None stands for the discounts on the whole."""


@dataclass(frozen=True, slots=True)
class PeriodInvoice:
    """What one document says of a paid period.

    `number` is None for a total of zero, which has no document, and for what was invoiced elsewhere. `tax` is None for
    the latter.
    """

    number: str | None
    tax: Tax | None
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What was invoiced of a paid period and is not owed: the net `amounts` are those of a credit note, below zero.

    `number` is the credit note's, `corrects` that of the invoice that it names. Both are None for what staff had
    credited already: the invoices had nothing left to take back.
    """

    number: str | None
    corrects: str | None
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What a fixed contract month owes more or, below zero, less than its content says: a net amount of a product.

    Adjustments are only added, each with its reason, by staff. They make no product of a period owe less than nothing.
    """

    month: int
    product: str | None
    amount: int
    reason: str
    by: str
    decided_on: date


@dataclass(frozen=True, slots=True)
class PaidPeriod:
    """A paid period of a contract: the months from `first_month` and before `until_month`.

    `content` is that of the months up to and including `fixed_through`. `contract` counts the account's contracts from
    1, and `start` is the contract's. `active_until` is kept when the contract has ended. `version` counts the writes.
    What the content and the `adjustments` owe is what is `invoiced` less what is `taken_back`, by product. A credit
    note that staff issue is in neither: it reduces what is paid, and not what is owed.
    """

    contract: int
    start: date
    first_month: int
    until_month: int
    fixed_through: int
    content: tuple[ProductMonths, ...]
    invoiced: tuple[PeriodInvoice, ...]
    active_until: date | None = None
    version: int = 0
    taken_back: tuple[TakenBack, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()

    def is_current(self, contract: Contract, due: InvoicingDue) -> bool:
        """Whether the month that is due is the next one of this period.

        It is not where a function of an earlier release has fixed a month, or has reactivated the account.
        """
        return self.start == contract.start and self.fixed_through + 1 == due.month < self.until_month

    def currency_in(self, contract: Contract) -> str:
        """The currency in which the period is paid: that of its months, and without any that of the contract then."""
        if self.content:
            return currency_of(self.content[0])
        return contract.currency_of(self.first_month) if self.start == contract.start else contract.currency

    @property
    def documents(self) -> tuple[Amounts, ...]:
        """What each invoice and each credit note of the period says, the latter below zero."""
        return (*(each.amounts for each in self.invoiced), *(each.amounts for each in self.taken_back))

    def invoiced_of(self, product: str | None) -> int:
        """The net amount that was invoiced of a product and not taken back, in minor units."""
        return sum(amount for amounts in self.documents for known, amount in amounts if known == product)

    def adjusted_of(self, product: str | None) -> int:
        """The net amount of a product that the adjustments add, in minor units."""
        return sum(each.amount for each in self.adjustments if each.product == product)

    def with_invoice(self, number: str | None, tax: Tax, lines: Sequence[InvoiceLine]) -> PaidPeriod:
        """Returns the period after these lines were invoiced under a number, or None for a total of zero."""
        return replace(self, invoiced=(*self.invoiced, PeriodInvoice(number, tax, amounts_of(lines))))

    def with_taken_back(self, number: str | None, corrects: str | None, lines: Sequence[InvoiceLine]) -> PaidPeriod:
        """Returns the period after a credit note of these lines, which names the invoice `corrects`."""
        return replace(self, taken_back=(*self.taken_back, TakenBack(number, corrects, amounts_of(lines))))

    def invoices_with(self, products: Collection[str | None]) -> tuple[str, ...]:
        """The numbers of the period's invoices, in the order in which a credit note of these products names them.

        First those that invoice one of the products, because a credit note corrects what its invoice says; the newest
        first, because it is the last change that is most often taken back, and the invoice that is least often paid.
        """
        numbered = [each for each in reversed(self.invoiced) if each.number is not None and _is_above_zero(each)]
        numbered.sort(key=lambda each: not any(product in products for product, net in each.amounts if net > 0))
        return tuple(each.number for each in numbered if each.number is not None)


@dataclass(frozen=True, slots=True)
class FixedMonth:
    """What follows when a contract month is fixed.

    `since` is the month's first day, the tax point of its invoice; `until` is the first day after its paid period.
    `lines` are what is owed less what was invoiced, by product. `period` is the running one after it, None for a month
    that is not served; `closed` is the one that it takes the place of. Where `net` is below zero, too much was
    invoiced: it is taken back by a credit note, and `corrected` is the invoice that this names first.
    """

    month: int
    since: date
    until: date
    occasion: BillingReason
    lines: tuple[InvoiceLine, ...]
    following: InvoicingDue
    period: PaidPeriod | None
    closed: PaidPeriod | None = None
    corrected: PeriodInvoice | None = None

    @property
    def net(self) -> int:
        """The net amount to be invoiced, in minor units; below zero where it is to be taken back."""
        return sum(line.net.amount for line in self.lines)

    @property
    def takes_one_offs(self) -> bool:
        """Whether one-off charges and goodwill are invoiced with it: it has an invoice, or one that comes to zero."""
        return self.period is not None and bool(self.lines) and self.net >= 0

    @property
    def less_owed(self) -> frozenset[str | None]:
        """The products of which too much was invoiced."""
        return frozenset(line.product for line in self.lines if line.net.amount < 0)


def amounts_of(lines: Sequence[InvoiceLine]) -> Amounts:
    """Returns the net amounts of lines by product. A one-off charge or a goodwill is no part of what months owe."""
    return tuple((line.product, line.net.amount) for line in lines if line.one_off is None)


def fix_month(account: Account, subscription: Subscription, due: InvoicingDue, period: PaidPeriod | None) -> FixedMonth:
    """Fixes the contract month that is due, and returns what follows from it.

    `period` is the running one as stored. Where it is not current, what began before the month was invoiced elsewhere.
    A month on or after the first day not served is not owed. Any other is, whatever the account's status has become.
    """
    contract, month = account.contract, due.month
    since = contract.month_start(month)
    first_month, until_month = contract.paid_period(month)
    until = contract.month_start(until_month)
    if not account.is_served_on(since):
        return FixedMonth(month, since, until, BillingReason.PERIOD, (), InvoicingDue(month + 1), period=None)
    if month == first_month:
        return _open(subscription.known_on(since), contract, month, until, period)
    running = period if period is not None and period.is_current(contract, due) else None
    return _go_on(subscription, contract, due, until, running or elsewhere(subscription, contract, due, period))


def months_to_fix(
    account: Account, subscription: Subscription, due: InvoicingDue, period: PaidPeriod | None, until: date
) -> Iterator[FixedMonth]:
    """Yields what follows from each contract month that begins before `until`, from the one that is due on.

    It is what a run on that day would do: what each month has to invoice counts as invoiced for those after it.
    """
    while account.contract.month_start(due.month) < until:
        fixed = fix_month(account, subscription, due, period)
        yield fixed
        due, period = fixed.following, invoiced_period(fixed, period)


def invoiced_period(fixed: FixedMonth, before: PaidPeriod | None) -> PaidPeriod | None:
    """Returns the running period after a month is fixed and what it has to invoice is invoiced."""
    if fixed.period is None:
        return before
    of_month = PeriodInvoice(None, None, amounts_of(fixed.lines))
    return replace(fixed.period, invoiced=(*fixed.period.invoiced, of_month))


def owed_by_product(period: PaidPeriod, contract: Contract, subscription: Subscription | None) -> dict[str | None, int]:
    """Returns the net amounts by product that a period owes: its fixed months with their adjustments, and with
    `subscription` those to come.

    `contract` is that of the period, or any in its currency where the period has ended.
    """
    months = period.content
    if subscription is not None:
        months = joined(months, contract_months(subscription, contract, period.fixed_through + 1, period.until_month))
    own = replace(contract, start=period.start)
    return {line.product: line.net.amount for line in _owed(months, own, period)}


def rebuilt(
    subscription: Subscription,
    contract: Contract,
    due: InvoicingDue,
    period: PaidPeriod | None,
    invoices: Sequence[IssuedInvoice],
) -> PaidPeriod:
    """Returns the running period of an account for which none is stored, or which an earlier release went on with.

    `invoices` are the account's of these days. What they say of the period's months was invoiced. Without any, what
    begins before the month that is due was invoiced elsewhere. `period` is what is stored, None for nothing.
    """
    assumed = elsewhere(subscription, contract, due, period)
    begins, ends = contract.month_start(assumed.first_month), contract.month_start(assumed.until_month)
    of_the_period = [
        each
        for each in invoices
        if begins <= each.draft.since < ends and each.draft.occasion is not BillingReason.ONE_OFF
    ]
    found = tuple(
        PeriodInvoice(each.number, each.draft.tax, amounts_of(each.draft.lines))
        for each in of_the_period
        if each.corrects is None
    )
    taken_back = tuple(
        TakenBack(each.number, each.corrects.number, amounts_of(each.draft.lines))
        for each in of_the_period
        if each.corrects is not None and each.takes_back
    )
    return replace(assumed, invoiced=found, taken_back=taken_back) if found else assumed


def elsewhere(
    subscription: Subscription, contract: Contract, due: InvoicingDue, period: PaidPeriod | None
) -> PaidPeriod:
    """Returns the running period as if what its months before the due one owe was invoiced elsewhere."""
    first_month, until_month = contract.paid_period(due.month)
    since = contract.month_start(due.month)
    before = _as_invoiced(subscription, due, contract.month_start(due.month - 1))
    whole = contract_months(before, contract, first_month, until_month)
    return PaidPeriod(
        contract=_contract_number(contract, period),
        start=contract.start,
        first_month=first_month,
        until_month=until_month,
        fixed_through=due.month - 1,
        content=months_before(whole, since),
        invoiced=(PeriodInvoice(None, None, amounts_of(lines_of(whole, contract))),),
        version=0 if period is None else period.version,
        adjustments=period.adjustments if period is not None and _is_of(period, contract, first_month) else (),
    )


def _open(
    subscription: Subscription, contract: Contract, month: int, until: date, before: PaidPeriod | None
) -> FixedMonth:
    _, until_month = contract.paid_period(month)
    whole = contract_months(subscription, contract, month, until_month)
    period = PaidPeriod(
        contract=_contract_number(contract, before),
        start=contract.start,
        first_month=month,
        until_month=until_month,
        fixed_through=month,
        content=months_before(whole, contract.month_start(month + 1)),
        invoiced=(),
        version=0 if before is None else before.version,
    )
    return FixedMonth(
        month=month,
        since=contract.month_start(month),
        until=until,
        occasion=BillingReason.PERIOD,
        lines=lines_of(whole, contract),
        following=InvoicingDue(month + 1, changes_within(subscription, contract, month)),
        period=period,
        closed=before,
    )


def _go_on(
    subscription: Subscription, contract: Contract, due: InvoicingDue, until: date, running: PaidPeriod
) -> FixedMonth:
    month, since = due.month, contract.month_start(due.month)
    known = _as_invoiced(subscription, due, since)
    before = _as_invoiced(subscription, due, contract.month_start(month - 1))
    whole = joined(running.content, contract_months(known, contract, month, running.until_month))
    settled = (*due.settled, *(each for each in changes_on(known, since) if each not in due.settled))
    lines = _differences(whole, before, contract, month, running)
    net = sum(line.net.amount for line in lines)
    return FixedMonth(
        month=month,
        since=since,
        until=until,
        occasion=BillingReason.TIER_CHANGE,
        lines=lines,
        following=InvoicingDue(month + 1, settled),
        period=replace(running, fixed_through=month, content=months_before(whole, contract.month_start(month + 1))),
        corrected=_corrected(running, lines) if net < 0 else None,
    )


def _differences(
    whole: tuple[ProductMonths, ...],
    before: Subscription,
    contract: Contract,
    month: int,
    running: PaidPeriod,
) -> tuple[InvoiceLine, ...]:
    """The lines of what is owed less what was invoiced, with the steps from the month on; none where that is equal.

    `before` is the subscription by which these months were invoiced until now.
    """
    differences = [
        (line, net)
        for line in _owed(whole, contract, running)
        if (net := line.net.amount - running.invoiced_of(line.product))
    ]
    if not differences:
        return ()
    since = contract.month_start(month)
    invoiced = {each.product: each.steps for each in contract_months(before, contract, month, running.until_month)}
    return tuple(
        replace(
            line,
            steps=steps_from(since, line.steps),
            instead_of=invoiced.get(line.product, ()),
            net=replace(line.net, amount=net),
        )
        for line, net in differences
    )


def _owed(months: tuple[ProductMonths, ...], contract: Contract, period: PaidPeriod) -> tuple[InvoiceLine, ...]:
    """The lines of what these months of a period owe, with its adjustments.

    No product owes less than nothing, and neither do all together. An adjustment that takes off more has no invoice
    that it could take back.
    """
    lines = [*lines_of(months, contract), *_no_longer_owed(months, contract, period)]
    adjusted = {line.product: line.net.amount + period.adjusted_of(line.product) for line in lines}
    owed: dict[str | None, int] = {product: max(0, net) for product, net in adjusted.items() if product is not None}
    if None in adjusted:
        owed[None] = max(-sum(owed.values()), adjusted[None])
    return tuple(replace(line, net=replace(line.net, amount=owed[line.product])) for line in lines)


def _no_longer_owed(whole: tuple[ProductMonths, ...], contract: Contract, running: PaidPeriod) -> Iterator[InvoiceLine]:
    """A line of zero for each product that was invoiced or adjusted, and that the months do not contain any more."""
    owed = {each.product for each in whole}
    currency = running.currency_in(contract)
    products = dict.fromkeys(product for amounts in running.documents for product, _ in amounts)
    products.update(dict.fromkeys(each.product for each in running.adjustments))
    for product in products:
        if product not in owed:
            yield InvoiceLine(product, product or "", "", (), (), Money(0, currency))


def _as_invoiced(subscription: Subscription, due: InvoicingDue, day: date) -> Subscription:
    """The subscription by which the running period is invoiced when the contract month is fixed that begins on `day`.

    A change is invoiced on the day on which it takes effect, or with the period, if it was known when that began. The
    latter counts until another decision replaces it, however late the run is. What is decided after `day` counts only
    when the next month is fixed: so what is invoiced until then is asked of the first day of the last fixed month. A
    line is invoiced from the day on which it begins.
    """
    counted = [each for each in subscription.changes if each.effective_on <= day or each.decision in due.settled]
    counted += [
        each.change for each in subscription.replaced if each.was_known_on(day) and each.change.decision in due.settled
    ]
    return replace(subscription.begun_by(day), changes=tuple(counted), replaced=())


def _corrected(running: PaidPeriod, lines: Sequence[InvoiceLine]) -> PeriodInvoice | None:
    """The invoice of the period that a credit note of these lines names first."""
    first = next(iter(running.invoices_with({line.product for line in lines if line.net.amount < 0})), None)
    return next((each for each in running.invoiced if each.number == first and first is not None), None)


def _is_above_zero(invoice: PeriodInvoice) -> bool:
    """An earlier release has issued invoices below zero."""
    return sum(amount for _, amount in invoice.amounts) > 0


def _is_of(period: PaidPeriod, contract: Contract, first_month: int) -> bool:
    return period.start == contract.start and period.first_month == first_month


def _contract_number(contract: Contract, period: PaidPeriod | None) -> int:
    if period is None:
        return 1
    return period.contract if period.start == contract.start else period.contract + 1
