"""POST /accounts: staff provision an account, all or nothing. A repeated request changes nothing."""

from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import StaffOnly
from billing.billing_page.provision_account import provision_account
from billing.billing_page.provisioning_bodies import AccountBody
from billing.billing_page.views import BillingPageView
from billing.kernel.permissions import Permission, Person
from billing.platform.http.answers import Created, created
from billing.platform.http.callers import Context
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Catalogues, Pages, People, TaxedFrom, VatNumberPolicy, checks_vat_numbers

MayProvision = Annotated[Person, StaffOnly(Permission.PROVISION_ACCOUNTS)]

app = make_api()


@app.post("/accounts", status_code=201)
def provision(
    body: AccountBody,
    _: MayProvision,
    context: Context,
    pages: Pages,
    catalogues: Catalogues,
    people: People,
    seller: TaxedFrom,
    policy: VatNumberPolicy,
) -> Created[BillingPageView]:
    """Provision an account and invite its first admin."""
    page = provision_account(
        body.value(),
        context=context,
        directory=people,
        pages=pages,
        catalogues=catalogues,
        checks_vat_numbers=checks_vat_numbers(),
    )
    view = BillingPageView.of(page, page.account.contract.today(context.time), seller, policy)
    return created(view, location=f"/v1/accounts/{page.account.id}/billing")


handler = entrypoint(app)
