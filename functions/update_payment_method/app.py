"""/accounts/{account}/payment-method: an admin sets up a new card or debit, which takes the place of the old one."""

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.authorise import authorise
from billing.invoicing.collect_payments import begin_consent
from billing.invoicing.views import InvoiceNumber
from billing.kernel.permissions import Permission
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
    SetupBody,
    SetupView,
)
from billing.platform.http.answers import Response, created
from billing.platform.http.callers import Caller, Context
from billing.platform.http.models import AccountId
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Accounts, Invoices, PaymentMethods, Payments

app = make_api()


@app.post("/accounts/<account>/payment-method/setup")
def post_setup(
    account: AccountId,
    body: SetupBody,
    caller: Caller,
    context: Context,
    accounts: Accounts,
    methods: PaymentMethods,
    payments: Payments,
    idempotency_key: IdempotencyKey = None,
) -> Response[SetupView]:
    """Begin to set up a payment method: the browser confirms it with Stripe, and its number never comes here."""
    authorise(caller, accounts.account(account), Permission.CHANGE_PAYMENT_METHOD, accounts)
    setup = begin_setup(account, body.wanted(), idempotency_key, context=context, store=methods, gateway=payments)
    return created(SetupView.of(setup), f"/v1/accounts/{account}/payment-method")


@app.put("/accounts/<account>/payment-method")
def put_payment_method(
    account: AccountId,
    body: PaymentMethodBody,
    caller: Caller,
    context: Context,
    accounts: Accounts,
    methods: PaymentMethods,
    payments: Payments,
) -> PaymentMethodView:
    """Pay with what was set up, from now on. The old payment method is given up, and its details are deleted."""
    authorise(caller, accounts.account(account), Permission.CHANGE_PAYMENT_METHOD, accounts)
    profile = replace_payment_method(account, body.setup_intent, context=context, store=methods, gateway=payments)
    return PaymentMethodView.of(payment_method_shown(profile))


@app.put("/accounts/<account>/payment-method/bank-transfer")
def put_bank_transfer(
    account: AccountId, caller: Caller, context: Context, accounts: Accounts, methods: PaymentMethods
) -> PaymentMethodView:
    """Staff agree with the customer that they transfer the money themselves. A card is given up."""
    authorise(caller, accounts.account(account), Permission.SET_BANK_TRANSFER, accounts)
    return PaymentMethodView.of(payment_method_shown(set_bank_transfer(account, context=context, store=methods)))


@app.post("/accounts/<account>/invoices/<number>/consent")
def post_consent(
    account: AccountId,
    number: InvoiceNumber,
    caller: Caller,
    accounts: Accounts,
    invoices: Invoices,
    payments: Payments,
) -> ConsentView:
    """What a browser needs so that the customer's bank can ask for its consent to an invoice's payment."""
    authorise(caller, accounts.account(account), Permission.CHANGE_PAYMENT_METHOD, accounts)
    return ConsentView.of(begin_consent(account, number, store=invoices, gateway=payments))


handler = entrypoint(app)
