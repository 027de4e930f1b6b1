"""Checks of VAT numbers in the table."""

from __future__ import annotations

from dataclasses import dataclass

from billing.accounts.information import Area, CompanyDetails
from billing.accounts.mapping import account_of, company_from, vat_number_due_body, vat_number_due_from
from billing.accounts.rules import Account
from billing.accounts.vat_number_due import VatNumberDue
from billing.invoicing.vat_numbers.mapping import check_body, check_from, outage_body, outage_from
from billing.invoicing.vat_numbers.rules import Outage, VatNumberCheck
from billing.kernel.errors import StaleVersion
from billing.kernel.events import Event
from billing.kernel.schedules import Job
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row, Slice
from billing.platform.dynamodb.table import Table


@dataclass(frozen=True, slots=True)
class VatNumberState:
    """An account with its company, when its VAT number is due, and the last check. Each of the last two may be None."""

    account: Account
    company: CompanyDetails
    company_version: int
    due: VatNumberDue | None
    check: VatNumberCheck | None


@dataclass(frozen=True, slots=True)
class UnconfirmedNumber:
    """A number that awaits staff's decision, and its account."""

    account: str
    check: VatNumberCheck


class VatNumberStore(Table):
    """Reads and writes checks of VAT numbers in the table."""

    def state(self, account: str) -> VatNumberState | None:
        """The state of an account, None without the account. One read."""
        partition, due = keys.account(account), keys.due(Job.VAT_NUMBER)
        company = keys.page_information(Area.COMPANY)
        wanted = (keys.PAGE_ACCOUNT, company, due, keys.PAGE_VAT_CHECK)
        found = self._reads.get_all((partition, key) for key in wanted)
        account_row, company_row, due_row, check_row = (found.get((partition, key)) for key in wanted)
        if account_row is None or company_row is None:
            return None
        return VatNumberState(
            account=account_of(account_row),
            company=company_from(company_row.body),
            company_version=company_row.version,
            due=None if due_row is None else vat_number_due_from(due_row.body),
            check=None if check_row is None else _check_from(check_row),
        )

    def outage(self, country: str, account: str) -> Outage | None:
        """The outage of a member state's register, in VIES's letters, as an account meets it; None without one. One
        get."""
        row = self._reads.get(keys.VAT_NUMBERS, keys.outage(country, account))
        return None if row is None else outage_from(row.body, row.version)

    def save_answer(
        self,
        state: VatNumberState,
        check: VatNumberCheck,
        due: VatNumberDue,
        outage: Outage | None,
        event: Event | None,
    ) -> None:
        """Writes an answer, the next question and the event of a changed answer; ends `outage`, if one is given.

        Raises ConcurrentChange when the company, the due item, the check or the outage has changed. One transaction.
        """
        account = state.account.id
        with self._transaction() as write:
            write.require_account(account)
            write.check(keys.account(account), keys.page_information(Area.COMPANY), state.company_version)
            write.replace(_item(account, check), check.version)
            write.due_if(_due_body(state.due), account, Job.VAT_NUMBER, due.at, vat_number_due_body(due))
            if outage is not None:
                write.delete(keys.VAT_NUMBERS, keys.outage(outage.country, account), version=outage.version)
            if event is not None:
                write.record(event)

    def postpone(self, state: VatNumberState, due: VatNumberDue, outage: Outage, event: Event | None) -> None:
        """Writes the next question after one without an answer, the outage, and the event that tells of it.

        Raises ConcurrentChange when the due item or the outage has changed. One transaction.
        """
        account = state.account.id
        with self._transaction() as write:
            write.require_account(account)
            write.due_if(_due_body(state.due), account, Job.VAT_NUMBER, due.at, vat_number_due_body(due))
            key = keys.outage(outage.country, account)
            write.replace(Item(keys.VAT_NUMBERS, key, outage_body(outage)), outage.version)
            if event is not None:
                write.record(event)

    def stop(self, state: VatNumberState) -> None:
        """Asks no more about the number, and forgets the check: its invoices are no reverse charge.

        Raises ConcurrentChange when the company, the due item or the check has changed. One transaction.
        """
        account = state.account.id
        with self._transaction() as write:
            write.check(keys.account(account), keys.page_information(Area.COMPANY), state.company_version)
            write.due_if(_due_body(state.due), account, Job.VAT_NUMBER, None)
            if state.check is not None:
                write.delete(keys.account(account), keys.PAGE_VAT_CHECK, version=state.check.version)

    def decide(self, state: VatNumberState, check: VatNumberCheck, event: Event) -> None:
        """Writes staff's decision. Raises StaleVersion when the company or the check has changed. One transaction."""
        account = state.account.id
        with self._transaction(StaleVersion()) as write:
            write.check(keys.account(account), keys.page_information(Area.COMPANY), state.company_version)
            write.replace(_item(account, check), check.version)
            write.record(event)

    def evidence(self, account: str, number: str) -> VatNumberCheck | None:
        """What was known when the invoice `number` was issued; None if it relies on no check. One get."""
        row = self._reads.get(keys.account(account), keys.vat_evidence(number))
        return None if row is None else _check_from(row)

    def unconfirmed(self, *, limit: int, after: str | None, clock: str | None = None) -> Slice[UnconfirmedNumber]:
        """A page of the numbers that await a decision, the longest unconfirmed first; of accounts on a test clock if
        one is named. One query of the index."""
        return self._reads.oldest(
            keys.on_clock(keys.VAT_UNCONFIRMED, clock), "", _unconfirmed, limit=limit, after=after, index=keys.INDEX
        )


def _item(account: str, check: VatNumberCheck) -> Item:
    index = (keys.VAT_UNCONFIRMED, f"{check.since}#{account}") if check.awaits_decision else None
    return Item(keys.account(account), keys.PAGE_VAT_CHECK, check_body(check), index=index)


def _due_body(due: VatNumberDue | None) -> str | None:
    return None if due is None else vat_number_due_body(due)


def _check_from(row: Row) -> VatNumberCheck:
    return check_from(row.body, row.version)


def _unconfirmed(row: Row) -> UnconfirmedNumber:
    return UnconfirmedNumber(row.partition.removeprefix(keys.account("")), _check_from(row))
