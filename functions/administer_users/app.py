"""/accounts/{account}/users: the people who may see and change an account. The last admin stays."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.administer_users import remove_user, save_user
from billing.accounts.admission import Admission, Permits
from billing.accounts.rules import Account
from billing.accounts.user_views import Erase, RoleFilter, UserBody, UsersView, UserView
from billing.ending.erasure.commands import request_erasure
from billing.ending.erasure.views import ErasureView
from billing.kernel.permissions import Permission, Role
from billing.platform.http.answers import JSON, Documented, Response
from billing.platform.http.callers import Context, Now
from billing.platform.http.models import AccountId
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Accounts, Erasures, OrphanedLogInDays, People, account_store, invitations_per_day

MayRead = Annotated[Admission, Permits(Permission.READ_USERS, account_store)]
MayAdminister = Annotated[Admission, Permits(Permission.ADMINISTER_USERS, account_store)]
Removed = Response[
    Annotated[ErasureView | None, Documented(202, schema="ErasureView"), Documented(204, media_types=())]
]

app = make_api()


@app.get("/accounts/<account>/users")
def get_users(
    account: AccountId,
    admission: MayRead,
    accounts: Accounts,
    now: Now,
    role: RoleFilter = None,
) -> UsersView:
    """The people of the account."""
    logged_in = log_ins(admission.account(account), admission, now)
    users = (user for user in accounts.users(account) if role in (None, user.role))
    return UsersView(items=[UserView.of(user, logged_in.get(user.id)) for user in users])


@app.put("/accounts/<account>/users")
def put_user(
    account: AccountId, body: UserBody, admission: MayAdminister, context: Context, accounts: Accounts, people: People
) -> UserView:
    """Invite a person, or change the name or role of one; the e-mail address says whom."""
    current = admission.account(account)
    user = save_user(
        current,
        body.email,
        body.name,
        Role(body.role),
        invitations_per_day=invitations_per_day(),
        context=context,
        directory=people,
        store=accounts,
    )
    return UserView.of(user, log_ins(current, admission, context.time).get(user.id))


@app.delete("/accounts/<account>/users/<user>", status_code=204)
def delete_user(
    account: AccountId,
    user: str,
    admission: MayAdminister,
    context: Context,
    accounts: Accounts,
    erasures: Erasures,
    log_in_days: OrphanedLogInDays,
    erase: Erase = False,
) -> Removed:
    """End a person's access to the account. With `erase`, take their name and address out of its record as well.

    A worker erases within hours (202), and also somebody whose access has ended before.
    """
    current = admission.account(account)
    if erase:
        erasure = request_erasure(current, user, context=context, store=erasures)
        return Response(status_code=202, content_type=JSON, body=ErasureView.of(erasure))
    remove_user(current, user, context=context, store=accounts, log_in_days=log_in_days)
    return Response(status_code=204, content_type=JSON)


def log_ins(account: Account, admission: Admission, now: datetime) -> Mapping[str, datetime]:
    """When each user has used the account first. The caller does so now, if it is not noted yet."""
    return {admission.person.user: now, **account.logged_in}


handler = entrypoint(app)
