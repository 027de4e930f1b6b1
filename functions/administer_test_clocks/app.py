"""/test-clocks: staff make, advance and delete test clocks."""

import os
from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import StaffOnly
from billing.kernel.permissions import Permission, Person
from billing.platform.http.answers import Accepted, Created, accepted, created
from billing.platform.http.callers import Context
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, Pages
from billing.platform.http.resolver import entrypoint, make_api
from billing.platform.test_clocks.commands import advance_clock, delete_clock, make_clock, require_clocks
from billing.platform.test_clocks.views import AdvanceBody, ClockId, ClocksView, ClockView, NewClockBody
from billing.wiring import PaymentMethods, TestClocks

MayAdminister = Annotated[Person, StaffOnly(Permission.ADMINISTER_TEST_CLOCKS)]

app = make_api()


@app.get("/test-clocks")
def get_test_clocks(
    _: MayAdminister, clocks: TestClocks, pages: Pages, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> ClocksView:
    """All test clocks, by their ids."""
    page = clocks.clocks(limit=limit, after=pages.position(cursor))
    return ClocksView(items=[ClockView.of(each) for each in page.items], next_cursor=pages.cursor(page.last))


@app.post("/test-clocks", status_code=201)
def post_test_clock(
    body: NewClockBody, _: MayAdminister, context: Context, clocks: TestClocks, methods: PaymentMethods
) -> Created[ClockView]:
    """Make a test clock. Accounts are then provisioned on it. The same request again finds what it made."""
    merchant = methods.merchant()
    are_allowed = os.environ["TEST_CLOCKS"] == "on"
    require_clocks(are_allowed=are_allowed, is_live=merchant is not None and merchant.livemode)
    made = make_clock(body.test_clock, body.now, context=context, store=clocks)
    return created(ClockView.of(made), location=f"/v1/test-clocks/{made.id}")


@app.get("/test-clocks/<clock>")
def get_test_clock(clock: ClockId, _: MayAdminister, clocks: TestClocks) -> ClockView:
    """A test clock: its time, and whether it has arrived."""
    return ClockView.of(clocks.clock(clock))


@app.post("/test-clocks/<clock>/advance")
def post_advance(
    clock: ClockId, body: AdvanceBody, _: MayAdminister, context: Context, clocks: TestClocks
) -> Accepted[ClockView]:
    """Advance a test clock. Everything that is due until then is done, in order of time, for its accounts."""
    advancing = advance_clock(clock, body.to, context=context, store=clocks)
    return accepted(ClockView.of(advancing), f"/v1/test-clocks/{clock}")


@app.delete("/test-clocks/<clock>")
def delete_test_clock(clock: ClockId, _: MayAdminister, context: Context, clocks: TestClocks) -> Accepted[ClockView]:
    """Delete a test clock. Its accounts are purged, with everything of theirs."""
    deleting = delete_clock(clock, context=context, store=clocks)
    return accepted(ClockView.of(deleting), f"/v1/test-clocks/{clock}")


handler = entrypoint(app)
