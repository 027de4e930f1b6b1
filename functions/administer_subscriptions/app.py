"""What staff change of a running account: its stores (decision 0038)."""

from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.administer_stores import change_store
from billing.accounts.admission import Admission, Permits
from billing.accounts.store_views import StoreChangeBody, StoreId, StoresView
from billing.kernel.permissions import Permission
from billing.platform.http.answers import Tagged, tagged
from billing.platform.http.callers import Context
from billing.platform.http.models import AccountId
from billing.platform.http.preconditions import IfMatch, Preview, replaced_version
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Accounts, account_store

MayRead = Annotated[Admission, Permits(Permission.READ_BILLING, account_store)]
MayChange = Annotated[Admission, Permits(Permission.CHANGE_ACCOUNTS, account_store)]

app = make_api()


@app.get("/accounts/<account>/stores")
def get_stores(account: AccountId, admission: MayRead) -> Tagged[StoresView]:
    """All stores of the account, closed ones included."""
    found = admission.account(account)
    return tagged(StoresView.of(found), found.version)


@app.put("/accounts/<account>/stores/<store>")
def put_store(
    account: AccountId,
    store: StoreId,
    body: StoreChangeBody,
    admission: MayChange,
    context: Context,
    accounts: Accounts,
    if_match: IfMatch = None,
    preview: Preview = False,
) -> Tagged[StoresView]:
    """Add a store, rename it, close it from a day on, or reopen it. The admins get a mail."""
    changed = change_store(
        admission.account(account),
        body.value(store),
        replaced_version(if_match),
        is_preview=preview,
        context=context,
        accounts=accounts,
    )
    return tagged(StoresView.of(changed), changed.version)


handler = entrypoint(app)
