"""/accounts/{account}/reactivation: an admin sees what taking the account up again costs, and asks for it."""

from datetime import timedelta

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.authorise import authorise
from billing.ending.reactivation.commands import account_to_reactivate, reactivation_quote, request_reactivation
from billing.ending.reactivation.rules import NotDeactivated, Reactivation, ReactivationState, require_deactivated
from billing.ending.reactivation.views import ReactivationBody, ReactivationOfferView, ReactivationView
from billing.invoicing.records import BillingContext
from billing.kernel.money import Money
from billing.kernel.permissions import Permission
from billing.platform.http.answers import Response, accepted
from billing.platform.http.callers import Caller, Context, Now
from billing.platform.http.models import AccountId
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Accounts, Catalogues, InvoiceTerms, Reactivations

app = make_api()


@app.get("/accounts/<account>/reactivation")
def get_reactivation(
    account: AccountId,
    caller: Caller,
    accounts: Accounts,
    reactivations: Reactivations,
    catalogues: Catalogues,
    settings: InvoiceTerms,
    now: Now,
) -> ReactivationView:
    """What it would come to today; or where it stands, once it was asked for."""
    authorise(caller, accounts.account(account), Permission.CANCEL, accounts)
    billed = account_to_reactivate(account, reactivations)
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
    caller: Caller,
    context: Context,
    accounts: Accounts,
    reactivations: Reactivations,
    catalogues: Catalogues,
    settings: InvoiceTerms,
) -> Response[ReactivationView]:
    """Take the account up again: it is charged at once, and active as soon as that went well."""
    authorise(caller, accounts.account(account), Permission.CANCEL, accounts)
    agreed = Money(body.due.amount, body.due.currency)
    reactivation = request_reactivation(
        account, agreed, context=context, settings=settings, store=reactivations, catalogues=catalogues
    )
    billed = account_to_reactivate(account, reactivations)
    return accepted(_shown(billed, reactivation, None), f"/v1/accounts/{account}/reactivation")


def _shown(
    billing: BillingContext, standing: Reactivation | None, offer: ReactivationOfferView | None
) -> ReactivationView:
    account = billing.subscriber.account
    if account.ending is None:
        raise NotDeactivated
    return ReactivationView.of(account, account.ending.purge_on - timedelta(days=1), standing, offer)


handler = entrypoint(app)
