"""GET /accounts/{account}/billing and each of its sections: one query, everything computed when asked."""

from billing.accounts.authorise import authorise
from billing.accounts.information_views import BillingView, CompanyView, ContactView
from billing.billing_page.page import BillingPage
from billing.billing_page.views import BillingPageView, PaymentView
from billing.kernel.permissions import Permission
from billing.platform.http.answers import Response, tagged
from billing.platform.http.callers import Caller, Now
from billing.platform.http.models import AccountId
from billing.platform.http.resolver import entrypoint, make_api
from billing.subscriptions.views import SubscriptionView
from billing.wiring import Accounts, Pages

app = make_api()


@app.get("/accounts/<account>/billing")
def get_billing(account: AccountId, caller: Caller, pages: Pages, accounts: Accounts, now: Now) -> BillingPageView:
    """The billing page."""
    page = pages.billing_page(account)
    authorise(caller, page.account, Permission.READ_BILLING, accounts)
    return BillingPageView.of(page, page.account.contract.today(now))


@app.get("/accounts/<account>/subscription")
def get_subscription(
    account: AccountId, caller: Caller, pages: Pages, accounts: Accounts, now: Now
) -> SubscriptionView:
    """What the account pays for."""
    page = _without_invoices(account, caller, pages, accounts)
    contract = page.account.contract
    return SubscriptionView.of(page.subscription, contract.currency, contract.today(now))


@app.get("/accounts/<account>/payment-method")
def get_payment_details(account: AccountId, caller: Caller, pages: Pages, accounts: Accounts, now: Now) -> PaymentView:
    """How the account pays, how much, and when next."""
    page = _without_invoices(account, caller, pages, accounts)
    return PaymentView.of(page, page.account.contract.today(now))


@app.get("/accounts/<account>/billing-information/company")
def get_company(account: AccountId, caller: Caller, pages: Pages, accounts: Accounts) -> Response[CompanyView]:
    """The company as it stands on future invoices."""
    company = _without_invoices(account, caller, pages, accounts).information.company
    return tagged(CompanyView.of(company.details), company.version)


@app.get("/accounts/<account>/billing-information/billing")
def get_billing_details(account: AccountId, caller: Caller, pages: Pages, accounts: Accounts) -> Response[BillingView]:
    """Where invoices are sent."""
    billing = _without_invoices(account, caller, pages, accounts).information.billing
    return tagged(BillingView.of(billing.details), billing.version)


@app.get("/accounts/<account>/billing-information/contact")
def get_contact(account: AccountId, caller: Caller, pages: Pages, accounts: Accounts) -> Response[ContactView]:
    """Whom to talk to about the account."""
    contact = _without_invoices(account, caller, pages, accounts).information.contact
    return tagged(ContactView.of(contact.details), contact.version)


def _without_invoices(account: AccountId, caller: Caller, pages: Pages, accounts: Accounts) -> BillingPage:
    # What is shown with its version is about to be changed by it, so it must be the one that stands.
    page = pages.billing_page(account, invoices=0, consistent=True)
    authorise(caller, page.account, Permission.READ_BILLING, accounts)
    return page


handler = entrypoint(app)
