"""Reads the items of an account's billing page in one query. Several areas read their part through it."""

from __future__ import annotations

from billing.accounts.information import Area, BillingInformation, Information
from billing.accounts.mapping import account_of, billing_from, company_from, contact_from
from billing.accounts.rules import AccountDetails
from billing.kernel.errors import AccountNotFound
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.reader import Reader, Row


def page_rows(
    reads: Reader, account: str, *, invoices: int = 0, consistent: bool = False
) -> tuple[dict[str, Row], list[Row]]:
    """Returns the page's items by sort key, and up to `invoices` of the newest invoices, newest first.

    An eventually consistent read may miss the last moment's changes; `consistent` costs twice the read units. Raises
    AccountNotFound. One query.
    """
    limit = len(keys.PAGE_ITEMS) + invoices
    rows = [
        *reads.query(
            keys.account(account),
            keys.INVOICE if invoices else keys.PAGE,
            keys.last_of(keys.PAGE),
            limit=limit,
            newest_first=True,
            consistent=consistent,
        )
    ]
    page = {row.key: row for row in rows}
    if not page.keys() >= keys.PAGE_ALWAYS:
        # Either there is no account, or it is being provisioned: a query may see a part of a transaction.
        raise AccountNotFound
    return page, [row for row in rows if row.key.startswith(keys.INVOICE)][:invoices]


def details_of(page: dict[str, Row]) -> AccountDetails:
    """The account and its billing information, from the items of `page_rows`."""
    account = page[keys.PAGE_ACCOUNT]
    company, billing, contact = (page[keys.page_information(area)] for area in Area)
    return AccountDetails(
        account_of(account),
        BillingInformation(
            company=Information(company_from(company.body), company.version),
            billing=Information(billing_from(billing.body), billing.version),
            contact=Information(contact_from(contact.body), contact.version),
        ),
    )
