"""/deletions: staff read the receipts of deleted accounts."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path
from billing.accounts.admission import StaffOnly
from billing.ending.deletion.views import DeletionsView, DeletionView
from billing.kernel.permissions import Permission, Person
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, OfClock, Pages
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Purges

MayRead = Annotated[Person, StaffOnly(Permission.READ_DELETIONS)]

app = make_api()


@app.get("/deletions")
def get_deletions(
    _: MayRead,
    purges: Purges,
    pages: Pages,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    test_clock: OfClock = None,
) -> DeletionsView:
    """The receipts, newest first."""
    page = purges.receipts(limit=limit, after=pages.position(cursor), clock=test_clock)
    return DeletionsView(items=[DeletionView.of(each) for each in page.items], next_cursor=pages.cursor(page.last))


@app.get("/deletions/<receipt>")
def get_deletion(
    receipt: Annotated[str, Path(max_length=40)], _: MayRead, purges: Purges, test_clock: OfClock = None
) -> DeletionView:
    """One receipt."""
    return DeletionView.of(purges.receipt(receipt, test_clock))


handler = entrypoint(app)
