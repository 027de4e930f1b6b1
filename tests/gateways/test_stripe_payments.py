"""The gateway to Stripe over the strict stand-in: the result or error for each answer of Stripe."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import stripe
from billing.kernel.errors import AnswerLost, UpstreamFailed
from billing.kernel.money import Money
from billing.payments import stripe_gateway
from billing.payments.gateway import (
    AmountRefused,
    CustomerDeleted,
    KeyReused,
    KeySpent,
    Merchant,
    MethodRefused,
    OtherMerchant,
    RequestRefused,
)
from billing.payments.methods import ChargeState, Debit, Method, PaymentFailure, RefundState
from billing.payments.stripe_gateway import StripePayments
from billing.platform.logs import logger

from local.stripe.api import ACCOUNT, CREDITOR, Stripe
from local.stripe.process import KEYS
from tests.stripe import ADDRESS, InProcess, ask, confirm, payments, stripe_account

VISA, DECLINED, EUROS = "4242424242424242", "4000000000000341", Money(36_328, "EUR")


@pytest.fixture
def account() -> Stripe:
    return stripe_account(1_800_000_000)


@pytest.fixture
def gateway(account: Stripe) -> StripePayments:
    return payments(account)


def payer(account: Stripe, gateway: StripePayments, number: str = VISA) -> tuple[str, str]:
    """A customer with a card, as (customer id, payment method id)."""
    customer = gateway.new_customer("nordlys", f"customer {account.counter}")
    setup = gateway.new_setup(customer, "nordlys", "ada", Method.CARD, f"setup {account.counter}")
    browser = {"setup_intent": setup.setup, "client_secret": setup.client_secret}
    method: str = confirm(account, browser, number)["payment_method"]
    return customer, method


def debtor(account: Stripe, gateway: StripePayments) -> tuple[str, str]:
    """A customer with a SEPA debit, as (customer id, payment method id)."""
    customer = gateway.new_customer("nordlys", f"customer {account.counter}")
    setup = gateway.new_setup(customer, "nordlys", "ada", Method.SEPA_DEBIT, f"setup {account.counter}")
    iban = "payment_method_data[type]=sepa_debit&payment_method_data[sepa_debit][iban]=DE89370400440532013000"
    method: str = ask(account, "POST", f"/v1/setup_intents/{setup.setup}/confirm", iban)["payment_method"]
    return customer, method


def begin(gateway: StripePayments, customer: str, amount: Money = EUROS, method: Method = Method.CARD) -> str:
    return gateway.new_payment(customer, "nordlys", "LV-1", amount, method, f"payment {customer} {amount}")


def intents(account: Stripe) -> list[dict[str, Any]]:
    return [*account.objects["payment_intent"].values()]


# ---- Types, currencies, amounts -----------------------------------------------------------------------


@pytest.mark.parametrize("currency", ["DKK", "GBP", "EUR", "USD"])
def test_a_card_is_charged_in_any_currency(currency: str, account: Stripe, gateway: StripePayments) -> None:
    customer, card = payer(account, gateway)
    intent = begin(gateway, customer, Money(36_500, currency))

    assert gateway.charge(intent, card, Method.CARD, "charge").state is ChargeState.SUCCEEDED
    assert intents(account)[0]["payment_method_types"] == ["card"]


def test_the_payment_intent_takes_the_type_of_the_charged_method(account: Stripe, gateway: StripePayments) -> None:
    customer, debit = debtor(account, gateway)
    intent = begin(gateway, customer)

    assert gateway.charge(intent, debit, Method.SEPA_DEBIT, "charge").state is ChargeState.IN_TRANSIT
    assert intents(account)[0]["payment_method_types"] == ["sepa_debit"]


@pytest.mark.parametrize(
    ("charged", "units", "refunded"),
    [
        (Money(32_400, "ISK"), 3_240_000, Money(32_400, "ISK")),
        (Money(5_000, "UGX"), 500_000, Money(5_000, "UGX")),
        (Money(32_400, "JPY"), 32_400, Money(32_400, "JPY")),
        (Money(2_500_050, "MGA"), 25_000, Money(2_500_050, "MGA")),
        (Money(5_124, "KWD"), 5_120, Money(5_124, "KWD")),
        (EUROS, 36_328, EUROS),
    ],
)
def test_a_full_refund_returns_the_whole_charge_in_any_currency(
    charged: Money, units: int, refunded: Money, account: Stripe, gateway: StripePayments
) -> None:
    customer, card = payer(account, gateway)
    intent = begin(gateway, customer, charged)
    gateway.charge(intent, card, Method.CARD, "charge")
    assert intents(account)[0]["amount_received"] == units

    assert gateway.refund(intent, "CN-1", "1", refunded, "refund").state is RefundState.DONE

    [charge] = account.objects["charge"].values()
    assert (charge["amount_refunded"], charge["refunded"]) == (units, True)


def test_partial_refunds_never_exceed_the_charge(account: Stripe, gateway: StripePayments) -> None:
    customer, card = payer(account, gateway)
    intent = begin(gateway, customer, Money(5_125, "KWD"))
    gateway.charge(intent, card, Method.CARD, "charge")

    parts = [Money(amount, "KWD") for amount in (1_706, 1_706, 1_713)]
    assert {
        gateway.refund(intent, f"CN-{number}", "1", part, f"r{number}").state for number, part in enumerate(parts)
    } == {RefundState.DONE}


def test_a_dispute_has_the_amount_of_the_invoice(account: Stripe, gateway: StripePayments) -> None:
    customer, card = payer(account, gateway)
    intent = begin(gateway, customer, Money(32_400, "ISK"))
    gateway.charge(intent, card, Method.CARD, "charge")

    dispute = gateway.dispute(account.dispute(intent)["id"])

    assert dispute is not None
    assert dispute.amount == Money(32_400, "ISK")


# ---- Facts about the payment --------------------------------------------------------------------------


@pytest.mark.parametrize(("amount", "too_small"), [(Money(20, "EUR"), True), (Money(100_000_000, "EUR"), False)])
def test_a_refused_amount_says_whether_it_is_too_small(
    amount: Money, too_small: bool, account: Stripe, gateway: StripePayments
) -> None:
    customer, _ = payer(account, gateway)

    with pytest.raises(AmountRefused) as refused:
        begin(gateway, customer, amount)
    assert refused.value.too_small is too_small


def test_a_decline_without_a_code_is_a_soft_decline(account: Stripe, gateway: StripePayments) -> None:
    customer, card = payer(account, gateway, DECLINED)
    intent = begin(gateway, customer)
    account.faults.append({"kind": "no_code", "path": "confirm"})

    charge = gateway.charge(intent, card, Method.CARD, "charge")

    assert (charge.state, charge.failure, charge.hard) == (ChargeState.FAILED, PaymentFailure.DECLINED, False)
    assert gateway.payment(intent) == charge


def test_a_charge_of_a_detached_method_fails_without_a_payment_method(account: Stripe, gateway: StripePayments) -> None:
    customer, card = payer(account, gateway)
    intent = begin(gateway, customer)
    ask(account, "POST", f"/v1/payment_methods/{card}/detach")

    assert gateway.charge(intent, card, Method.CARD, "charge").failure is PaymentFailure.NO_PAYMENT_METHOD


@pytest.mark.parametrize("code", ["payment_intent_mandate_invalid", "charge_exceeds_transaction_limit"])
def test_a_known_error_code_is_a_hard_failure_of_the_payment(
    code: str, account: Stripe, gateway: StripePayments
) -> None:
    customer, card = payer(account, gateway)
    intent = begin(gateway, customer)
    account.faults.append({"kind": "refused", "code": code, "path": "confirm"})

    charge = gateway.charge(intent, card, Method.CARD, "charge")

    assert (charge.state, charge.hard) == (ChargeState.FAILED, True)


def test_a_disputed_or_refunded_charge_is_not_refunded(account: Stripe, gateway: StripePayments) -> None:
    customer, card = payer(account, gateway)
    intent = begin(gateway, customer)
    gateway.charge(intent, card, Method.CARD, "charge")
    ask(account, "POST", "/v1/refunds", f"payment_intent={intent}&amount=36000")

    assert gateway.refund(intent, "CN-1", "1", EUROS, "more than is left").state is RefundState.FAILED
    account.dispute(intent)
    assert gateway.refund(intent, "CN-2", "1", Money(100, "EUR"), "disputed").state is RefundState.FAILED


def test_only_an_answer_of_stripe_makes_a_customer_deleted(account: Stripe, gateway: StripePayments) -> None:
    customer, _ = payer(account, gateway)
    ask(account, "DELETE", f"/v1/customers/{customer}")

    with pytest.raises(CustomerDeleted):
        begin(gateway, customer)
    with pytest.raises(CustomerDeleted):
        gateway.new_setup(customer, "nordlys", "ada", Method.CARD, "another setup")
    assert gateway.methods(customer) == []
    # An unknown customer belongs to another Stripe account or mode: our key is wrong.
    for use_unknown_customer in (lambda: begin(gateway, "cus_other"), lambda: gateway.methods("cus_other")):
        with pytest.raises(RequestRefused):
            use_unknown_customer()


def test_the_payment_of_a_deleted_customer_is_cancelled(account: Stripe, gateway: StripePayments) -> None:
    deleted, _ = payer(account, gateway)
    intent = begin(gateway, deleted)
    ask(account, "DELETE", f"/v1/customers/{deleted}")
    _, card = payer(account, gateway)

    assert gateway.charge(intent, card, Method.CARD, "charge").state is ChargeState.CANCELLED
    assert intents(account)[0]["status"] == "canceled"


# ---- Our own faults, and failures of Stripe -----------------------------------------------------------


@pytest.mark.parametrize("code", ["parameter_unknown", "a_code_of_next_year"])
def test_an_error_code_that_is_not_about_the_payment_is_our_fault(
    code: str, account: Stripe, gateway: StripePayments
) -> None:
    customer, card = payer(account, gateway)
    intent = begin(gateway, customer)
    for path in ("payment_intents$", "confirm", "refunds", "cancel", "attach"):
        account.faults.append({"kind": "refused", "code": code, "path": path, "method": "POST"})

    with pytest.raises(RequestRefused):
        begin(gateway, customer, Money(5_000, "EUR"))
    with pytest.raises(RequestRefused):
        gateway.charge(intent, card, Method.CARD, "charge")
    with pytest.raises(RequestRefused):
        gateway.cancel(intent, "cancel")
    with pytest.raises(RequestRefused if code.startswith("parameter_") else MethodRefused):
        gateway.attach(card, customer, "attach")
    assert gateway.charge(intent, card, Method.CARD, "again").state is ChargeState.SUCCEEDED
    with pytest.raises(RequestRefused):
        gateway.refund(intent, "CN-1", "1", EUROS, "refund")


@pytest.mark.parametrize("kind", ["429", "lock_timeout", "409"])
def test_after_a_busy_answer_the_same_key_can_be_used_again(
    kind: str, account: Stripe, gateway: StripePayments
) -> None:
    customer, _ = payer(account, gateway)
    account.faults.append({"kind": kind, "path": "payment_intents"})

    with pytest.raises(UpstreamFailed) as failure:
        begin(gateway, customer)
    assert not isinstance(failure.value, KeySpent | RequestRefused)
    assert begin(gateway, customer) == intents(account)[0]["id"]


def test_a_server_error_of_stripe_spends_the_key(account: Stripe, gateway: StripePayments) -> None:
    customer, _ = payer(account, gateway)
    account.faults.append({"kind": "500", "path": "payment_intents", "method": "POST"})

    for _ in range(2):
        with pytest.raises(KeySpent):
            begin(gateway, customer)
    assert intents(account) == []


def test_after_a_server_error_the_gateway_finds_what_stripe_has_done(account: Stripe, gateway: StripePayments) -> None:
    customer, card = payer(account, gateway)
    account.faults += [{"kind": "500_after", "path": path} for path in ("payment_intents$", "confirm", "refunds$")]
    account.faults[-1]["method"] = "POST"

    intent = begin(gateway, customer)
    assert gateway.charge(intent, card, Method.CARD, "charge").state is ChargeState.SUCCEEDED
    assert gateway.refund(intent, "CN-1", "1", EUROS, "refund").state is RefundState.DONE

    assert [each["status"] for each in intents(account)] == ["succeeded"]
    assert [each["amount"] for each in account.objects["refund"].values()] == [36_328]


def test_after_a_lost_answer_the_same_key_returns_the_same_payment(account: Stripe, gateway: StripePayments) -> None:
    customer, _ = payer(account, gateway)
    account.faults.append({"kind": "timeout", "path": "payment_intents"})

    with pytest.raises(AnswerLost):
        begin(gateway, customer)
    assert begin(gateway, customer) == intents(account)[0]["id"]
    with pytest.raises(KeyReused):
        gateway.new_payment(customer, "nordlys", "LV-2", EUROS, Method.CARD, f"payment {customer} {EUROS}")


def test_the_key_is_not_spent_before_stripe_has_said_what_became_of_the_request(
    account: Stripe, gateway: StripePayments
) -> None:
    customer, _ = payer(account, gateway)
    account.faults += [
        {"kind": "500_after", "path": "payment_intents$", "method": "POST"},
        {"kind": "500", "path": "payment_intents$", "method": "GET"},
    ]

    with pytest.raises(UpstreamFailed) as failure:
        begin(gateway, customer)

    assert not isinstance(failure.value, KeySpent)
    assert begin(gateway, customer) == intents(account)[0]["id"]
    assert len(intents(account)) == 1


# ---- What an earlier run has done ------------------------------------------------------------------------


def earlier(gateway: StripePayments, customer: str, amount: Money = EUROS, known: tuple[str, ...] = ()) -> str | None:
    found = gateway.earlier_payment(customer, "nordlys", "LV-1", amount, known)
    return None if found is None else found.payment_intent_id


def test_an_earlier_payment_is_found_by_a_list(account: Stripe, gateway: StripePayments) -> None:
    customer, card = payer(account, gateway)
    assert earlier(gateway, customer) is None
    intent = begin(gateway, customer)
    for name, amount in (("LV-2", EUROS), ("LV-1", Money(500, "EUR"))):
        gateway.new_payment(customer, "nordlys", name, amount, Method.CARD, f"{name} {amount}")

    assert earlier(gateway, customer) == intent
    gateway.charge(intent, card, Method.CARD, "charge")
    # Money that has arrived counts, whatever is owed now.
    assert earlier(gateway, customer, Money(700, "EUR")) == intent
    assert earlier(gateway, customer, Money(700, "EUR"), (intent,)) is None


def test_an_earlier_payment_that_was_cancelled_is_none(account: Stripe, gateway: StripePayments) -> None:
    customer, _ = payer(account, gateway)
    gateway.cancel(begin(gateway, customer), "cancel")

    assert earlier(gateway, customer) is None


def test_no_request_is_made_with_the_key_of_another_merchant(account: Stripe) -> None:
    merchants: list[Merchant] = []

    def require(merchant: Merchant) -> None:
        merchants.append(merchant)
        merchant.require(Merchant("acct_other", livemode=False))

    gateway = StripePayments(KEYS.__getitem__, ADDRESS, require, InProcess(account))
    for _ in range(2):
        with pytest.raises(OtherMerchant) as refused:
            gateway.new_customer("nordlys", "customer")

    assert merchants == [Merchant(ACCOUNT, livemode=False)] * 2
    assert f"{ACCOUNT} in test mode" in refused.value.detail
    assert "acct_other in test mode" in refused.value.detail
    assert {each["path"] for each in account.requests} == {"/v1/account"}


def test_a_rotated_key_is_compared_again(account: Stripe) -> None:
    keys, merchants = dict(KEYS), list[Merchant]()
    gateway = StripePayments(keys.__getitem__, ADDRESS, merchants.append, InProcess(account))
    for _ in range(2):
        gateway.new_customer("nordlys", "customer")
    assert len(merchants) == 1
    keys["api_key"] = account._key = "sk_live_livello"

    gateway.new_customer("nordlys", "customer")

    assert [each.livemode for each in merchants] == [False, True]


# ---- Debits and their mandates -----------------------------------------------------------------------


def test_a_debit_has_its_mandate_and_our_creditor_identifier(account: Stripe, gateway: StripePayments) -> None:
    debtor(account, gateway)
    [setup], [mandate] = account.objects["setup_intent"], account.objects["mandate"].values()

    found = gateway.setup(setup)

    assert found is not None
    assert found.chosen is not None
    reference = mandate["payment_method_details"]["sepa_debit"]["reference"]
    assert found.chosen.shown.debit == Debit("DE", "3000", reference, CREDITOR)


def test_a_revoked_mandate_names_its_method_and_pays_nothing(account: Stripe, gateway: StripePayments) -> None:
    customer, debit = debtor(account, gateway)
    [mandate] = account.objects["mandate"]
    intent = begin(gateway, customer, method=Method.SEPA_DEBIT)
    assert (gateway.revoked_method(mandate), gateway.revoked_method("mandate_unknown")) == (None, None)
    account.revoke_mandate(mandate)

    assert gateway.revoked_method(mandate) == debit
    charge = gateway.charge(intent, debit, Method.SEPA_DEBIT, "charge")
    assert (charge.state, charge.failure, charge.hard) == (
        ChargeState.FAILED,
        PaymentFailure.NO_PAYMENT_METHOD,
        True,
    )


@pytest.mark.parametrize(("code", "hard"), [("insufficient_funds", False), ("authorization_revoked", True)])
def test_a_debit_that_needs_another_mandate_is_a_hard_failure(
    code: str, hard: bool, account: Stripe, gateway: StripePayments
) -> None:
    customer, debit = debtor(account, gateway)
    intent = begin(gateway, customer, method=Method.SEPA_DEBIT)
    gateway.charge(intent, debit, Method.SEPA_DEBIT, "charge")
    account.settle(intent, succeed=False, code=code)

    charge = gateway.payment(intent)

    assert charge is not None
    assert (charge.state, charge.hard) == (ChargeState.FAILED, hard)


def test_a_payment_and_its_refund_outlive_their_customer(account: Stripe, gateway: StripePayments) -> None:
    """Deleting a customer removes its payment details and prevents further operations on it
    (docs.stripe.com/api/customers/delete). Payments and refunds are objects of their own."""
    customer, method = debtor(account, gateway)
    payment = begin(gateway, customer, method=Method.SEPA_DEBIT)
    assert gateway.charge(payment, method, Method.SEPA_DEBIT, "charge").state is ChargeState.IN_TRANSIT
    gateway.delete_customer(customer, "delete")

    account.settle(payment, succeed=True)
    succeeded = gateway.payment(payment)
    assert succeeded is not None
    assert (succeeded.state, succeeded.amount, succeeded.currency) == (ChargeState.SUCCEEDED, EUROS.amount, "EUR")
    assert gateway.invoice_of(payment) == ("nordlys", "LV-1")
    refund = gateway.refund(payment, "LV-1", "1", EUROS, "refund")
    assert refund.state is RefundState.DONE
    with pytest.raises(CustomerDeleted):
        begin(gateway, customer, Money(1_000, "EUR"))


# ---- The ledger: what is compared with the books ------------------------------------------------------


def test_the_ledger_has_each_payment_with_its_refunds_and_disputes(account: Stripe, gateway: StripePayments) -> None:
    customer, card = payer(account, gateway)
    intent = begin(gateway, customer)
    gateway.charge(intent, card, Method.CARD, "charge")
    gateway.refund(intent, "CN-1", "1", Money(500, "EUR"), "refund")
    dispute = account.dispute(intent, 300)
    waiting = begin(gateway, customer, Money(700, "EUR"))

    newest, oldest = gateway.payments_of(customer, 10)

    assert (newest.id, newest.state, newest.has_refunds, newest.has_disputes) == (
        waiting,
        ChargeState.WAITING,
        False,
        False,
    )
    assert (oldest.id, oldest.account, oldest.invoice, oldest.customer_account) == (
        intent,
        "nordlys",
        "LV-1",
        "nordlys",
    )
    assert (oldest.amount, oldest.state, oldest.has_refunds, oldest.has_disputes) == (
        EUROS,
        ChargeState.SUCCEEDED,
        True,
        True,
    )
    assert gateway.payment_in_ledger(intent) == oldest
    [refund] = gateway.refunds_of(intent, 10)
    assert (refund.refund.credit_note, refund.refund.amount, refund.refund.state) == (
        "CN-1",
        Money(500, "EUR"),
        RefundState.DONE,
    )
    [found] = gateway.disputes_of(oldest, 10)
    assert found.dispute == gateway.dispute(dispute["id"])
    assert found.made_at > refund.made_at > oldest.made_at


def test_the_ledger_reads_no_more_than_it_is_asked_for(account: Stripe, gateway: StripePayments) -> None:
    customer, _ = payer(account, gateway)
    for amount in range(100, 105):
        begin(gateway, customer, Money(amount, "EUR"))

    assert [each.amount.amount for each in gateway.payments_of(customer, 2)] == [104, 103]


def test_what_the_ledger_does_not_know_is_nothing(account: Stripe, gateway: StripePayments) -> None:
    assert gateway.payments_of("cus_none", 10) == []
    assert gateway.payment_in_ledger("pi_none") is None


def test_a_deleted_customer_is_of_no_account(account: Stripe, gateway: StripePayments) -> None:
    customer, _ = payer(account, gateway)
    intent = begin(gateway, customer)
    gateway.delete_customer(customer, "delete")

    found = gateway.payment_in_ledger(intent)

    assert found is not None
    assert (found.account, found.customer_account) == ("nordlys", None)


# ---- What is logged ----------------------------------------------------------------------------------


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """The log lines of the gateway during the test."""
    lines, handler = io.StringIO(), logger.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(lines)
    yield lines
    handler.setStream(before)


def test_a_refusal_is_logged_with_stripes_id_of_the_request_and_without_its_text(
    gateway: StripePayments, logged: io.StringIO
) -> None:
    with pytest.raises(RequestRefused):
        gateway.new_payment("cus_canary", "nordlys", "LV-1", Money(-1, "EUR"), Method.CARD, "k")
    error: Any = stripe.InvalidRequestError
    refusal = error("canary", "canary", http_status=400, headers={"request-id": "req_1"})
    with pytest.raises(RequestRefused), stripe_gateway._stripe_errors():
        raise refusal

    first, second = map(json.loads, logged.getvalue().splitlines())
    assert (first["message"], first["kind"], first["status"]) == ("stripe refused", "InvalidRequestError", 400)
    assert second["stripe"] == "req_1"
    assert "canary" not in logged.getvalue()


def test_a_key_that_stripe_does_not_know_is_a_refusal(account: Stripe, logged: io.StringIO) -> None:
    keys = {**KEYS, "api_key": "sk_test_canary"}
    gateway = StripePayments(keys.__getitem__, ADDRESS, lambda _: None, InProcess(account))

    with pytest.raises(UpstreamFailed):
        gateway.new_customer("nordlys", "k")

    assert json.loads(logged.getvalue())["status"] == 401
    assert "canary" not in logged.getvalue()


def test_a_decline_and_what_stripe_does_not_know_any_more_are_no_refusals(
    account: Stripe, gateway: StripePayments, logged: io.StringIO
) -> None:
    customer, method = payer(account, gateway, DECLINED)
    payment = begin(gateway, customer)

    gateway.charge(payment, method, Method.CARD, "pay")
    gateway.delete_customer("cus_unknown", "delete")
    assert gateway.setup("seti_unknown") is None
    assert gateway.payment_in_ledger("pi_unknown") is None
    assert gateway.payments_of("cus_unknown", 10) == []
    assert gateway.invoice_of("pi_unknown") is None

    assert logged.getvalue() == ""


def test_the_key_of_another_account_is_logged(account: Stripe, logged: io.StringIO) -> None:
    def refuse(_: Merchant) -> None:
        raise OtherMerchant("It is another one.")

    gateway = StripePayments(KEYS.__getitem__, ADDRESS, refuse, InProcess(account))

    with pytest.raises(OtherMerchant):
        gateway.new_customer("nordlys", "k")

    assert json.loads(logged.getvalue())["message"] == "other merchant"
