"""Invoices, as Livello keeps them: their numbers, what they say, how they are paid. See billing.store.store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from botocore.exceptions import ClientError

from billing.domain.collection import UNPAID, Payment
from billing.domain.contract import Contract
from billing.domain.errors import ConcurrentChange, NotFound
from billing.domain.events import Event
from billing.domain.information import Area, BillingDetails, CompanyDetails
from billing.domain.invoices import Invoice, InvoiceStatus, IssuedInvoice
from billing.domain.money import Money
from billing.domain.payment import PaymentProfile
from billing.domain.schedules import BillingDue, Job, billing_due_at, start_of
from billing.store import keys, mapping
from billing.store.invoice_mapping import invoice_body, issued_from, payment_from
from billing.store.table import Row, Subscriber, Table, busy_as_concurrent_change, codes, subscriber_from


@dataclass(frozen=True, slots=True)
class Billed:
    """An account with all that its invoices are made of, and what is due of it.

    `credit` is in minor units, with tax. `collect_on` is the day on which its payments are looked at next.
    """

    subscriber: Subscriber
    profile: PaymentProfile
    company: CompanyDetails
    billing: BillingDetails
    due: BillingDue | None
    credit: int
    credit_version: int
    collect_on: date | None


@dataclass(frozen=True, slots=True)
class Kept:
    """An invoice with where its payment stands. `version` counts the changes of the payment."""

    invoice: IssuedInvoice
    payment: Payment
    version: int

    @property
    def left(self) -> Money:
        """What is still to be paid of an invoice, or to be refunded by a credit note, if it is not done."""
        due = self.invoice.draft.due
        if self.invoice.corrects is not None:
            return Money(self.payment.to_refund, due.currency)
        return Money(due.amount - self.payment.waived, due.currency)


class NumberTaken(Exception):
    """Somebody else was given this number; `count` is how many are given by now."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


class InvoiceStore(Table):
    """The invoices in the one table."""

    def __init__(self, table_name: str, client: Any) -> None:
        super().__init__(table_name, client)
        self._given: dict[tuple[str, int], int] = {}

    def billed(self, account: str) -> Billed | None:
        """An account as of now, None without it. One read."""
        partition = keys.account(account)
        renewal, collection = keys.due(Job.RENEWAL), keys.due(Job.COLLECTION)
        company, billing = (keys.PAGE_INFORMATION[area] for area in (Area.COMPANY, Area.BILLING))
        wanted = (keys.PAGE_ACCOUNT, keys.PAGE_SUBSCRIPTION, keys.PAGE_PAYMENT_METHOD, company, billing)
        rows = self._get_all((partition, key) for key in (*wanted, renewal, collection, keys.BALANCE))
        subscriber = subscriber_from(rows, partition)
        if subscriber is None or (partition, company) not in rows or (partition, billing) not in rows:
            return None
        profile, due, balance, collect = (
            rows.get((partition, key)) for key in (keys.PAGE_PAYMENT_METHOD, renewal, keys.BALANCE, collection)
        )
        return Billed(
            subscriber=subscriber,
            profile=PaymentProfile()
            if profile is None
            else mapping.payment_profile_from(profile["body"]["S"], int(profile["version"]["N"])),
            company=mapping.company_from(rows[partition, company]["body"]["S"]),
            billing=mapping.billing_from(rows[partition, billing]["body"]["S"]),
            due=None if due is None else mapping.billing_due_from(due["body"]["S"]),
            credit=0 if balance is None else mapping.parsed(balance["body"]["S"])["credit"],
            credit_version=0 if balance is None else int(balance["version"]["N"]),
            collect_on=None if collect is None else _day_from(collect),
        )

    def numbers_given(self, series: str, year: int) -> int:
        """How many invoices a series had in a year when this process has last heard of it; one get the first time.

        Whoever goes by an older count is told the newer one: NumberTaken.
        """
        if (series, year) not in self._given:
            key = (keys.NUMBERS, keys.series(series, year))
            row = self._get_all([key]).get(key)
            self._given[series, year] = 0 if row is None else int(row["count"]["N"])
        return self._given[series, year]

    def advance(self, billed: Billed, due: BillingDue) -> None:
        """Keeps that a contract month had nothing to invoice. Raises ConcurrentChange. One transaction."""
        subscriber = billed.subscriber
        partition = keys.account(subscriber.account.account)
        actions = [
            self._checking(partition, keys.PAGE_ACCOUNT, subscriber.account.version),
            self._checking(partition, keys.PAGE_SUBSCRIPTION, subscriber.subscription.version),
            self._renewal(billed, due),
        ]
        self._write(actions, ConcurrentChange())

    def issue(
        self, billed: Billed, kept: Kept, series: str, count: int, due: BillingDue, credit: int, event: Event
    ) -> None:
        """Keeps an invoice with its number, the `count`-th of its series and year, with all that follows from it.

        Raises NumberTaken when somebody else has that number, ConcurrentChange when the account, its subscription,
        its credit or what was due is no longer so. One transaction: without it there is neither invoice nor number.
        """
        subscriber, invoice = billed.subscriber, kept.invoice
        partition = keys.account(invoice.account)
        actions = [
            self._checking(partition, keys.PAGE_ACCOUNT, subscriber.account.version),
            self._checking(partition, keys.PAGE_SUBSCRIPTION, subscriber.subscription.version),
            self._renewal(billed, due),
            self._invoice(kept),
            self._event(event),
        ]
        if kept.payment.next_attempt_on is not None:
            actions.append(self._collection(billed, _earliest(billed.collect_on, kept.payment.next_attempt_on)))
        if credit != billed.credit:
            body = mapping.text({"credit": credit})
            actions.append(self._replacing(partition, keys.BALANCE, billed.credit_version, body))
        self._write_numbered(actions, series, invoice.produced_on.year, count)

    def correct(
        self,
        billed: Billed,
        corrected: Kept,
        payment: Payment,
        credit_note: Kept,
        series: str,
        count: int,
        credit: int,
        collect_on: date | None,
        event: Event,
    ) -> None:
        """Keeps a credit note with its number, and where the invoice that it corrects stands then.

        Raises NumberTaken, or ConcurrentChange when the invoice's payment, or the account's credit, is no longer so.
        One transaction: money moves only with the document that says why.
        """
        partition = keys.account(credit_note.invoice.account)
        actions = [
            self._requiring(partition),
            self._invoice(Kept(corrected.invoice, payment, corrected.version)),
            self._invoice(credit_note),
            self._event(event),
        ]
        if collect_on != billed.collect_on:
            actions.append(self._collection(billed, collect_on))
        if credit != billed.credit:
            body = mapping.text({"credit": credit})
            actions.append(self._replacing(partition, keys.BALANCE, billed.credit_version, body))
        self._write_numbered(actions, series, credit_note.invoice.produced_on.year, count)

    def invoice(self, account: str, number: str) -> Kept:
        """One invoice by its number. Raises NotFound. One query of the account's invoices of that year."""
        year = number.rpartition("-")[0].rpartition("-")[2]
        family = f"{keys.INVOICE}{year}" if year.isdecimal() else keys.INVOICE
        for row in self._query(keys.account(account), family, keys.last_of(family)):
            if row["sk"]["S"].endswith(f"#{number}"):
                return _kept_from(row)
        raise NotFound("There is no such invoice.")

    def unpaid(self, account: str) -> tuple[Kept, ...]:
        """The invoices that are not paid, oldest first, those in transit among them. One query of all invoices."""
        found = self._query(keys.account(account), keys.INVOICE, keys.last_of(keys.INVOICE))
        waiting = {*UNPAID, InvoiceStatus.IN_TRANSIT}
        return tuple(_kept_from(row) for row in found if mapping.invoice_from(row["body"]["S"]).status in waiting)

    def invoices(
        self, account: str, *, year: int | None, status: InvoiceStatus | None, limit: int, after: str | None
    ) -> tuple[tuple[Invoice, ...], str | None]:
        """A part of the invoices of a year, or of all, newest first, and what leads to the rest. One query."""
        family = keys.INVOICE if year is None else f"{keys.INVOICE}{year:04}"
        before = keys.last_of(family) if after is None else keys.INVOICE + after
        found: list[Invoice] = []
        last: str | None = None
        for row in self._query(keys.account(account), family, before, newest_first=True):
            if row["sk"]["S"] == before:
                continue
            invoice = mapping.invoice_from(row["body"]["S"])
            if status is not None and invoice.status is not status:
                continue
            if len(found) == limit:
                return tuple(found), last
            found.append(invoice)
            last = row["sk"]["S"].removeprefix(keys.INVOICE)
        return tuple(found), None

    def past_due(self, *, limit: int, after: str | None) -> tuple[tuple[Kept, ...], str | None]:
        """The invoices of all accounts that are past due, the longest due first. One query of the index."""
        first = " " if after is None else keys.behind(after)
        rows = [*self._query(keys.PAST_DUE, first, keys.last_of("9"), limit=limit + 1, index=keys.INDEX)]
        last = rows[limit - 1]["gsi1sk"]["S"] if len(rows) > limit else None
        return tuple(map(_kept_from, rows[:limit])), last

    def keep_payment(self, kept: Kept, payment: Payment) -> Kept:
        """Keeps a step of a payment of which nobody is told. Raises ConcurrentChange. One transaction."""
        changed = Kept(kept.invoice, payment, kept.version)
        self._write([self._requiring(keys.account(kept.invoice.account)), self._invoice(changed)], ConcurrentChange())
        return Kept(kept.invoice, payment, kept.version + 1)

    def settle(
        self, billed: Billed, kept: Kept, payment: Payment, collect_on: date | None, events: Sequence[Event]
    ) -> None:
        """Keeps what became of a payment, when the account is looked at next, and tells it.

        Raises ConcurrentChange when the payment, or that day, is no longer what it was. One transaction.
        """
        changed = Kept(kept.invoice, payment, kept.version)
        actions = [
            self._requiring(keys.account(kept.invoice.account)),
            self._invoice(changed),
            self._collection(billed, collect_on),
            *map(self._event, events),
        ]
        self._write(actions, ConcurrentChange())

    def collect_on(self, billed: Billed, day: date | None) -> None:
        """Keeps when the account's payments are looked at next. Raises ConcurrentChange. One transaction."""
        partition = keys.account(billed.subscriber.account.account)
        self._write([self._requiring(partition), self._collection(billed, day)], ConcurrentChange())

    def schedule(self, billed: Billed, due: BillingDue) -> None:
        """Makes invoices due for an account for which none are. Raises ConcurrentChange. One transaction."""
        self._write(
            [self._requiring(keys.account(billed.subscriber.account.account)), self._renewal(billed, due)],
            ConcurrentChange(),
        )

    # ---- How ----

    def _write_numbered(self, actions: list[dict[str, Any]], series: str, year: int, count: int) -> None:
        """All or nothing, with the `count`-th number of a series and year. Raises NumberTaken, ConcurrentChange."""
        try:
            with busy_as_concurrent_change():
                self._client.transact_write_items(TransactItems=[self._number(series, year, count), *actions])
        except ClientError as failure:
            if "ConditionalCheckFailed" not in codes(failure):
                raise
            reasons: Any = failure.response.get("CancellationReasons", [{}])
            number, *others = reasons
            if number.get("Code") == "ConditionalCheckFailed" and not any(
                each.get("Code") == "ConditionalCheckFailed" for each in others
            ):
                given = int(number["Item"]["count"]["N"]) if "Item" in number else 0
                self._given[series, year] = given
                raise NumberTaken(given) from failure
            raise ConcurrentChange from failure
        self._given[series, year] = count

    def _number(self, series: str, year: int, count: int) -> dict[str, Any]:
        """Gives the next number: gapless, because whoever comes with an older count is turned away."""
        item = {
            "pk": {"S": keys.NUMBERS},
            "sk": {"S": keys.series(series, year)},
            "count": {"N": str(count)},
        }
        condition: dict[str, Any] = (
            {"ConditionExpression": "attribute_not_exists(pk)"}
            if count == 1
            else {
                "ConditionExpression": "#count = :before",
                "ExpressionAttributeNames": {"#count": "count"},
                "ExpressionAttributeValues": {":before": {"N": str(count - 1)}},
            }
        )
        return {
            "Put": {
                "TableName": self._table,
                "Item": item,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                **condition,
            }
        }

    def _invoice(self, kept: Kept) -> dict[str, Any]:
        """The invoice with its payment, new where its version is 0."""
        invoice, payment = kept.invoice, kept.payment
        action = self._replacing(
            keys.account(invoice.account),
            keys.invoice(invoice.produced_on, invoice.number),
            kept.version,
            invoice_body(invoice, payment),
        )
        if payment.status is InvoiceStatus.PAST_DUE:
            item = action["Put"]["Item"]
            item["gsi1pk"] = {"S": keys.PAST_DUE}
            item["gsi1sk"] = {"S": f"{invoice.due_on.isoformat()}#{invoice.account}#{invoice.number}"}
        return action

    def _renewal(self, billed: Billed, due: BillingDue, contract: Contract | None = None) -> dict[str, Any]:
        """What is invoiced next, on the account's contract or on a new one."""
        account = billed.subscriber.account
        at = billing_due_at(due, contract or account.contract)
        put = self._due_item(account.account, Job.RENEWAL, at, mapping.billing_due_body(due))
        before = None if billed.due is None else mapping.billing_due_body(billed.due)
        return {"Put": put | _as_it_was(before)}

    def _collection(self, billed: Billed, day: date | None) -> dict[str, Any]:
        account = billed.subscriber.account
        before = _as_it_was(None if billed.collect_on is None else _day_body(billed.collect_on))
        if day is None:
            gone = self._deleting(keys.account(account.account), keys.due(Job.COLLECTION))
            return {"Delete": gone["Delete"] | before}
        at = start_of(day, account.contract)
        return {"Put": self._due_item(account.account, Job.COLLECTION, at, _day_body(day)) | before}


def _earliest(one: date | None, other: date) -> date:
    return other if one is None else min(one, other)


def _as_it_was(body: str | None) -> dict[str, Any]:
    if body is None:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {"ConditionExpression": "body = :before", "ExpressionAttributeValues": {":before": {"S": body}}}


def _day_body(day: date) -> str:
    return mapping.text({"on": day})


def _day_from(row: Row) -> date:
    return date.fromisoformat(mapping.parsed(row["body"]["S"])["on"])


def _kept_from(row: Row) -> Kept:
    stored = row["body"]["S"]
    return Kept(issued_from(stored), payment_from(stored), int(row["version"]["N"]))
