"""/accounts/{account}/users: the people who may see and change an account. The last admin stays.

Also /accounts/{account}/appointment and …/provisioning: help by staff for an account that nobody can act for.
"""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.administer_users import remove_user, save_user
from billing.accounts.admission import Admission, Permits
from billing.accounts.appoint_admin import announce_appointment, end_appointment
from billing.accounts.appointment_views import (
    AppointmentBody,
    AppointmentView,
    ObjectionBody,
    ProvisioningCorrectionBody,
    ProvisioningView,
)
from billing.accounts.appointments import AppointmentState, NoAppointment
from billing.accounts.correct_provisioning import correct_provisioning
from billing.accounts.rules import Account
from billing.accounts.user_views import Erase, RoleFilter, UserBody, UsersView, UserView
from billing.ending.erasure.commands import request_erasure
from billing.ending.erasure.views import ErasureView
from billing.kernel.permissions import Permission, Role
from billing.platform.http.answers import (
    JSON,
    Created,
    Documented,
    NoContent,
    Response,
    Tagged,
    created,
    no_content,
    tagged,
)
from billing.platform.http.callers import Context, Now, RealNow
from billing.platform.http.models import AccountId
from billing.platform.http.preconditions import IfMatch, replaced_version
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import (
    Accounts,
    Appointments,
    Erasures,
    OrphanedLogInDays,
    People,
    account_store,
    checks_vat_numbers,
    invitations_per_day,
)

MayRead = Annotated[Admission, Permits(Permission.READ_USERS, account_store)]
MayReadAppointments = Annotated[Admission, Permits(Permission.READ_APPOINTMENTS, account_store)]
MayAppoint = Annotated[Admission, Permits(Permission.APPOINT_ADMINS, account_store)]
MayObject = Annotated[Admission, Permits(Permission.OBJECT_TO_APPOINTMENTS, account_store)]
MayCorrect = Annotated[Admission, Permits(Permission.PROVISION_ACCOUNTS, account_store)]
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
    real: RealNow,
    erase: Erase = False,
) -> Removed:
    """End a person's access to the account. With `erase`, take their name and address out of its record as well.

    A worker erases within hours (202), and also somebody whose access has ended before.
    """
    current = admission.account(account)
    if erase:
        erasure = request_erasure(current, user, context=context, store=erasures, real=real)
        return Response(status_code=202, content_type=JSON, body=ErasureView.of(erasure))
    remove_user(current, user, context=context, store=accounts, log_in_days=log_in_days, real=real)
    return Response(status_code=204, content_type=JSON)


@app.get("/accounts/<account>/appointment")
def get_appointment(account: AccountId, admission: MayReadAppointments, appointments: Appointments) -> AppointmentView:
    """The account's newest appointment of an admin by staff, open or ended."""
    admission.account(account)
    newest = appointments.appointment(account)
    if newest is None:
        raise NoAppointment
    return AppointmentView.of(newest)


@app.post("/accounts/<account>/appointment", status_code=201)
def post_appointment(
    account: AccountId,
    body: AppointmentBody,
    admission: MayAppoint,
    context: Context,
    appointments: Appointments,
    people: People,
) -> Created[AppointmentView]:
    """Announce an admin, who becomes one after the deployment's delay. Asked again, the answer is the same one."""
    current = admission.account(account)
    appointment = announce_appointment(
        current,
        body.email,
        body.name,
        body.reason,
        delay_days=int(os.environ["APPOINTMENT_DELAY_DAYS"]),
        context=context,
        directory=people,
        store=appointments,
    )
    return created(AppointmentView.of(appointment), f"/v1/accounts/{account}/appointment")


@app.delete("/accounts/<account>/appointment")
def delete_appointment(
    account: AccountId, admission: MayAppoint, context: Context, appointments: Appointments
) -> NoContent:
    """Take the open appointment back."""
    current = admission.account(account)
    end_appointment(current, None, AppointmentState.TAKEN_BACK, context=context, store=appointments)
    return no_content()


@app.post("/accounts/<account>/appointment/objection")
def post_objection(
    account: AccountId, body: ObjectionBody, admission: MayObject, context: Context, appointments: Appointments
) -> AppointmentView:
    """Object to the open appointment, which ends it. Asked again, the answer is the same."""
    current = admission.account(account)
    ended = end_appointment(current, body.appointment, AppointmentState.OBJECTED, context=context, store=appointments)
    return AppointmentView.of(ended)


@app.get("/accounts/<account>/provisioning")
def get_provisioning(account: AccountId, admission: MayCorrect, accounts: Accounts) -> Tagged[ProvisioningView]:
    """The account's first admins, and whether staff may still correct the provisioning."""
    current = admission.account(account)
    return tagged(ProvisioningView.of(current, accounts.users(account)), current.version)


@app.put("/accounts/<account>/provisioning")
def put_provisioning(
    account: AccountId,
    body: ProvisioningCorrectionBody,
    admission: MayCorrect,
    context: Context,
    accounts: Accounts,
    people: People,
    log_in_days: OrphanedLogInDays,
    real: RealNow,
    if_match: IfMatch = None,
) -> Tagged[ProvisioningView]:
    """Correct the first admin, and the billing information, of an account that no admin has logged in to."""
    details = accounts.details(account)
    admission.admit(details.account)
    corrected = correct_provisioning(
        details,
        body.value(),
        replaced_version(if_match),
        context=context,
        directory=people,
        store=accounts,
        checks_vat_numbers=checks_vat_numbers(),
        log_in_days=log_in_days,
        real=real,
    )
    view = ProvisioningView.of(corrected.account, accounts.users(account))
    return tagged(view, corrected.account.version)


def log_ins(account: Account, admission: Admission, now: datetime) -> Mapping[str, datetime]:
    """When each user has used the account first. The caller does so now, if it is not noted yet."""
    return {admission.person.user: now, **account.logged_in}


handler = entrypoint(app)
