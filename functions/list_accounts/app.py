"""GET /accounts: the accounts that the caller belongs to, by one query in their own partition; for staff, all."""

from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query
from billing.accounts.authorise import authorise_staff
from billing.accounts.rules import Status
from billing.accounts.views import AccountsView, MembershipView
from billing.kernel.permissions import Permission
from billing.platform.http.callers import Caller, Now
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, OfClock, Pages
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Accounts, account_list_store, clock_store

SEARCH_LENGTH_MAX = 254
"""An e-mail address is not longer."""

Search = Annotated[
    str | None,
    Query(
        max_length=SEARCH_LENGTH_MAX,
        description="Staff: an id, an e-mail address, a VAT number, or the beginning of a name.",
    ),
]
InStatus = Annotated[
    Literal["active", "cancelling", "deactivated"] | None, Query(description="Staff: only those that stand so.")
]
PastDue = Annotated[bool | None, Query(description="Staff: with a past due invoice, or without.")]
UsableMethod = Annotated[
    bool | None, Query(description="Staff: with a payment method that has not expired, or without.")
]
Paused = Annotated[bool | None, Query(description="Staff: whose autoscaling is paused, or is not.")]

app = make_api()


@app.get("/accounts")
def list_accounts(
    caller: Caller,
    accounts: Accounts,
    pages: Pages,
    now: Now,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    search: Search = None,
    status: InStatus = None,
    past_due: PastDue = None,
    usable_method: UsableMethod = None,
    paused: Paused = None,
    test_clock: OfClock = None,
) -> AccountsView:
    """The accounts I belong to; for staff all accounts, searched and filtered."""
    after = pages.position(cursor)
    if not caller.staff:
        mine = accounts.accounts_of(caller.user, limit=limit, after=after)
        return AccountsView(
            items=[MembershipView.model_validate(each, from_attributes=True) for each in mine.items],
            next_cursor=pages.cursor(mine.last),
        )
    authorise_staff(caller, Permission.LIST_ACCOUNTS)
    # Most requests are by customers, and need none of this.
    from billing.billing_page.list_accounts import list_accounts as list_all
    from billing.billing_page.list_views import listed_view
    from billing.billing_page.listing import Asked

    searched = (search or "").strip() or None
    asked = Asked(searched, None if status is None else Status(status), past_due, usable_method, paused, test_clock)
    if test_clock is not None and (clock := clock_store().find(test_clock)) is not None:
        now = clock.now
    found = list_all(asked, now=now, limit=limit, after=after, store=account_list_store())
    return AccountsView(
        items=[listed_view(each, now) for each in found.items],
        next_cursor=pages.cursor(found.last),
    )


handler = entrypoint(app)
