"""/exchange-rates, and the accounts that wait for one: staff give the rates of a day, and correct them."""

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
from billing.kernel.errors import NotFound
from billing.kernel.permissions import Permission, Person
from billing.platform.http.answers import Tagged, tagged
from billing.platform.http.callers import Context
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, OfClock, Pages
from billing.platform.http.preconditions import IfMatch, IfNoneMatch, replaced_version
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import ExchangeRates

MayAdminister = Annotated[Person, StaffOnly(Permission.ADMINISTER_EXCHANGE_RATES)]

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


handler = entrypoint(app)
