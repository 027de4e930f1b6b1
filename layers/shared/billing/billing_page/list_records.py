"""Finds the accounts of a list by index, and reads them from the table (decision 0035)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from urllib.parse import quote, unquote

from billing.accounts.information import Area
from billing.accounts.mapping import account_from, billing_from, company_from
from billing.accounts.records import vat_number_list
from billing.accounts.rules import Status
from billing.billing_page.listing import Asked, Candidate, Found, ListedAccount
from billing.invoicing.invoices import InvoiceStatus
from billing.invoicing.summary_mapping import invoice_from
from billing.kernel.account_ids import clock_of
from billing.kernel.searching import search_text
from billing.payments.mapping import shown_payment_method_from
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.reader import Row
from billing.platform.dynamodb.table import Table
from billing.scaling.decision_mapping import settings_from

_COMPANY, _BILLING = keys.page_information(Area.COMPANY), keys.page_information(Area.BILLING)
_READ = (keys.PAGE_ACCOUNT, _COMPANY, _BILLING, keys.PAGE_PAYMENT_METHOD, keys.AUTOSCALING)

ACCOUNTS_AT_ONCE = 100 // len(_READ)
"""How many accounts one read of a hundred items returns."""

Places = Iterator[tuple[str, Row]]
Part = tuple[Callable[[str], Places], Callable[[Row], Found]]
"""A part of a list: its rows from a sort key on, and what such a row has found."""


class AccountListStore(Table):
    """Reads the lists of all accounts."""

    def candidates(self, asked: Asked, now: datetime, *, after: str | None, at_once: int) -> Iterator[Candidate]:
        """The accounts that may fit, in the order of their list. One query per partition of it and `at_once` rows.

        A search by name has two parts: what has this id or VAT number, then the names. A position that was made up
        leads to no other list.
        """
        parts = self._parts(asked, now, at_once)
        number, _, place = (after or "0:").partition(":")
        if not (number.isascii() and number.isdigit() and int(number) < len(parts)):
            return
        position = unquote(place)
        for at, (rows, found) in enumerate(parts):
            if at < int(number):
                continue
            begin = keys.after(position) if position and at == int(number) else " "
            for key, row in rows(begin):
                account = row.partition.removeprefix(keys.account(""))
                if clock_of(account) != asked.clock:
                    continue  # the text of a search may be the name of another list
                yield Candidate(account, found(row), key, f"{at}:{quote(key)}")

    def read(self, accounts: Iterable[str]) -> dict[str, ListedAccount]:
        """Up to ACCOUNTS_AT_ONCE accounts by id, without those that are deleted. One strongly consistent read."""
        ids = list(dict.fromkeys(accounts))
        rows = self._reads.get_all((keys.account(each), key) for each in ids for key in _READ)
        listed = {}
        for each in ids:
            page = {key: rows.get((keys.account(each), key)) for key in _READ}
            account, company, billing = page[keys.PAGE_ACCOUNT], page[_COMPANY], page[_BILLING]
            method, settings = page[keys.PAGE_PAYMENT_METHOD], page[keys.AUTOSCALING]
            if account is not None and company is not None and billing is not None:
                listed[each] = ListedAccount(
                    account_from(account.body, account.version),
                    company_from(company.body),
                    billing_from(billing.body).email,
                    None if method is None else shown_payment_method_from(method.body),
                    None if settings is None else settings_from(settings.body, settings.version).pause,
                )
        return listed

    def first_past_due(self, account: str) -> str | None:
        """The place of the account's first past due invoice in their list, None without one. One query of summaries."""
        rows = self._reads.query(keys.account(account), keys.INVOICE, keys.last_of(keys.INVOICE), consistent=True)
        invoices = map(invoice_from, (row.body for row in rows))
        late = (each for each in invoices if each.status is InvoiceStatus.PAST_DUE)
        return min((keys.past_due(each.due_on, account, each.number) for each in late), default=None)

    def _parts(self, asked: Asked, now: datetime, at_once: int) -> list[Part]:
        """The parts of the narrowest list that has all accounts that fit."""

        def on_clock(lists: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
            return [(keys.on_clock(partition, asked.clock), index) for partition, index in lists]

        def of(lists: Iterable[tuple[str, str]], last: str, found: Found, first: str = " ") -> Part:
            def rows(begin: str) -> Places:
                return self._reads.merged(on_clock(lists), max(first, begin), last, at_once=at_once)

            return rows, lambda _: found

        whole = keys.last_listed("")
        if asked.search is not None and asked.searches_address:
            return [of([(keys.e_mail(asked.search), keys.LIST_INDEX)], whole, Found.ADDRESS)]
        if asked.search is not None:
            number = of([(vat_number_list(asked.search), keys.INDEX)], whole, Found.VAT_NUMBER)
            return [self._of_id(asked.search, asked.clock), number, self._named(asked.search, asked.clock, at_once)]
        if asked.past_due:
            # Those of a release before are in the first index.
            both = [(keys.PAST_DUE, keys.LIST_INDEX), (keys.PAST_DUE, keys.INDEX)]
            return [of(both, whole, Found.PAST_DUE)]
        day = now.date()  # in UTC: the account's own day may be the one before or after
        if asked.usable_method is False:
            tomorrow = (day + timedelta(days=1)).isoformat()
            return [of([(keys.METHODS, keys.LIST_INDEX)], tomorrow, Found.FILTER)]
        if asked.paused:
            return [of([(keys.PAUSED, keys.LIST_INDEX)], whole, Found.FILTER, first=day.isoformat())]
        if asked.status not in {None, Status.ACTIVE}:
            return [of([(keys.accounts_in(str(asked.status)), keys.INDEX)], whole, Found.FILTER)]
        return [of([(each, keys.LIST_INDEX) for each in keys.list_shards(keys.ACCOUNTS)], whole, Found.FILTER)]

    def _of_id(self, search: str, clock: str | None) -> Part:
        account = search_text(search)

        def rows(begin: str) -> Places:
            partition = keys.account(account)
            may_be_id = len(partition.encode()) <= keys.SEARCHED_BYTES and clock_of(account) == clock
            row = self._reads.get(partition, keys.PAGE_ACCOUNT) if may_be_id and begin <= partition else None
            return iter([] if row is None else [(partition, row)])

        return rows, lambda _: Found.ID

    def _named(self, name: str, clock: str | None, at_once: int) -> Part:
        within = keys.name_key(name)
        partitions = [*keys.list_shards(keys.ACCOUNTS), keys.COMPANIES]

        def rows(begin: str) -> Places:
            lists = [(keys.on_clock(each, clock), keys.LIST_INDEX) for each in partitions]
            return self._reads.merged(lists, max(within, begin), keys.last_listed(within), at_once=at_once)

        return rows, lambda row: Found.NAME if row.key == keys.PAGE_ACCOUNT else Found.COMPANY
