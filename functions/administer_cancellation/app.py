"""/accounts/{account}/cancellation: only an admin previews, requests or withdraws a cancellation."""

import os
from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import Admission, Permits, StaffOnly
from billing.accounts.rules import Status, existing
from billing.ending.cancellation.commands import (
    cancel_account,
    preview_cancellation,
    products_in_use,
    withdraw_cancellation,
)
from billing.ending.cancellation.records import CancellationState, CancellationStore
from billing.ending.cancellation.rules import Reason
from billing.ending.cancellation.views import (
    CancellationBody,
    CancellationsView,
    CancellationView,
    ConsequencesView,
    ListedCancellationView,
    OpenInCurrencyView,
    ReceiptView,
    RequestedIn,
)
from billing.kernel.permissions import Permission, Person
from billing.platform.http.answers import Created, NoContent, created, no_content
from billing.platform.http.callers import Context, Now
from billing.platform.http.models import AccountId, MoneyView
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, OfClock, Pages
from billing.platform.http.resolver import entrypoint, make_api
from billing.subscriptions.views import PendingVersionView
from billing.wiring import Cancellations, Invoices, TaxedFrom, VatNumberPolicy, account_store

MayCancel = Annotated[Admission, Permits(Permission.CANCEL, account_store)]

MayList = Annotated[Person, StaffOnly(Permission.LIST_CANCELLATIONS)]

app = make_api()


def _retention_days() -> int:
    return int(os.environ["RETENTION_DAYS"])


@app.get("/accounts/<account>/cancellation")
def get_cancellation(
    account: AccountId,
    admission: MayCancel,
    cancellations: Cancellations,
    invoices: Invoices,
    seller: TaxedFrom,
    policy: VatNumberPolicy,
    now: Now,
) -> CancellationView:
    """What would happen if it was cancelled now; or the receipt, once it is."""
    state = _admitted(account, admission, cancellations)
    today = state.subscriber.account.contract.today(now)
    is_active = state.subscriber.account.status is Status.ACTIVE
    follows = preview_cancellation(state, today, _retention_days(), seller, policy) if is_active else None
    to_repay = state.credits
    to_pay = dict.fromkeys(to_repay, 0)
    for each in invoices.unpaid(account):
        if each.invoice.corrects is None:
            to_pay[each.left.currency] = to_pay.get(each.left.currency, 0) + each.payment.left
    sums = {
        currency: OpenInCurrencyView(
            to_pay=MoneyView(amount=amount, currency=currency),
            to_repay=MoneyView(amount=to_repay.get(currency, 0), currency=currency),
        )
        for currency, amount in to_pay.items()
    }
    own = sums.pop(state.subscriber.account.contract.currency)
    return CancellationView(
        status=state.subscriber.account.status,
        preview=None if follows is None else ConsequencesView.of(follows),
        receipt=None if state.cancellation is None else ReceiptView.of(state.cancellation),
        reasons=[*Reason],
        products_in_use=[*products_in_use(state, today, cancellations)],
        to_pay=own.to_pay,
        to_repay=own.to_repay,
        others=[each for each in sums.values() if each.to_pay.amount or each.to_repay.amount],
        pending_version=PendingVersionView.announced(state.subscriber.subscription, today),
    )


@app.post("/accounts/<account>/cancellation")
def post_cancellation(
    account: AccountId,
    body: CancellationBody,
    admission: MayCancel,
    context: Context,
    cancellations: Cancellations,
    seller: TaxedFrom,
    policy: VatNumberPolicy,
) -> Created[ReceiptView]:
    """Cancel the account. Asked again, the answer is the same receipt."""
    state = _admitted(account, admission, cancellations)
    cancellation = cancel_account(
        state,
        body.request(),
        retention_days=_retention_days(),
        seller=seller,
        policy=policy,
        context=context,
        store=cancellations,
    )
    return created(ReceiptView.of(cancellation), f"/v1/accounts/{account}/cancellation")


@app.delete("/accounts/<account>/cancellation")
def delete_cancellation(
    account: AccountId,
    admission: MayCancel,
    context: Context,
    cancellations: Cancellations,
    seller: TaxedFrom,
    policy: VatNumberPolicy,
) -> NoContent:
    """Take the cancellation back: as if it had never been asked for."""
    state = _admitted(account, admission, cancellations)
    withdraw_cancellation(state, seller=seller, policy=policy, context=context, store=cancellations)
    return no_content()


@app.get("/cancellations")
def get_cancellations(
    _: MayList,
    cancellations: Cancellations,
    pages: Pages,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    month: RequestedIn = None,
    test_clock: OfClock = None,
) -> CancellationsView:
    """The cancellations of all accounts that hold, with their reasons, the newest first."""
    page = cancellations.cancellations(month=month, limit=limit, after=pages.position(cursor), clock=test_clock)
    return CancellationsView(
        items=[ListedCancellationView.listed(*each) for each in page.items], next_cursor=pages.cursor(page.last)
    )


def _admitted(account: str, admission: Admission, cancellations: CancellationStore) -> CancellationState:
    state = existing(cancellations.state(account))
    admission.admit(state.subscriber.account)
    return state


handler = entrypoint(app)
