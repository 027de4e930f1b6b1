"""/accounts/{account}/cancellation: an admin, and nobody else, sees what would follow, cancels, or takes it back."""

import os

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.authorise import authorise
from billing.accounts.rules import Status
from billing.ending.cancellation.commands import (
    cancel_account,
    cancellation_state,
    preview_cancellation,
    products_in_use,
    withdraw_cancellation,
)
from billing.ending.cancellation.rules import Reason
from billing.ending.cancellation.views import CancellationBody, CancellationView, ConsequencesView, ReceiptView
from billing.kernel.permissions import Permission
from billing.platform.http.answers import Response, created, no_content
from billing.platform.http.callers import Caller, Context, Now
from billing.platform.http.models import AccountId
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Accounts, Cancellations

app = make_api()


def _retention_days() -> int:
    return int(os.environ["RETENTION_DAYS"])


@app.get("/accounts/<account>/cancellation")
def get_cancellation(
    account: AccountId, caller: Caller, accounts: Accounts, cancellations: Cancellations, now: Now
) -> CancellationView:
    """What would happen if it was cancelled now; or the receipt, once it is."""
    authorise(caller, accounts.account(account), Permission.CANCEL, accounts)
    ended = cancellation_state(account, cancellations)
    today = ended.subscriber.account.contract.today(now)
    is_active = ended.subscriber.account.status is Status.ACTIVE
    return CancellationView(
        status=ended.subscriber.account.status,
        preview=ConsequencesView.of(preview_cancellation(ended, today, _retention_days())) if is_active else None,
        receipt=None if ended.cancellation is None else ReceiptView.of(ended.cancellation),
        reasons=[*Reason],
        products_in_use=[*products_in_use(ended, today, cancellations)],
    )


@app.post("/accounts/<account>/cancellation")
def post_cancellation(
    account: AccountId,
    body: CancellationBody,
    caller: Caller,
    context: Context,
    accounts: Accounts,
    cancellations: Cancellations,
) -> Response[ReceiptView]:
    """Cancel the account. Asked again, the answer is the same receipt."""
    authorise(caller, accounts.account(account), Permission.CANCEL, accounts)
    cancellation = cancel_account(
        account, body.wanted(), retention_days=_retention_days(), context=context, store=cancellations
    )
    return created(ReceiptView.of(cancellation), f"/v1/accounts/{account}/cancellation")


@app.delete("/accounts/<account>/cancellation")
def delete_cancellation(
    account: AccountId, caller: Caller, context: Context, accounts: Accounts, cancellations: Cancellations
) -> Response[None]:
    """Take the cancellation back: as if it had never been asked for."""
    authorise(caller, accounts.account(account), Permission.CANCEL, accounts)
    withdraw_cancellation(account, context=context, store=cancellations)
    return no_content()


handler = entrypoint(app)
