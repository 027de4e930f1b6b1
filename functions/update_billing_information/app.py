"""PUT /accounts/{account}/billing-information/{area}: an admin changes what future invoices say."""

import billing.store.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.api.answers import Response, tagged
from billing.api.callers import Caller, Told
from billing.api.information import (
    BillingBody,
    BillingView,
    CompanyBody,
    CompanyView,
    ContactBody,
    ContactView,
)
from billing.api.models import AccountId
from billing.api.preconditions import IfMatch, replaced_version
from billing.api.resolver import entrypoint, make_api
from billing.domain.account import AccountDetails
from billing.domain.information import Area
from billing.domain.permissions import Permission
from billing.usecases.authorise import authorise
from billing.usecases.change_billing_information import change_billing_information
from billing.wiring import Accounts

app = make_api()


@app.put("/accounts/<account>/billing-information/company")
def put_company(
    account: AccountId, body: CompanyBody, caller: Caller, told: Told, accounts: Accounts, if_match: IfMatch = None
) -> Response[CompanyView]:
    """Change the company as it stands on future invoices."""
    known = _changeable(account, caller, accounts)
    company = change_billing_information(
        known.account,
        Area.COMPANY,
        known.information.company,
        body.details(),
        replaced_version(if_match),
        occasion=told,
        store=accounts,
    )
    return tagged(CompanyView.of(company.details), company.version)


@app.put("/accounts/<account>/billing-information/billing")
def put_billing_details(
    account: AccountId, body: BillingBody, caller: Caller, told: Told, accounts: Accounts, if_match: IfMatch = None
) -> Response[BillingView]:
    """Change where invoices are sent."""
    known = _changeable(account, caller, accounts)
    billing = change_billing_information(
        known.account,
        Area.BILLING,
        known.information.billing,
        body.details(),
        replaced_version(if_match),
        occasion=told,
        store=accounts,
    )
    return tagged(BillingView.of(billing.details), billing.version)


@app.put("/accounts/<account>/billing-information/contact")
def put_contact(
    account: AccountId, body: ContactBody, caller: Caller, told: Told, accounts: Accounts, if_match: IfMatch = None
) -> Response[ContactView]:
    """Change whom to talk to about the account."""
    known = _changeable(account, caller, accounts)
    contact = change_billing_information(
        known.account,
        Area.CONTACT,
        known.information.contact,
        body.details(),
        replaced_version(if_match),
        occasion=told,
        store=accounts,
    )
    return tagged(ContactView.of(contact.details), contact.version)


def _changeable(account: AccountId, caller: Caller, accounts: Accounts) -> AccountDetails:
    known = accounts.details(account)
    authorise(caller, known.account, Permission.CHANGE_BILLING_INFORMATION, accounts)
    return known


handler = entrypoint(app)
