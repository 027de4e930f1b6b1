"""POST /accounts: staff provision an account, all or nothing. A repeated request changes nothing."""

import os
from dataclasses import replace
from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import StaffOnly
from billing.billing_page.provision_account import provision_account
from billing.billing_page.provisioning_bodies import AccountBody
from billing.billing_page.views import BillingPageView
from billing.kernel.account_ids import clock_of
from billing.kernel.permissions import Permission, Person
from billing.kernel.test_clocks import Clock
from billing.platform.http.answers import Created, created
from billing.platform.http.callers import Context
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import (
    Catalogues,
    Pages,
    People,
    TaxedFrom,
    VatNumberPolicy,
    checks_vat_numbers,
    clock_store,
    payment_store,
)

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
    clock = _clock(body.account)
    if clock is not None:
        context = replace(context, time=clock.now)
    page = provision_account(
        body.value(),
        context=context,
        directory=people,
        pages=pages,
        catalogues=catalogues,
        checks_vat_numbers=checks_vat_numbers(),
        clock=clock,
    )
    view = BillingPageView.of(page, page.account.contract.today(context.time), seller, policy)
    return created(view, location=f"/v1/accounts/{page.account.id}/billing")


def _clock(account: str) -> Clock | None:
    """The test clock that the id of a new account names. Raises RuleViolation, ClocksForbidden."""
    if clock_of(account) is None:
        return None
    from billing.platform.test_clocks.commands import clock_of_new, require_clocks  # a customer's account needs none

    merchant = payment_store().merchant()
    are_allowed = os.environ["TEST_CLOCKS"] == "on"
    require_clocks(are_allowed=are_allowed, is_live=merchant is not None and merchant.livemode)
    return clock_of_new(account, clock_store())


handler = entrypoint(app)
