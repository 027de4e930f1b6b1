"""/deletions: for staff, the receipts of accounts that were deleted."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path
from billing.accounts.authorise import authorise_staff
from billing.ending.deletion.views import DeletionsView, DeletionView
from billing.kernel.permissions import Permission
from billing.platform.http.callers import Caller
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, cursor_of, position_of
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Purges

app = make_api()


@app.get("/deletions")
def get_deletions(caller: Caller, purges: Purges, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> DeletionsView:
    """The receipts, newest first."""
    after = position_of(cursor)
    authorise_staff(caller, Permission.READ_DELETIONS)
    found = purges.receipts(limit=limit, after=after)
    return DeletionsView(items=[DeletionView.of(each) for each in found.items], next_cursor=cursor_of(found.last))


@app.get("/deletions/<receipt>")
def get_deletion(receipt: Annotated[str, Path(max_length=40)], caller: Caller, purges: Purges) -> DeletionView:
    """One receipt."""
    authorise_staff(caller, Permission.READ_DELETIONS)
    return DeletionView.of(purges.receipt(receipt))


handler = entrypoint(app)
