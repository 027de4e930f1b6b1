"""GET /accounts/{account}/usage and …/usage/reduction: usage by day or month, and advice on how to reduce it."""

from datetime import timedelta
from typing import Annotated

from billing.accounts.admission import Admission, Permits
from billing.kernel.permissions import Permission
from billing.platform.http.answers import JSON, Table, negotiated
from billing.platform.http.callers import Now
from billing.platform.http.models import AccountId
from billing.platform.http.resolver import entrypoint, make_api
from billing.platform.http.tables import Accept, AccountTableLocale, preferred_type, table
from billing.scaling.reduction.commands import advise_reduction
from billing.scaling.reduction.views import ReductionsView, ReductionView
from billing.subscriptions.subscriber import Subscriber
from billing.usage.records import UsageStore
from billing.usage.rules import CLOSED_MONTHS, month_before, month_of
from billing.usage.show_usage import lines_of, show_usage
from billing.usage.summary import Grouping, Period, UsageQuery
from billing.usage.views import (
    By,
    From,
    GroupBy,
    OfProduct,
    OfStore,
    Until,
    UsageView,
    sheet,
)
from billing.wiring import Usage, account_store

MayRead = Annotated[Admission, Permits(Permission.READ_USAGE, account_store)]

app = make_api()


@app.get("/accounts/<account>/usage")
def get_usage(
    account: AccountId,
    admission: MayRead,
    usage: Usage,
    now: Now,
    first: From = None,
    until: Until = None,
    by: By = "day",
    group_by: GroupBy = "product",
    product: OfProduct = None,
    of_store: OfStore = None,
    locale: AccountTableLocale = None,
    accept: Accept = None,
) -> Table[UsageView]:
    """Usage in any range of up to 13 months, and where each product stands."""
    subscriber = _admitted(account, admission, usage)
    contract = subscriber.account.contract
    today = contract.today(now)
    query = UsageQuery(
        first=first or month_before(month_of(today), CLOSED_MONTHS),
        until=until or today + timedelta(days=1),
        period=Period(by),
        grouping=Grouping(group_by),
        product=product,
        store=of_store,
    )
    page = show_usage(subscriber, query, today=today, store=usage)
    accepted = preferred_type(accept)
    if accepted != JSON:
        name = f"usage-{account}-{query.first}-{query.until}"
        rows = sheet(page.series, query.period)
        return table(rows, accepted, name, locale, lambda: subscriber.language, narrowed_by="from")
    return negotiated(UsageView.of(page, contract.time_zone))


@app.get("/accounts/<account>/usage/reduction")
def get_reduction(
    account: AccountId, admission: MayRead, usage: Usage, now: Now, product: OfProduct = None
) -> ReductionsView:
    """What to remove to need less: the content that costs most usage and earns least."""
    subscriber = _admitted(account, admission, usage)
    today = subscriber.account.contract.today(now)
    advice = advise_reduction(subscriber, lines_of(subscriber, product, today), today=today, store=usage)
    return ReductionsView(products=[ReductionView.of(each, subscriber.language) for each in advice])


def _admitted(account: str, admission: Admission, usage: UsageStore) -> Subscriber:
    subscriber = usage.subscriber(account)
    admission.admit(subscriber.account)
    return subscriber


handler = entrypoint(app)
