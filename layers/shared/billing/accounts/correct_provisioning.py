"""Corrects the provisioning of an account that no admin has logged in to (DESIGN 3.4.7).

A typo in the first admin's address would leave the account to nobody, or to a stranger. After the first log-in of an
admin the account is theirs, and staff change nothing of it.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime

from billing.accounts.administer_users import find_or_create_user
from billing.accounts.directory import Directory
from billing.accounts.information import Area, CompanyDetails
from billing.accounts.log_in_records import ORPHANED_LOG_IN_DAYS, leaving_at
from billing.accounts.provisioning import ProvisioningCorrection, require_correctable
from billing.accounts.records import AccountStore
from billing.accounts.rules import AccountDetails, Invitation, User
from billing.accounts.vat_number_due import VatNumberDue
from billing.kernel.errors import StaleVersion, VersionRequired
from billing.kernel.events import Event, EventType, Facts, RequestContext
from billing.kernel.permissions import Role
from billing.kernel.versions import Versions, includes
from billing.platform.events.new_event import new_event

ADMIN_PATH = ("first_admin", "email")


def correct_provisioning(
    current: AccountDetails,
    correction: ProvisioningCorrection,
    replaces: Versions | None,
    *,
    context: RequestContext,
    directory: Directory,
    store: AccountStore,
    checks_vat_numbers: bool,
    log_in_days: int = ORPHANED_LOG_IN_DAYS,
    real: datetime | None = None,
) -> AccountDetails:
    """Returns the account as corrected. `replaces` are the versions of the account that the caller has seen.

    The event invites the first admin at the right address. Who was admin by mistake loses their access, and
    `log_in_days` after `real` (the real time, if the account's is another) their log-in, if they belong to no account
    by then. A correction that is made already is not
    made again, so a repeated request succeeds, and gives an admin whose log-in is gone another one. Two queries, one to
    five directory calls and one transaction; one query more if its condition fails.

    Raises VersionRequired, StaleVersion, AdminHasLoggedIn, LogInsUnknown, RuleViolation for an address that cannot be a
    user's, UpstreamFailed.
    """
    account = current.account
    users = store.users(account.id)
    if _is_made(current, users, correction) and all(directory.has_log_in(each.id) for each in _admins(users)):
        return current
    if replaces is None:
        raise VersionRequired("Name the version that this replaces: If-Match with the ETag of the last answer.")
    require_correctable(account)
    if not includes(replaces, account.version):
        raise StaleVersion
    id_ = find_or_create_user(directory, correction.email, correction.name, ADMIN_PATH)
    admin = User(id_, correction.email, correction.name, Role.ADMIN, Invitation(context.time, context.actor))
    former = [user for user in _admins(users) if user.id != admin.id]
    roles = {user: role for user, role in account.roles.items() if user not in {each.id for each in former}}
    corrected = replace(account, roles={**roles, admin.id: Role.ADMIN})
    areas = dict(correction.areas(current.information))
    before = {"admins": [user.facts for user in _admins(users)]}
    after = {"first_admin": admin.facts, "areas": [*areas], "reason": correction.reason}
    type_ = EventType.PROVISIONING_CORRECTED
    events = [new_event(type_, context, account=account.id, before=before, after=after)]
    for area, details in areas.items():
        events.append(_change(current, area, asdict(details), context))
    asked = checks_vat_numbers and any(isinstance(each, CompanyDetails) for each in areas.values())
    information = {area: (details, current.information.area(area).version) for area, details in areas.items()}
    try:
        vat_number = VatNumberDue(context.time) if asked else None
        log_ins_until = leaving_at(real or context.time, log_in_days)
        store.correct_provisioning(corrected, admin, former, information, events, vat_number, log_ins_until)
    except StaleVersion:
        # Two copies of one request may run at once. The slower one then finds the result of the faster one.
        stored = store.details(account.id)
        if _is_made(stored, store.users(account.id), correction):
            return stored
        require_correctable(stored.account)
        raise
    return store.details(account.id)


def _is_made(current: AccountDetails, users: tuple[User, ...], correction: ProvisioningCorrection) -> bool:
    admins = [(user.email, user.name) for user in _admins(users)]
    return admins == [(correction.email, correction.name)] and not [*correction.areas(current.information)]


def _admins(users: tuple[User, ...]) -> list[User]:
    return [user for user in users if user.role is Role.ADMIN]


def _change(current: AccountDetails, area: Area, after: Facts, context: RequestContext) -> Event:
    return new_event(
        EventType.BILLING_INFORMATION_CHANGED,
        context,
        account=current.account.id,
        before={"area": area, "details": asdict(current.information.area(area).details)},
        after={"area": area, "details": after},
    )
