"""/accounts/{account}/vat-number-check and its evidence: staff see what VIES said, and decide where it said no."""

from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import Admission, Permits, StaffOnly
from billing.accounts.rules import existing
from billing.invoicing.vat_numbers.decide import decide_vat_number
from billing.invoicing.vat_numbers.views import (
    EvidenceNumber,
    UnconfirmedNumbersView,
    UnconfirmedNumberView,
    VatNumberCheckView,
    VatNumberDecisionBody,
    VatNumberEvidenceView,
)
from billing.kernel.errors import NotFound
from billing.kernel.permissions import Permission, Person
from billing.platform.http.answers import Tagged, tagged
from billing.platform.http.callers import Context
from billing.platform.http.models import AccountId
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, OfClock, Pages
from billing.platform.http.preconditions import IfMatch, IfNoneMatch, replaced_version
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import VatNumbers, account_store, unconfirmed_vat_number

MayDecide = Annotated[Admission, Permits(Permission.DECIDE_VAT_NUMBERS, account_store)]
MayList = Annotated[Person, StaffOnly(Permission.DECIDE_VAT_NUMBERS)]

app = make_api()


@app.get("/vat-number-checks")
def get_unconfirmed_vat_numbers(
    _: MayList,
    numbers: VatNumbers,
    pages: Pages,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    test_clock: OfClock = None,
) -> UnconfirmedNumbersView:
    """The VAT numbers that VIES does not confirm and that await a decision, the longest unconfirmed first."""
    found = numbers.unconfirmed(limit=limit, after=pages.position(cursor), clock=test_clock)
    return UnconfirmedNumbersView(
        items=[UnconfirmedNumberView.of_number(each) for each in found.items], next_cursor=pages.cursor(found.last)
    )


@app.get("/accounts/<account>/vat-number-check")
def get_vat_number_check(account: AccountId, admission: MayDecide, numbers: VatNumbers) -> Tagged[VatNumberCheckView]:
    """What VIES said last about the company's VAT number, and what the next invoice does."""
    state = existing(numbers.state(account))
    admission.admit(state.account)
    if state.check is None:
        raise NotFound("VIES has not answered about a VAT number of this account.")
    return tagged(VatNumberCheckView.of_state(state, state.check, unconfirmed_vat_number()), state.check.version)


@app.put("/accounts/<account>/vat-number-check/decision")
def put_vat_number_decision(
    account: AccountId,
    body: VatNumberDecisionBody,
    admission: MayDecide,
    context: Context,
    numbers: VatNumbers,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Tagged[VatNumberCheckView]:
    """Decide what invoices do about the company's VAT number, until VIES confirms it or the company changes it."""
    state = existing(numbers.state(account))
    admission.admit(state.account)
    replaces = replaced_version(if_match, if_none_match)
    check = decide_vat_number(state, body.wanted(), body.reason, replaces, context=context, store=numbers)
    return tagged(VatNumberCheckView.of_state(state, check, unconfirmed_vat_number()), check.version)


@app.get("/accounts/<account>/invoices/<number>/vat-number-check")
def get_invoice_vat_number_check(
    account: AccountId, number: EvidenceNumber, admission: MayDecide, numbers: VatNumbers
) -> VatNumberEvidenceView:
    """What was known of the VAT number when this reverse charge invoice was issued. It never changes."""
    admission.account(account)
    evidence = numbers.evidence(account, number)
    if evidence is None:
        raise NotFound("This invoice relies on no check of a VAT number.")
    return VatNumberEvidenceView.of(evidence)


handler = entrypoint(app)
