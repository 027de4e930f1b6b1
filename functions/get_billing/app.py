"""GET /accounts/{account}/billing and each of its sections, each computed from one query."""

from typing import Annotated

from billing.accounts.admission import Admission, Permits
from billing.accounts.information_views import BillingView, CompanyView, ContactView
from billing.billing_page.page import BillingPage
from billing.billing_page.views import BillingPageView, PaymentView
from billing.kernel.permissions import Permission
from billing.platform.http.answers import Tagged, tagged
from billing.platform.http.callers import Now
from billing.platform.http.models import AccountId
from billing.platform.http.resolver import entrypoint, make_api
from billing.subscriptions.views import SubscriptionView
from billing.wiring import Pages, TaxedFrom, VatNumberPolicy, account_store

MayRead = Annotated[Admission, Permits(Permission.READ_BILLING, account_store)]

app = make_api()


@app.get("/accounts/<account>/billing")
def get_billing(
    account: AccountId, admission: MayRead, pages: Pages, seller: TaxedFrom, policy: VatNumberPolicy, now: Now
) -> BillingPageView:
    """The billing page."""
    page = pages.billing_page(account)
    admission.admit(page.account)
    shown = admission.may(page.account, Permission.READ_APPOINTMENTS)
    return BillingPageView.of(page, page.account.contract.today(now), seller, policy, shows_appointment=shown)


@app.get("/accounts/<account>/subscription")
def get_subscription(account: AccountId, admission: MayRead, pages: Pages, now: Now) -> Tagged[SubscriptionView]:
    """What the account pays for."""
    page = _without_invoices(account, admission, pages)
    contract = page.account.contract
    view = SubscriptionView.of(page.subscription, contract.currency, contract.today(now), page.subscription_to_come)
    return tagged(view, page.subscription.version)


@app.get("/accounts/<account>/payment-method")
def get_payment_details(
    account: AccountId, admission: MayRead, pages: Pages, seller: TaxedFrom, policy: VatNumberPolicy, now: Now
) -> PaymentView:
    """How the account pays, how much, and when next."""
    page = _without_invoices(account, admission, pages)
    return PaymentView.of(page, page.account.contract.today(now), seller, policy)


@app.get("/accounts/<account>/billing-information/company")
def get_company(account: AccountId, admission: MayRead, pages: Pages) -> Tagged[CompanyView]:
    """The company as it stands on future invoices."""
    company = _without_invoices(account, admission, pages).information.company
    return tagged(CompanyView.of(company.details), company.version)


@app.get("/accounts/<account>/billing-information/billing")
def get_billing_details(account: AccountId, admission: MayRead, pages: Pages) -> Tagged[BillingView]:
    """Where invoices are sent."""
    billing = _without_invoices(account, admission, pages).information.billing
    return tagged(BillingView.of(billing.details), billing.version)


@app.get("/accounts/<account>/billing-information/contact")
def get_contact(account: AccountId, admission: MayRead, pages: Pages) -> Tagged[ContactView]:
    """Whom to talk to about the account."""
    contact = _without_invoices(account, admission, pages).information.contact
    return tagged(ContactView.of(contact.details), contact.version)


def _without_invoices(account: AccountId, admission: MayRead, pages: Pages) -> BillingPage:
    # Consistent, because clients send the version back in If-Match: an old one would be refused.
    page = pages.billing_page(account, invoices=0, consistent=True)
    admission.admit(page.account)
    return page


handler = entrypoint(app)
