"""/accounts/{account}/reactivation: an admin sees the quote, and requests the reactivation."""

from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import Admission, Permits
from billing.accounts.rules import existing
from billing.ending.reactivation.commands import reactivation_quote, request_reactivation
from billing.ending.reactivation.records import ReactivationStore
from billing.ending.reactivation.rules import NotDeactivated, Reactivation, ReactivationState, require_deactivated
from billing.ending.reactivation.views import ReactivationBody, ReactivationOfferView, ReactivationView
from billing.invoicing.records import BillingContext
from billing.kernel.money import Money
from billing.kernel.permissions import Permission
from billing.platform.http.answers import Accepted, accepted
from billing.platform.http.callers import Context, Now
from billing.platform.http.models import AccountId
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Catalogues, DeployedSettings, Reactivations, account_store

MayReactivate = Annotated[Admission, Permits(Permission.CANCEL, account_store)]

app = make_api()


@app.get("/accounts/<account>/reactivation")
def get_reactivation(
    account: AccountId,
    admission: MayReactivate,
    reactivations: Reactivations,
    catalogues: Catalogues,
    settings: DeployedSettings,
    now: Now,
) -> ReactivationView:
    """What it would come to today; or where it stands, once it was asked for."""
    billing = _admitted(account, admission, reactivations)
    today = billing.subscriber.account.contract.today(now)
    reactivation = reactivations.reactivation(account)
    if reactivation is not None and reactivation.state is ReactivationState.PENDING:
        return _view(billing, reactivation, None)
    require_deactivated(billing.subscriber.account, today)
    quote = reactivation_quote(billing, today, settings, catalogues)
    return _view(billing, reactivation, ReactivationOfferView.of(quote, billing.billing.language))


@app.post("/accounts/<account>/reactivation")
def post_reactivation(
    account: AccountId,
    body: ReactivationBody,
    admission: MayReactivate,
    context: Context,
    reactivations: Reactivations,
    catalogues: Catalogues,
    settings: DeployedSettings,
) -> Accepted[ReactivationView]:
    """Take the account up again: it is charged at once, and active as soon as that went well."""
    billing = _admitted(account, admission, reactivations)
    agreed = Money(body.due.amount, body.due.currency)
    reactivation = request_reactivation(
        billing, agreed, context=context, settings=settings, store=reactivations, catalogues=catalogues
    )
    return accepted(_view(billing, reactivation, None), f"/v1/accounts/{account}/reactivation")


def _admitted(account: str, admission: Admission, reactivations: ReactivationStore) -> BillingContext:
    billing = existing(reactivations.billing_context(account))
    admission.admit(billing.subscriber.account)
    return billing


def _view(
    billing: BillingContext, reactivation: Reactivation | None, offer: ReactivationOfferView | None
) -> ReactivationView:
    ending = billing.subscriber.account.ending
    if ending is None:
        raise NotDeactivated
    return ReactivationView.of(ending, reactivation, offer)


handler = entrypoint(app)
