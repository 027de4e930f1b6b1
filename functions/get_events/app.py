"""GET /accounts/{account}/events: the account's audit log, for its admins and for staff."""

from typing import Annotated

from billing.accounts.admission import Admission, Permits
from billing.correspondence.event_views import EventsView, EventView
from billing.kernel.permissions import Permission
from billing.platform.http.models import AccountId
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, Pages
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Events, account_store

MayRead = Annotated[Admission, Permits(Permission.READ_EVENTS, account_store)]

app = make_api()


@app.get("/accounts/<account>/events")
def get_events(
    account: AccountId,
    admission: MayRead,
    events: Events,
    pages: Pages,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> EventsView:
    """What happened to the account, newest first."""
    admission.account(account)
    page = events.events(account, limit=limit, after=pages.position(cursor))
    return EventsView(items=[EventView.of(each) for each in page.items], next_cursor=pages.cursor(page.last))


handler = entrypoint(app)
