"""GET /reconciliation: the differences that the comparison of the books has found. One query."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from billing.accounts.admission import StaffOnly
from billing.invoicing.reconciliation.views import FindingsView, FindingView
from billing.kernel.permissions import Permission, Person
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, Pages
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Reconciliations

MayRead = Annotated[Person, StaffOnly(Permission.READ_RECONCILIATION)]
OfAccount = Annotated[str | None, Query(max_length=100, description="The differences of this account alone.")]

app = make_api()


@app.get("/reconciliation")
def get_reconciliation(
    _: MayRead,
    books: Reconciliations,
    pages: Pages,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    account: OfAccount = None,
) -> FindingsView:
    """The differences in the books of all accounts and in the register of numbers, the oldest first; of one account, by
    rule."""
    found = books.findings(account or None, limit=limit, after=pages.position(cursor))
    return FindingsView(items=[FindingView.of(each) for each in found.items], next_cursor=pages.cursor(found.last))


handler = entrypoint(app)
