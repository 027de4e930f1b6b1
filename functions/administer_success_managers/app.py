"""/success-managers and /accounts/{account}/success-manager: who looks after whom, and when they work."""

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.authorise import authorise, authorise_staff
from billing.kernel.errors import NotFound
from billing.kernel.permissions import Permission
from billing.platform.http.answers import Response, tagged
from billing.platform.http.callers import Caller, Context
from billing.platform.http.models import AccountId
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, cursor_of, position_of
from billing.platform.http.preconditions import IfMatch, IfNoneMatch, replaced_version
from billing.platform.http.resolver import entrypoint, make_api
from billing.scaling.reviews.administer_success_managers import assign_success_manager, replace_success_manager
from billing.scaling.reviews.success_manager_views import (
    AssignmentBody,
    ContactPersonView,
    SuccessManagerBody,
    SuccessManagerId,
    SuccessManagersView,
    SuccessManagerView,
)
from billing.wiring import Accounts, SuccessManagers

app = make_api()


@app.get("/success-managers")
def get_success_managers(
    caller: Caller, managers: SuccessManagers, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> SuccessManagersView:
    """All customer success managers."""
    after = position_of(cursor)
    authorise_staff(caller, Permission.ADMINISTER_SUCCESS_MANAGERS)
    found = managers.success_managers(limit=limit, after=after)
    return SuccessManagersView(
        items=[SuccessManagerView.of(each) for each in found.items], next_cursor=cursor_of(found.last)
    )


@app.get("/success-managers/<success_manager>")
def get_success_manager(
    success_manager: SuccessManagerId, caller: Caller, managers: SuccessManagers
) -> Response[SuccessManagerView]:
    """One customer success manager."""
    authorise_staff(caller, Permission.ADMINISTER_SUCCESS_MANAGERS)
    manager = managers.success_manager(success_manager)
    if manager is None:
        raise NotFound("There is no such success manager.")
    return tagged(SuccessManagerView.of(manager), manager.version)


@app.put("/success-managers/<success_manager>")
def put_success_manager(
    success_manager: SuccessManagerId,
    body: SuccessManagerBody,
    caller: Caller,
    context: Context,
    managers: SuccessManagers,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Response[SuccessManagerView]:
    """Add or change a customer success manager. Reviews that are booked stay as they are."""
    authorise_staff(caller, Permission.ADMINISTER_SUCCESS_MANAGERS)
    manager = replace_success_manager(
        body.value(success_manager), replaced_version(if_match, if_none_match), context=context, store=managers
    )
    return tagged(SuccessManagerView.of(manager), manager.version)


@app.get("/accounts/<account>/success-manager")
def get_contact_person(
    account: AccountId, caller: Caller, accounts: Accounts, managers: SuccessManagers
) -> ContactPersonView:
    """The account's customer success manager."""
    current = accounts.account(account)
    authorise(caller, current, Permission.READ_REVIEWS, accounts)
    manager = None if current.success_manager is None else managers.success_manager(current.success_manager)
    if manager is None:
        raise NotFound("This account has no customer success manager yet.")
    return ContactPersonView.of(manager)


@app.put("/accounts/<account>/success-manager")
def put_contact_person(
    account: AccountId,
    body: AssignmentBody,
    caller: Caller,
    context: Context,
    accounts: Accounts,
    managers: SuccessManagers,
) -> ContactPersonView:
    """Say who looks after the account from now on."""
    current = accounts.account(account)
    authorise(caller, current, Permission.ADMINISTER_SUCCESS_MANAGERS, accounts)
    return ContactPersonView.of(assign_success_manager(current, body.success_manager, context=context, store=managers))


handler = entrypoint(app)
