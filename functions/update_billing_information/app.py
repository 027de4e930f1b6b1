"""PUT /accounts/{account}/billing-information/{area}: an admin changes what future invoices say."""

from dataclasses import dataclass
from typing import Annotated, cast

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from aws_lambda_powertools.event_handler.depends import Depends
from billing.accounts.admission import Admission, Permits
from billing.accounts.change_billing_information import D, change_billing_information
from billing.accounts.information import Area, Information
from billing.accounts.information_views import (
    BillingBody,
    BillingView,
    CompanyBody,
    CompanyView,
    ContactBody,
    ContactView,
)
from billing.kernel.permissions import Permission
from billing.platform.http.answers import Tagged, tagged
from billing.platform.http.callers import Context
from billing.platform.http.models import AccountId
from billing.platform.http.preconditions import IfMatch, replaced_version
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Accounts, account_store, checks_vat_numbers

MayChange = Annotated[Admission, Permits(Permission.CHANGE_BILLING_INFORMATION, account_store)]

app = make_api()


@dataclass(frozen=True, slots=True)
class ChangeArea:
    """Changes one area of an account's billing information on behalf of the caller of a request."""

    admission: MayChange
    context: Context
    accounts: Accounts

    def __call__(self, account: str, area: Area, details: D, if_match: str | None) -> Information[D]:
        """The area after the change. Raises AccountNotFound, Forbidden, StaleVersion, VersionRequired.

        One query and one transaction.
        """
        account_details = self.accounts.details(account)
        self.admission.admit(account_details.account)
        current = cast(Information[D], account_details.information.area(area))  # the details of an area have one class
        replaces = replaced_version(if_match)
        return change_billing_information(
            account_details.account,
            area,
            current,
            details,
            replaces,
            context=self.context,
            store=self.accounts,
            checks_vat_numbers=checks_vat_numbers(),
        )


def change_area(admission: MayChange, context: Context, accounts: Accounts) -> ChangeArea:
    """The change, bound to the caller of this request."""
    return ChangeArea(admission, context, accounts)


Change = Annotated[ChangeArea, Depends(change_area)]


@app.put("/accounts/<account>/billing-information/company")
def put_company(account: AccountId, body: CompanyBody, change: Change, if_match: IfMatch = None) -> Tagged[CompanyView]:
    """Change the company as it stands on future invoices."""
    company = change(account, Area.COMPANY, body.details(), if_match)
    return tagged(CompanyView.of(company.details), company.version)


@app.put("/accounts/<account>/billing-information/billing")
def put_billing_details(
    account: AccountId, body: BillingBody, change: Change, if_match: IfMatch = None
) -> Tagged[BillingView]:
    """Change where invoices are sent."""
    billing = change(account, Area.BILLING, body.details(), if_match)
    return tagged(BillingView.of(billing.details), billing.version)


@app.put("/accounts/<account>/billing-information/contact")
def put_contact(account: AccountId, body: ContactBody, change: Change, if_match: IfMatch = None) -> Tagged[ContactView]:
    """Change whom to talk to about the account."""
    contact = change(account, Area.CONTACT, body.details(), if_match)
    return tagged(ContactView.of(contact.details), contact.version)


handler = entrypoint(app)
