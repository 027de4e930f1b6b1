"""/open-claims: staff see and settle what is still owed to or by the customers of deleted accounts."""

from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import StaffOnly
from billing.ending.deletion.claim_views import ClaimId, OpenClaimDetailsView, OpenClaimsView, OpenClaimView
from billing.ending.deletion.settle_claims import record_claim_payment, record_claim_repayment, write_off_claim
from billing.invoicing.views import RecordedPaymentBody, RepaymentBody, WriteOffBody
from billing.kernel.money import Money
from billing.kernel.permissions import Permission, Person
from billing.platform.http.callers import Context
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, Pages
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Claims

MaySettle = Annotated[Person, StaffOnly(Permission.SETTLE_CLAIMS)]

app = make_api()


@app.get("/open-claims")
def get_open_claims(
    _: MaySettle, claims: Claims, pages: Pages, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> OpenClaimsView:
    """What is open of deleted accounts, in either direction, the longest kept first."""
    page = claims.claims(limit=limit, after=pages.position(cursor))
    return OpenClaimsView(items=[OpenClaimView.of(each) for each in page.items], next_cursor=pages.cursor(page.last))


@app.get("/open-claims/<claim>")
def get_open_claim(claim: ClaimId, _: MaySettle, claims: Claims) -> OpenClaimDetailsView:
    """One open claim, with its document as it was issued. A settled one is deleted: 404."""
    return OpenClaimDetailsView.of(claims.claim(claim))


@app.post("/open-claims/<claim>/payments")
def post_claim_payment(
    claim: ClaimId, body: RecordedPaymentBody, _: MaySettle, context: Context, claims: Claims
) -> OpenClaimDetailsView:
    """Record that all that the customer owes has arrived by transfer, or an amount. What is over is to be repaid."""
    amount = None if body.amount is None else Money(body.amount.amount, body.amount.currency)
    settled = record_claim_payment(claim, body.paid_on, body.reference, amount, context=context, store=claims)
    return OpenClaimDetailsView.of(settled)


@app.post("/open-claims/<claim>/repayments")
def post_claim_repayment(
    claim: ClaimId, body: RepaymentBody, _: MaySettle, context: Context, claims: Claims
) -> OpenClaimDetailsView:
    """Record that money was given back by hand."""
    amount = Money(body.amount.amount, body.amount.currency)
    settled = record_claim_repayment(claim, amount, body.repaid_on, body.reference, context=context, store=claims)
    return OpenClaimDetailsView.of(settled)


@app.post("/open-claims/<claim>/write-off")
def post_claim_write_off(
    claim: ClaimId, body: WriteOffBody, _: MaySettle, context: Context, claims: Claims
) -> OpenClaimDetailsView:
    """Write off what the customer will not pay."""
    return OpenClaimDetailsView.of(write_off_claim(claim, body.reason, context=context, store=claims))


handler = entrypoint(app)
