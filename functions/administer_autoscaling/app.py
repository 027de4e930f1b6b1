"""/accounts/{account}/autoscaling: decisions with their reasons, the settings that staff make, and simulations."""

from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import Admission, Permits, StaffOnly
from billing.accounts.rules import existing
from billing.kernel.permissions import Permission, Person
from billing.platform.http.answers import Tagged, tagged
from billing.platform.http.callers import Context, Now
from billing.platform.http.models import AccountId
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, OfClock, Pages
from billing.platform.http.preconditions import IfMatch, IfNoneMatch, replaced_version
from billing.platform.http.resolver import entrypoint, make_api
from billing.scaling.administer_autoscaling import replace_settings, simulate
from billing.scaling.records import AutoscalingState, AutoscalingStore
from billing.scaling.tier_changes import DecisionOutcome
from billing.scaling.views import (
    AutoscalingDecisionView,
    AutoscalingView,
    DecidedFor,
    DecisionsView,
    ListedDecisionView,
    SettingsBody,
    SettingsView,
    SimulationBody,
    WithOutcome,
)
from billing.wiring import Autoscaling, Usage, account_store

MayRead = Annotated[Admission, Permits(Permission.READ_USAGE, account_store)]
MaySet = Annotated[Admission, Permits(Permission.SET_AUTOSCALING, account_store)]
MaySimulate = Annotated[Admission, Permits(Permission.SIMULATE_AUTOSCALING, account_store)]
MayList = Annotated[Person, StaffOnly(Permission.LIST_DECISIONS)]

app = make_api()


@app.get("/autoscaling-decisions")
def get_decisions(
    _: MayList,
    autoscaling: Autoscaling,
    month: DecidedFor,
    pages: Pages,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    outcome: WithOutcome = None,
    test_clock: OfClock = None,
) -> DecisionsView:
    """What autoscaling decided for a month about all accounts."""
    of_outcome = None if outcome is None else DecisionOutcome(outcome)
    after = pages.position(cursor)
    decided = autoscaling.decided_in(month, outcome=of_outcome, limit=limit, after=after, clock=test_clock)
    return DecisionsView(
        items=[ListedDecisionView.of(*each) for each in decided.items], next_cursor=pages.cursor(decided.last)
    )


@app.get("/accounts/<account>/autoscaling")
def get_autoscaling(
    account: AccountId,
    admission: MayRead,
    autoscaling: Autoscaling,
    pages: Pages,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> AutoscalingView:
    """What was decided of each product for each month, newest first, and why."""
    state = _admitted(account, admission, autoscaling)
    decided = autoscaling.decisions(account, limit=limit, after=pages.position(cursor))
    return AutoscalingView(
        settings=SettingsView.of(state.settings),
        next_decision=None if state.due is None else f"{state.due.month:%Y-%m}",
        items=[AutoscalingDecisionView.of(each, state.subscriber.language) for each in decided.items],
        next_cursor=pages.cursor(decided.last),
    )


@app.get("/accounts/<account>/autoscaling/settings")
def get_settings(account: AccountId, admission: MayRead, autoscaling: Autoscaling) -> Tagged[SettingsView]:
    """What staff have set."""
    state = _admitted(account, admission, autoscaling)
    return tagged(SettingsView.of(state.settings), state.settings.version)


@app.put("/accounts/<account>/autoscaling/settings")
def put_settings(
    account: AccountId,
    body: SettingsBody,
    admission: MaySet,
    context: Context,
    autoscaling: Autoscaling,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Tagged[SettingsView]:
    """Pause autoscaling until a day, or mark days as known peaks. The next decision goes by it."""
    state = _admitted(account, admission, autoscaling)
    settings = replace_settings(
        state, body.value(), replaced_version(if_match, if_none_match), context=context, store=autoscaling
    )
    return tagged(SettingsView.of(settings), settings.version)


@app.post("/accounts/<account>/autoscaling/simulations")
def simulate_decision(
    account: AccountId,
    body: SimulationBody,
    admission: MaySimulate,
    now: Now,
    autoscaling: Autoscaling,
    usage: Usage,
) -> AutoscalingDecisionView:
    """What would be decided over these figures, or without some content. Nothing is changed."""
    state = _admitted(account, admission, autoscaling)
    decided = simulate(
        state, body.product, body.month, body.given(), body.left_out(), now=now, store=autoscaling, usage=usage
    )
    return AutoscalingDecisionView.of(decided, state.subscriber.language)


def _admitted(account: str, admission: Admission, autoscaling: AutoscalingStore) -> AutoscalingState:
    state = existing(autoscaling.state(account))
    admission.admit(state.subscriber.account)
    return state


handler = entrypoint(app)
