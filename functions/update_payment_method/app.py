"""/accounts/{account}/payment-method: an admin sets up a new card or debit, which replaces the old one."""

import os
from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import Admission, Permits
from billing.accounts.rules import existing
from billing.invoicing.collect_payments import begin_consent, try_payment_again
from billing.invoicing.records import WholeInvoice
from billing.invoicing.views import InvoiceDetailsView, InvoiceNumber
from billing.kernel.permissions import Permission
from billing.payments.change_payment_term import change_payment_term
from billing.payments.records import Payer, PaymentStore
from billing.payments.replace_payment_method import (
    begin_setup,
    payment_method_shown,
    replace_payment_method,
    set_bank_transfer,
)
from billing.payments.views import (
    ConsentView,
    IdempotencyKey,
    PaymentMethodBody,
    PaymentMethodView,
    PaymentTermBody,
    PaymentTermView,
    SetupBody,
    SetupView,
)
from billing.platform.http.answers import Created, Tagged, created, tagged
from billing.platform.http.callers import Context
from billing.platform.http.models import AccountId
from billing.platform.http.preconditions import IfMatch, Preview, replaced_version
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import ChargedMethods, DeployedSettings, Invoices, PaymentMethods, Payments, account_store

MayChange = Annotated[Admission, Permits(Permission.CHANGE_PAYMENT_METHOD, account_store)]
MaySetBankTransfer = Annotated[Admission, Permits(Permission.SET_BANK_TRANSFER, account_store)]

app = make_api()


@app.post("/accounts/<account>/payment-method/setup")
def post_setup(
    account: AccountId,
    body: SetupBody,
    admission: MayChange,
    context: Context,
    methods: PaymentMethods,
    payments: Payments,
    charged: ChargedMethods,
    idempotency_key: IdempotencyKey = None,
) -> Created[SetupView]:
    """Begin to set up a payment method: the browser confirms it with Stripe, and its number never comes here."""
    payer = _admitted(account, admission, methods)
    setup = begin_setup(
        payer,
        body.chosen_method(),
        idempotency_key,
        charged=charged,
        context=context,
        store=methods,
        gateway=payments,
    )
    return created(SetupView.of(setup), f"/v1/accounts/{account}/payment-method")


@app.put("/accounts/<account>/payment-method")
def put_payment_method(
    account: AccountId,
    body: PaymentMethodBody,
    admission: MayChange,
    context: Context,
    methods: PaymentMethods,
    payments: Payments,
) -> PaymentMethodView:
    """Pay with what was set up, from now on. The old payment method is given up, and its details are deleted."""
    payer = _admitted(account, admission, methods)
    profile = replace_payment_method(payer, body.setup_intent, context=context, store=methods, gateway=payments)
    return PaymentMethodView.of(payment_method_shown(profile))


@app.put("/accounts/<account>/payment-method/bank-transfer")
def put_bank_transfer(
    account: AccountId, admission: MaySetBankTransfer, context: Context, methods: PaymentMethods
) -> PaymentMethodView:
    """Staff agree with the customer that they transfer the money themselves. A card is given up."""
    payer = _admitted(account, admission, methods)
    return PaymentMethodView.of(payment_method_shown(set_bank_transfer(payer, context=context, store=methods)))


@app.get("/accounts/<account>/payment-term")
def get_payment_term(
    account: AccountId, admission: MaySetBankTransfer, methods: PaymentMethods, settings: DeployedSettings
) -> Tagged[PaymentTermView]:
    """In how many days the account's bank transfers are due."""
    profile = _admitted(account, admission, methods).profile
    return tagged(PaymentTermView.of(profile, settings.term_days), profile.version)


@app.put("/accounts/<account>/payment-term")
def put_payment_term(
    account: AccountId,
    body: PaymentTermBody,
    admission: MaySetBankTransfer,
    context: Context,
    methods: PaymentMethods,
    settings: DeployedSettings,
    if_match: IfMatch = None,
    preview: Preview = False,
) -> Tagged[PaymentTermView]:
    """Give the account's next invoices another payment term. What is issued keeps its due day."""
    profile = change_payment_term(
        _admitted(account, admission, methods),
        body.days,
        body.reason,
        replaced_version(if_match),
        deployed_days=settings.term_days,
        is_preview=preview,
        context=context,
        store=methods,
    )
    return tagged(PaymentTermView.of(profile, settings.term_days), profile.version)


@app.post("/accounts/<account>/invoices/<number>/consent")
def post_consent(
    account: AccountId,
    number: InvoiceNumber,
    admission: MayChange,
    invoices: Invoices,
    payments: Payments,
) -> ConsentView:
    """What a browser needs so that the customer's bank can ask for its consent to an invoice's payment."""
    admission.account(account)
    return ConsentView.of(begin_consent(account, number, store=invoices, gateway=payments))


@app.post("/accounts/<account>/invoices/<number>/payment-attempts")
def post_payment_attempt(
    account: AccountId,
    number: InvoiceNumber,
    admission: MayChange,
    context: Context,
    invoices: Invoices,
    settings: DeployedSettings,
    payments: Payments,
) -> InvoiceDetailsView:
    """Charge an unpaid invoice now, with the account's payment method. The response says what became of it."""
    billing, asked = invoices.billing_context_with(account, number)
    admission.admit(billing.subscriber.account)
    record = try_payment_again(
        billing,
        number,
        context=context,
        settings=settings,
        consent_page=os.environ["BILLING_PAGE"],
        store=invoices,
        gateway=payments,
    )
    return InvoiceDetailsView.of(WholeInvoice(invoices.document(asked), record))


def _admitted(account: str, admission: Admission, methods: PaymentStore) -> Payer:
    payer = existing(methods.payer(account))
    admission.admit(payer.subscriber.account)
    return payer


handler = entrypoint(app)
