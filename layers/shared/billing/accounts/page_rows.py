"""The items of an account's billing page, in one query: several areas show parts of it."""

from __future__ import annotations

from billing.accounts.information import Area, BillingInformation, Information
from billing.accounts.mapping import account_from, billing_from, company_from, contact_from
from billing.accounts.rules import AccountDetails
from billing.kernel.errors import AccountNotFound
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.reader import Reader, Row


def page_rows(
    reads: Reader, account: str, *, invoices: int = 0, consistent: bool = False
) -> tuple[dict[str, Row], list[Row]]:
    """The page's items by sort key, and up to `invoices` of the newest invoices. Raises AccountNotFound. One query.

    Lags behind a change by a moment unless it is read `consistent`, at twice the price.
    """
    limit = len(keys.PAGE_ITEMS) + invoices
    found = reads.query(
        keys.account(account),
        keys.INVOICE if invoices else keys.PAGE,
        keys.last_of(keys.PAGE),
        limit=limit,
        newest_first=True,
        consistent=consistent,
    )
    rows = [*found]
    page = {row.key: row for row in rows}
    if not page.keys() >= keys.PAGE_ALWAYS:
        # It does not exist, or is being provisioned: a query may see a part of a transaction.
        raise AccountNotFound
    return page, [row for row in rows if row.key.startswith(keys.INVOICE)][:invoices]


def details_of(page: dict[str, Row]) -> AccountDetails:
    """The account with its billing information."""
    account = page[keys.PAGE_ACCOUNT]
    company, billing, contact = (page[keys.page_information(area)] for area in Area)
    return AccountDetails(
        account_from(account.body, account.version),
        BillingInformation(
            company=Information(company_from(company.body), company.version),
            billing=Information(billing_from(billing.body), billing.version),
            contact=Information(contact_from(contact.body), contact.version),
        ),
    )
