"""/accounts/{account}/autoscaling: what was decided and why, what staff set, and what would be decided if."""

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.authorise import authorise
from billing.accounts.records import AccountStore
from billing.kernel.errors import AccountNotFound
from billing.kernel.permissions import Permission, Person
from billing.platform.http.answers import Response, tagged
from billing.platform.http.callers import Caller, Context, Now
from billing.platform.http.models import AccountId
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, cursor_of, position_of
from billing.platform.http.preconditions import IfMatch, IfNoneMatch, replaced_version
from billing.platform.http.resolver import entrypoint, make_api
from billing.scaling.administer_autoscaling import replace_settings, simulate
from billing.scaling.records import AutoscalingState, AutoscalingStore
from billing.scaling.views import AutoscalingDecisionView, AutoscalingView, SettingsBody, SettingsView, SimulationBody
from billing.wiring import Accounts, Autoscaling, Usage

app = make_api()


@app.get("/accounts/<account>/autoscaling")
def get_autoscaling(
    account: AccountId,
    caller: Caller,
    accounts: Accounts,
    autoscaling: Autoscaling,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> AutoscalingView:
    """What was decided of each product for each month, newest first, and why."""
    after = position_of(cursor)
    known = _standing(account, caller, Permission.READ_USAGE, accounts, autoscaling)
    decided = autoscaling.decisions(account, limit=limit, after=after)
    return AutoscalingView(
        settings=SettingsView.of(known.settings),
        next_decision=None if known.due is None else f"{known.due.month:%Y-%m}",
        items=[AutoscalingDecisionView.of(each) for each in decided.items],
        next_cursor=cursor_of(decided.last),
    )


@app.get("/accounts/<account>/autoscaling/settings")
def get_settings(
    account: AccountId, caller: Caller, accounts: Accounts, autoscaling: Autoscaling
) -> Response[SettingsView]:
    """What staff have set."""
    known = _standing(account, caller, Permission.READ_USAGE, accounts, autoscaling)
    return tagged(SettingsView.of(known.settings), known.settings.version)


@app.put("/accounts/<account>/autoscaling/settings")
def put_settings(
    account: AccountId,
    body: SettingsBody,
    caller: Caller,
    context: Context,
    accounts: Accounts,
    autoscaling: Autoscaling,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Response[SettingsView]:
    """Pause autoscaling until a day, or mark days as known peaks. The next decision goes by it."""
    known = _standing(account, caller, Permission.SET_AUTOSCALING, accounts, autoscaling)
    settings = replace_settings(
        known, body.value(), replaced_version(if_match, if_none_match), context=context, store=autoscaling
    )
    return tagged(SettingsView.of(settings), settings.version)


@app.post("/accounts/<account>/autoscaling/simulations")
def simulate_decision(
    account: AccountId,
    body: SimulationBody,
    caller: Caller,
    now: Now,
    accounts: Accounts,
    autoscaling: Autoscaling,
    usage: Usage,
) -> AutoscalingDecisionView:
    """What would be decided over these figures, or without some content. Nothing is changed."""
    known = _standing(account, caller, Permission.SIMULATE_AUTOSCALING, accounts, autoscaling)
    decided = simulate(
        known, body.product, body.month, body.given(), body.left_out(), now=now, store=autoscaling, usage=usage
    )
    return AutoscalingDecisionView.of(decided)


def _standing(
    account: str, caller: Person, permission: Permission, accounts: AccountStore, autoscaling: AutoscalingStore
) -> AutoscalingState:
    known = autoscaling.state(account)
    if known is None:
        raise AccountNotFound
    authorise(caller, known.subscriber.account, permission, accounts)
    return known


handler = entrypoint(app)
