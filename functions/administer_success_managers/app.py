"""/success-managers and /accounts/{account}/success-manager: the staff who look after accounts, and their hours."""

from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import Admission, Permits, StaffOnly
from billing.kernel.errors import NotFound
from billing.kernel.permissions import Permission, Person
from billing.platform.http.answers import Tagged, tagged
from billing.platform.http.callers import Context
from billing.platform.http.models import AccountId
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, Pages
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
from billing.wiring import SuccessManagers, account_store

MayRead = Annotated[Admission, Permits(Permission.READ_REVIEWS, account_store)]
MayAssign = Annotated[Admission, Permits(Permission.ADMINISTER_SUCCESS_MANAGERS, account_store)]
MayAdminister = Annotated[Person, StaffOnly(Permission.ADMINISTER_SUCCESS_MANAGERS)]

app = make_api()


@app.get("/success-managers")
def get_success_managers(
    _: MayAdminister, managers: SuccessManagers, pages: Pages, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> SuccessManagersView:
    """All customer success managers."""
    page = managers.success_managers(limit=limit, after=pages.position(cursor))
    return SuccessManagersView(
        items=[SuccessManagerView.of(each) for each in page.items], next_cursor=pages.cursor(page.last)
    )


@app.get("/success-managers/<success_manager>")
def get_success_manager(
    success_manager: SuccessManagerId, _: MayAdminister, managers: SuccessManagers
) -> Tagged[SuccessManagerView]:
    """One customer success manager."""
    manager = managers.success_manager(success_manager)
    if manager is None:
        raise NotFound("There is no such success manager.")
    return tagged(SuccessManagerView.of(manager), manager.version)


@app.put("/success-managers/<success_manager>")
def put_success_manager(
    success_manager: SuccessManagerId,
    body: SuccessManagerBody,
    _: MayAdminister,
    context: Context,
    managers: SuccessManagers,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Tagged[SuccessManagerView]:
    """Add or change a customer success manager. Reviews that are booked stay as they are."""
    manager = replace_success_manager(
        body.value(success_manager), replaced_version(if_match, if_none_match), context=context, store=managers
    )
    return tagged(SuccessManagerView.of(manager), manager.version)


@app.get("/accounts/<account>/success-manager")
def get_contact_person(account: AccountId, admission: MayRead, managers: SuccessManagers) -> ContactPersonView:
    """The account's customer success manager."""
    current = admission.account(account)
    manager = None if current.success_manager is None else managers.success_manager(current.success_manager)
    if manager is None:
        raise NotFound("This account has no customer success manager yet.")
    return ContactPersonView.of(manager)


@app.put("/accounts/<account>/success-manager")
def put_contact_person(
    account: AccountId, body: AssignmentBody, admission: MayAssign, context: Context, managers: SuccessManagers
) -> ContactPersonView:
    """Say who looks after the account from now on."""
    current = admission.account(account)
    return ContactPersonView.of(assign_success_manager(current, body.success_manager, context=context, store=managers))


handler = entrypoint(app)
