"""What staff change of a running account: stores, products, discounts, term, version of the catalogue, and
exemptions from tax (decisions 0034, 0037, 0038, 0044)."""

import os
from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.administer_stores import change_store
from billing.accounts.admission import Admission, Permits
from billing.accounts.store_views import StoreChangeBody, StoreId, StoresView
from billing.billing_page.change_exemptions import replace_exemptions
from billing.billing_page.change_subscription import (
    ChangeRequest,
    SubscriptionChange,
    change_product,
    end_product,
    keep_product,
    move_to_version,
    replace_discounts,
    withdraw_version,
)
from billing.billing_page.change_term import CurrencyOrder, agree_to_term, propose_term, take_term_back
from billing.billing_page.change_views import (
    AccountProductBody,
    CatalogueVersionBody,
    CatalogueVersionChangeView,
    CatalogueVersionView,
    ChangedTermView,
    ConsentBody,
    ContractTermView,
    DiscountsBody,
    DiscountsChangeView,
    DiscountsView,
    ProductEndBody,
    ProductId,
    SubscriptionChangeView,
    TermBody,
)
from billing.billing_page.exemption_views import ExemptionsChangeView, ExemptionsView
from billing.billing_page.page import BillingPage
from billing.billing_page.records import BillingPageStore
from billing.invoicing.exemptions.views import ExemptionsBody
from billing.kernel.events import RequestContext
from billing.kernel.permissions import Permission
from billing.platform.http.answers import NoContent, Tagged, no_content, tagged
from billing.platform.http.callers import Context, Now
from billing.platform.http.models import AccountId
from billing.platform.http.preconditions import IfMatch, IfNoneMatch, Preview, replaced_version
from billing.platform.http.resolver import entrypoint, make_api
from billing.subscriptions.rules import Order
from billing.wiring import Accounts, Pages, TaxedFrom, VatNumberPolicy, account_store, invoice_store

MayRead = Annotated[Admission, Permits(Permission.READ_BILLING, account_store)]
MayChange = Annotated[Admission, Permits(Permission.CHANGE_ACCOUNTS, account_store)]
MayKeepTerm = Annotated[Admission, Permits(Permission.KEEP_TERM, account_store)]
MayAgree = Annotated[Admission, Permits(Permission.AGREE_TO_TERM, account_store)]
MayKeep = Annotated[Admission, Permits(Permission.KEEP_PRODUCTS, account_store)]

app = make_api()


@app.get("/accounts/<account>/stores")
def get_stores(account: AccountId, admission: MayRead) -> Tagged[StoresView]:
    """All stores of the account, closed ones included."""
    found = admission.account(account)
    return tagged(StoresView.of(found), found.version)


@app.put("/accounts/<account>/stores/<store>")
def put_store(
    account: AccountId,
    store: StoreId,
    body: StoreChangeBody,
    admission: MayChange,
    context: Context,
    accounts: Accounts,
    if_match: IfMatch = None,
    preview: Preview = False,
) -> Tagged[StoresView]:
    """Add a store, rename it, close it from a day on, or reopen it. The admins get a mail."""
    changed = change_store(
        admission.account(account),
        body.value(store),
        replaced_version(if_match),
        is_preview=preview,
        context=context,
        accounts=accounts,
    )
    return tagged(StoresView.of(changed), changed.version)


@app.get("/accounts/<account>/discounts")
def get_discounts(account: AccountId, admission: MayRead, pages: Pages, now: Now) -> Tagged[DiscountsView]:
    """The discounts that are not over, and from which day on they can be changed."""
    page = _admitted(account, admission, pages)
    return tagged(DiscountsView.of(page, page.account.contract.today(now)), page.subscription.version)


@app.put("/accounts/<account>/discounts")
def put_discounts(
    account: AccountId,
    body: DiscountsBody,
    admission: MayChange,
    context: Context,
    pages: Pages,
    seller: TaxedFrom,
    policy: VatNumberPolicy,
    if_match: IfMatch = None,
    preview: Preview = False,
) -> Tagged[DiscountsChangeView]:
    """Replace the discounts, from the next renewal on that is not invoiced. Admins and the billing address are told."""
    page = _admitted(account, admission, pages)
    change = ChangeRequest(replaced_version(if_match), preview, context, seller, policy)
    changed = replace_discounts(page, body.values(), change, pages=pages)
    view = DiscountsChangeView.of(changed, page.account.contract.today(context.time))
    return tagged(view, changed.page.subscription.version)


@app.get("/accounts/<account>/tax-exemptions")
def get_exemptions(account: AccountId, admission: MayRead, pages: Pages, now: Now) -> Tagged[ExemptionsView]:
    """The exemptions of the account from tax, and from which day on they can be changed."""
    page = _admitted(account, admission, pages)
    return tagged(ExemptionsView.of(page, page.account.contract.today(now)), page.exemptions.version)


@app.put("/accounts/<account>/tax-exemptions")
def put_exemptions(
    account: AccountId,
    body: ExemptionsBody,
    admission: MayChange,
    context: Context,
    pages: Pages,
    seller: TaxedFrom,
    policy: VatNumberPolicy,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
    preview: Preview = False,
) -> Tagged[ExemptionsChangeView]:
    """Replace the exemptions of the account from tax, with their evidence. Admins and the billing address are told."""
    page = _admitted(account, admission, pages)
    replaces = replaced_version(if_match, if_none_match)
    change = ChangeRequest(replaces, preview, context, seller, policy)
    changed = replace_exemptions(page, body.values(), change, pages=pages)
    view = ExemptionsChangeView.of(changed, page.account.contract.today(context.time))
    return tagged(view, changed.page.exemptions.version)


@app.put("/accounts/<account>/subscription/lines/<product>")
def put_product(
    account: AccountId,
    product: ProductId,
    body: AccountProductBody,
    admission: MayChange,
    context: Context,
    pages: Pages,
    seller: TaxedFrom,
    policy: VatNumberPolicy,
    if_match: IfMatch = None,
    preview: Preview = False,
) -> Tagged[SubscriptionChangeView]:
    """Add a product, or move it to a larger tier or to an agreed price. Admins and the billing address are told."""
    page = _admitted(account, admission, pages)
    change = ChangeRequest(replaced_version(if_match), preview, context, seller, policy)
    order = Order(product, body.up_to)
    return _changed(change_product(page, order, body.agreed, body.reason, change, pages=pages), context)


@app.put("/accounts/<account>/subscription/lines/<product>/ending")
def put_product_end(
    account: AccountId,
    product: ProductId,
    body: ProductEndBody,
    admission: MayChange,
    context: Context,
    pages: Pages,
    seller: TaxedFrom,
    policy: VatNumberPolicy,
    if_match: IfMatch = None,
    preview: Preview = False,
) -> Tagged[SubscriptionChangeView]:
    """End a product with the notice of a cancellation. Admins are told, and may take it back."""
    page = _admitted(account, admission, pages)
    change = ChangeRequest(replaced_version(if_match), preview, context, seller, policy)
    return _changed(end_product(page, product, body.ends_on, body.reason, change, pages=pages), context)


@app.delete("/accounts/<account>/subscription/lines/<product>/ending")
def delete_product_end(
    account: AccountId,
    product: ProductId,
    admission: MayKeep,
    context: Context,
    pages: Pages,
    seller: TaxedFrom,
    policy: VatNumberPolicy,
    preview: Preview = False,
) -> Tagged[SubscriptionChangeView]:
    """Keep a product that was to end, before its day."""
    page = _admitted(account, admission, pages)
    # Only one thing can be taken back, so no version is named.
    change = ChangeRequest(page.subscription.version, preview, context, seller, policy)
    return _changed(keep_product(page, product, change, pages=pages), context)


@app.get("/accounts/<account>/catalogue-version")
def get_catalogue_version(
    account: AccountId, admission: MayChange, pages: Pages, now: Now
) -> Tagged[CatalogueVersionView]:
    """The version of the catalogue that the account has, and the one that it moves to."""
    page = _admitted(account, admission, pages)
    return tagged(CatalogueVersionView.of(page, page.account.contract.today(now)), page.subscription.version)


@app.put("/accounts/<account>/catalogue-version")
def put_catalogue_version(
    account: AccountId,
    body: CatalogueVersionBody,
    admission: MayChange,
    context: Context,
    pages: Pages,
    seller: TaxedFrom,
    policy: VatNumberPolicy,
    if_match: IfMatch = None,
    preview: Preview = False,
) -> Tagged[CatalogueVersionChangeView]:
    """Move the account to another version of the catalogue, with notice. Admins and the billing address are told."""
    page = _admitted(account, admission, pages)
    change = ChangeRequest(replaced_version(if_match), preview, context, seller, policy)
    notice_days = int(os.environ["PRICE_NOTICE_DAYS"])
    moved = move_to_version(page, body.version, body.effective_on, body.reason, notice_days, change, pages=pages)
    return _moved(moved, context)


@app.delete("/accounts/<account>/catalogue-version")
def delete_catalogue_version(
    account: AccountId,
    admission: MayChange,
    context: Context,
    pages: Pages,
    seller: TaxedFrom,
    policy: VatNumberPolicy,
    preview: Preview = False,
) -> Tagged[CatalogueVersionChangeView]:
    """Withdraw a move to another version of the catalogue, before its day. Admins and the billing address are told."""
    page = _admitted(account, admission, pages)
    # Only one thing can be withdrawn, so no version is named.
    change = ChangeRequest(page.subscription.version, preview, context, seller, policy)
    return _moved(withdraw_version(page, change, pages=pages), context)


@app.get("/accounts/<account>/contract/term")
def get_term(account: AccountId, admission: MayRead, pages: Pages, now: Now) -> Tagged[ContractTermView]:
    """How many months are paid at once, in which currency, and the newest change of that."""
    page = _admitted(account, admission, pages)
    view = ContractTermView.of(page, page.account.contract.today(now))
    return tagged(view, 0 if page.term is None else page.term.version)


@app.put("/accounts/<account>/contract/term")
def put_term(
    account: AccountId,
    body: TermBody,
    admission: MayChange,
    context: Context,
    pages: Pages,
    seller: TaxedFrom,
    policy: VatNumberPolicy,
    if_match: IfMatch = None,
    preview: Preview = False,
) -> Tagged[ChangedTermView]:
    """Change how many months are paid at once, or the currency, from a renewal on. A longer term, and another currency,
    wait for an admin's consent."""
    page = _admitted(account, admission, pages)
    change = ChangeRequest(replaced_version(if_match), preview, context, seller, policy)
    order = None if body.currency is None else CurrencyOrder(body.currency, int(os.environ["PRICE_NOTICE_DAYS"]))
    changed = propose_term(
        page, body.interval_months, body.reason, change, pages=pages, order=order, invoices=invoice_store
    )
    return tagged(ChangedTermView.of(changed), changed.change.version)


@app.post("/accounts/<account>/contract/term/consent")
def post_term_consent(
    account: AccountId,
    body: ConsentBody,
    admission: MayAgree,
    context: Context,
    pages: Pages,
    seller: TaxedFrom,
    policy: VatNumberPolicy,
    preview: Preview = False,
) -> Tagged[ChangedTermView]:
    """Agree to the term that was proposed, as an admin of the account."""
    page = _admitted(account, admission, pages)
    change = ChangeRequest(None, preview, context, seller, policy)
    changed = agree_to_term(page, body.term, change, pages=pages, invoices=invoice_store)
    return tagged(ChangedTermView.of(changed), changed.change.version)


@app.delete("/accounts/<account>/contract/term")
def delete_term(account: AccountId, admission: MayKeepTerm, context: Context, pages: Pages) -> NoContent:
    """Take a change of the term back, before its renewal."""
    take_term_back(_admitted(account, admission, pages), context, pages=pages)
    return no_content()


def _moved(change: SubscriptionChange, context: RequestContext) -> Tagged[CatalogueVersionChangeView]:
    today = change.page.account.contract.today(context.time)
    return tagged(CatalogueVersionChangeView.of(change, today), change.page.subscription.version)


def _changed(change: SubscriptionChange, context: RequestContext) -> Tagged[SubscriptionChangeView]:
    today = change.page.account.contract.today(context.time)
    return tagged(SubscriptionChangeView.of(change, today), change.page.subscription.version)


def _admitted(account: str, admission: Admission, pages: BillingPageStore) -> BillingPage:
    # Consistent, because a change names the version that was read.
    page = pages.billing_page(account, invoices=0, consistent=True)
    admission.admit(page.account)
    return page


handler = entrypoint(app)
