"""/accounts/{account}/reactivation: an admin sees what taking the account up again costs, and asks for it."""

from datetime import timedelta
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
from billing.platform.http.answers import Response, accepted
from billing.platform.http.callers import Context, Now
from billing.platform.http.models import AccountId
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Catalogues, InvoiceTerms, Reactivations, account_store

MayReactivate = Annotated[Admission, Permits(Permission.CANCEL, account_store)]

app = make_api()


@app.get("/accounts/<account>/reactivation")
def get_reactivation(
    account: AccountId,
    admission: MayReactivate,
    reactivations: Reactivations,
    catalogues: Catalogues,
    settings: InvoiceTerms,
    now: Now,
) -> ReactivationView:
    """What it would come to today; or where it stands, once it was asked for."""
    billed = _admitted(account, admission, reactivations)
    today = billed.subscriber.account.contract.today(now)
    standing = reactivations.reactivation(account)
    if standing is not None and standing.state is ReactivationState.PENDING:
        return _shown(billed, standing, None)
    require_deactivated(billed.subscriber.account, today)
    offer = reactivation_quote(billed, today, settings, catalogues)
    return _shown(billed, standing, ReactivationOfferView.of(offer, billed.billing.language))


@app.post("/accounts/<account>/reactivation")
def post_reactivation(
    account: AccountId,
    body: ReactivationBody,
    admission: MayReactivate,
    context: Context,
    reactivations: Reactivations,
    catalogues: Catalogues,
    settings: InvoiceTerms,
) -> Response[ReactivationView]:
    """Take the account up again: it is charged at once, and active as soon as that went well."""
    billed = _admitted(account, admission, reactivations)
    agreed = Money(body.due.amount, body.due.currency)
    reactivation = request_reactivation(
        billed, agreed, context=context, settings=settings, store=reactivations, catalogues=catalogues
    )
    return accepted(_shown(billed, reactivation, None), f"/v1/accounts/{account}/reactivation")


def _admitted(account: str, admission: Admission, reactivations: ReactivationStore) -> BillingContext:
    billed = existing(reactivations.billing_context(account))
    admission.admit(billed.subscriber.account)
    return billed


def _shown(
    billing: BillingContext, standing: Reactivation | None, offer: ReactivationOfferView | None
) -> ReactivationView:
    account = billing.subscriber.account
    if account.ending is None:
        raise NotDeactivated
    return ReactivationView.of(account, account.ending.purge_on - timedelta(days=1), standing, offer)


handler = entrypoint(app)
