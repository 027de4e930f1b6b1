"""GET /accounts: the accounts that the caller belongs to. One query in the caller's own partition."""

from billing.accounts.views import AccountsView, MembershipView
from billing.platform.http.callers import Caller
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, Pages
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Accounts

app = make_api()


@app.get("/accounts")
def list_accounts(
    caller: Caller, accounts: Accounts, pages: Pages, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> AccountsView:
    """The accounts I belong to."""
    mine = accounts.accounts_of(caller.user, limit=limit, after=pages.position(cursor))
    return AccountsView(
        items=[MembershipView.model_validate(each, from_attributes=True) for each in mine.items],
        next_cursor=pages.cursor(mine.last),
    )


handler = entrypoint(app)
