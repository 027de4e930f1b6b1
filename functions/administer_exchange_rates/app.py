"""/exchange-rates and /tax-rates, the accounts that wait for one, and those that are exempt from tax: for staff."""

from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import StaffOnly
from billing.invoicing.exchange_rates.replace import replace_rates
from billing.invoicing.exchange_rates.views import (
    DailyRatesBody,
    DailyRatesView,
    ExchangeRatesView,
    RateDay,
    WaitingAccountsView,
    WaitingAccountView,
)
from billing.invoicing.exemptions.views import ExemptAccountsView, ExemptAccountView
from billing.invoicing.tax_rates.replace import replace_tax_rates
from billing.invoicing.tax_rates.views import (
    TaxRateAwaitedView,
    TaxRatesAwaitedView,
    TaxRatesBody,
    TaxRatesView,
)
from billing.kernel.errors import NotFound
from billing.kernel.permissions import Permission, Person
from billing.platform.http.answers import Tagged, tagged
from billing.platform.http.callers import Context, Now
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, OfClock, Pages
from billing.platform.http.preconditions import IfMatch, IfNoneMatch, replaced_version
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import ExchangeRates, Exemptions, SellerPlace, TaxRateTable

MayAdminister = Annotated[Person, StaffOnly(Permission.ADMINISTER_EXCHANGE_RATES)]
MayAdministerTax = Annotated[Person, StaffOnly(Permission.ADMINISTER_TAX_RATES)]

app = make_api()


@app.get("/exchange-rates")
def get_exchange_rates(
    _: MayAdminister, rates: ExchangeRates, pages: Pages, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> ExchangeRatesView:
    """The days that have exchange rates, the newest first."""
    page = rates.all_rates(limit=limit, after=pages.position(cursor))
    return ExchangeRatesView(
        items=[DailyRatesView.of(each) for each in page.items], next_cursor=pages.cursor(page.last)
    )


@app.get("/exchange-rates/<day>")
def get_exchange_rates_of_day(day: RateDay, _: MayAdminister, rates: ExchangeRates) -> Tagged[DailyRatesView]:
    """The exchange rates of a day."""
    known = rates.rates(day)
    if known is None:
        raise NotFound("There are no exchange rates of this day.")
    return tagged(DailyRatesView.of(known), known.version)


@app.put("/exchange-rates/<day>")
def put_exchange_rates(
    day: RateDay,
    body: DailyRatesBody,
    _: MayAdminister,
    context: Context,
    rates: ExchangeRates,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Tagged[DailyRatesView]:
    """Give the exchange rates of a day, or correct them. Invoices that wait for them are issued by the next run."""
    replaces = replaced_version(if_match, if_none_match)
    changed = replace_rates(body.value(day), replaces, context=context, store=rates)
    return tagged(DailyRatesView.of(changed), changed.version)


@app.get("/invoicing/awaiting-rates")
def get_accounts_awaiting_rates(
    _: MayAdminister,
    rates: ExchangeRates,
    pages: Pages,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    test_clock: OfClock = None,
) -> WaitingAccountsView:
    """The accounts whose next invoice waits for an exchange rate, the earliest day first."""
    page = rates.waiting(limit=limit, after=pages.position(cursor), clock=test_clock)
    return WaitingAccountsView(
        items=[WaitingAccountView.of(each) for each in page.items], next_cursor=pages.cursor(page.last)
    )


@app.get("/tax-rates")
def get_tax_rates(_: MayAdministerTax, table: TaxRateTable, seller: SellerPlace, now: Now) -> Tagged[TaxRatesView]:
    """The tax rates of a seller outside of the EU, with what held before."""
    known = table.tax_rates()
    return tagged(TaxRatesView.of(known, seller, now), known.version)


@app.put("/tax-rates")
def put_tax_rates(
    body: TaxRatesBody,
    _: MayAdministerTax,
    context: Context,
    table: TaxRateTable,
    seller: SellerPlace,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Tagged[TaxRatesView]:
    """Give the tax rates of a seller outside of the EU. Invoices that wait for them are issued by the next run."""
    replaces = replaced_version(if_match, if_none_match)
    changed = replace_tax_rates(body.values(), replaces, seller=seller, context=context, store=table)
    return tagged(TaxRatesView.of(changed, seller, context.time), changed.version)


@app.get("/invoicing/awaiting-tax-rates")
def get_accounts_awaiting_tax_rates(
    _: MayAdministerTax,
    table: TaxRateTable,
    pages: Pages,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    test_clock: OfClock = None,
) -> TaxRatesAwaitedView:
    """The accounts whose next invoice waits for a tax rate, the earliest day first."""
    page = table.awaiting_tax(limit=limit, after=pages.position(cursor), clock=test_clock)
    return TaxRatesAwaitedView(
        items=[TaxRateAwaitedView.of(each) for each in page.items], next_cursor=pages.cursor(page.last)
    )


@app.get("/tax-exemptions")
def get_exempt_accounts(
    _: MayAdministerTax,
    exemptions: Exemptions,
    pages: Pages,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    test_clock: OfClock = None,
) -> ExemptAccountsView:
    """The accounts that are exempt from tax, or were, by the end of their last exemption."""
    page = exemptions.exempt_accounts(limit=limit, after=pages.position(cursor), clock=test_clock)
    return ExemptAccountsView(
        items=[ExemptAccountView.of(each) for each in page.items], next_cursor=pages.cursor(page.last)
    )


handler = entrypoint(app)
