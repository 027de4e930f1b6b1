"""POST /usage/corrections and /accounts/{account}/usage/corrections: the product or staff correct what was reported."""

from http import HTTPStatus
from typing import Annotated

from billing.accounts.admission import Admission, Permits
from billing.accounts.rules import existing
from billing.kernel.errors import RuleViolation
from billing.kernel.events import RequestContext
from billing.kernel.permissions import Permission
from billing.platform.http.answers import JSON, Documented, Response
from billing.platform.http.callers import Context, MachineContext
from billing.platform.http.models import AccountId
from billing.platform.http.resolver import entrypoint, make_api
from billing.platform.retry import RetryBudget
from billing.usage.correct_usage import correct_usage
from billing.usage.correction_bodies import AccountUsageCorrectionBody, UsageCorrectionBody
from billing.usage.corrections import UsageCorrection
from billing.usage.records import UsageCorrectionState, UsageStore
from billing.usage.refusal import unknown_account
from billing.usage.views import UsageCorrectionView
from billing.wiring import Usage, account_store

BUDGET_SECONDS = 3.0
"""How long a correction waits for busy counters."""

MayCorrect = Annotated[Admission, Permits(Permission.CORRECT_USAGE, account_store)]

Corrected = Response[Annotated[UsageCorrectionView, Documented(200), Documented(201)]]
"""201 for a correction, 200 for the same one again."""

app = make_api()


@app.post("/usage/corrections")
def post_correction(body: UsageCorrectionBody, context: MachineContext, usage: Usage) -> Corrected:
    """Correct reported usage. The same correction again is the same one."""
    correction = body.correction(body.account)
    state = usage.correction_state(correction)
    if state is None:
        raise RuleViolation(unknown_account(body.account))
    return _corrected(state, correction, context, usage)


@app.post("/accounts/<account>/usage/corrections")
def post_correction_of_account(
    account: AccountId, body: AccountUsageCorrectionBody, admission: MayCorrect, context: Context, usage: Usage
) -> Corrected:
    """Correct an account's usage. The same correction again is the same one."""
    correction = body.correction(account)
    state = existing(usage.correction_state(correction))
    admission.admit(state.subscriber.account)
    return _corrected(state, correction, context, usage)


def _corrected(
    state: UsageCorrectionState, correction: UsageCorrection, context: RequestContext, usage: UsageStore
) -> Corrected:
    budget = RetryBudget(BUDGET_SECONDS)
    recorded, is_new = correct_usage(state, correction, context=context, budget=budget, store=usage)
    status = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return Response(status, JSON, UsageCorrectionView.of(recorded))


handler = entrypoint(app)
