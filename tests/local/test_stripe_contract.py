"""Stripe's promises and refusals, tested against the stand-in; and against Stripe itself where a key is given.

With STRIPE_TEST_KEY each test runs a second time, against api.stripe.com; without it that half is skipped. The key is a
secret key of a test mode account with cards and SEPA debits, and with payouts in euros. Tests that need a switch of the
stand-in are in test_stripe_stand_in.py.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import stripe
from billing.kernel.currencies import CHARGEABLE, MINOR_UNIT_DIGITS
from billing.kernel.money import Money, charged_money, charged_units
from billing.payments.charge_limits import ChargeObstacle, charge_obstacle
from billing.payments.methods import Method
from billing.payments.stripe_gateway import API_VERSION
from stripe import StripeClient

from local.stripe import amounts
from local.stripe.answers import Refused
from local.stripe.process import KEYS
from tests.stripe import ADDRESS, InProcess, stripe_account

TEST_KEY = os.environ.get("STRIPE_TEST_KEY", "")
IBAN = "DE89370400440532013000"
"""docs.stripe.com/payments/sepa-debit: a test account whose debits succeed."""


@dataclass(frozen=True)
class Partner:
    """The other side of the contract: the stand-in, or Stripe's test mode (`real`)."""

    client: StripeClient
    real: bool

    @property
    def v1(self) -> Any:
        return self.client.v1


@pytest.fixture(
    params=[
        "stand-in",
        pytest.param(
            "stripe",
            marks=pytest.mark.skipif(not TEST_KEY, reason="STRIPE_TEST_KEY is not set: Stripe itself is not tested"),
        ),
    ]
)
def partner(request: pytest.FixtureRequest) -> Iterator[Partner]:
    if request.param == "stripe":
        yield Partner(StripeClient(TEST_KEY, stripe_version=API_VERSION, max_network_retries=2), real=True)
        return
    addresses: Any = {"api": ADDRESS}
    account = stripe_account(time.time())
    client = StripeClient(
        KEYS["api_key"],
        stripe_version=API_VERSION,
        base_addresses=addresses,
        http_client=InProcess(account),
        max_network_retries=0,
    )
    yield Partner(client, real=False)


def key() -> Any:
    return {"idempotency_key": str(uuid.uuid4())}


def customer(partner: Partner, card: str = "pm_card_visa") -> tuple[str, str]:
    payer = partner.v1.customers.create({"metadata": {"account": "contract-test"}})
    attached = partner.v1.payment_methods.attach(card, {"customer": payer.id})
    return payer.id, attached.id


def intent(partner: Partner, payer: str, amount: int = 1250, currency: str = "eur", **more: Any) -> Any:
    parameters = {
        "amount": amount,
        "currency": currency,
        "customer": payer,
        "allowed_payment_method_types": ["card"],
        "metadata": {"account": "contract-test", "invoice": "1"},
        **more,
    }
    return partner.v1.payment_intents.create(parameters, key())


def paid(partner: Partner, card: str = "pm_card_visa", amount: int = 1250, currency: str = "eur") -> Any:
    payer, method = customer(partner, card)
    created = intent(partner, payer, amount, currency)
    return partner.v1.payment_intents.confirm(created.id, {"payment_method": method, "off_session": True}, key())


def refused(partner: Partner, service: str, method: str, *given: Any) -> stripe.StripeError:
    with pytest.raises(stripe.StripeError) as failure:
        getattr(getattr(partner.v1, service), method)(*given)
    return failure.value


# ---- Parameters ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "given", "param"),
    [
        ("customers", {"nickname": "x"}, "nickname"),
        ("customers", {"invoice_settings": {"default_card": "x"}}, "invoice_settings[default_card]"),
        ("setup_intents", {"currency": "eur"}, "currency"),
        ("payment_intents", {"amount": 1250, "currency": "eur", "invoice": "1"}, "invoice"),
        ("refunds", {"payment_intent": "pi_none", "credit_note": "1"}, "credit_note"),
    ],
)
def test_an_unknown_parameter_is_refused(service: str, given: Any, param: str, partner: Partner) -> None:
    failure = refused(partner, service, "create", given)

    assert (failure.http_status, failure.code, getattr(failure, "param", None)) == (400, "parameter_unknown", param)


@pytest.mark.parametrize(
    ("service", "given"),
    [
        ("setup_intents", {"payment_method_types": ["card"]}),
        ("payment_intents", {"amount": 1250, "currency": "dkk", "payment_method_types": ["card", "sepa_debit"]}),
    ],
)
def test_the_removed_parameter_for_types_is_refused(service: str, given: Any, partner: Partner) -> None:
    """Livello once sent these types. The pinned API version refuses them: no card could be set up or charged."""
    failure = refused(partner, service, "create", given)

    assert (failure.http_status, failure.code) == (400, "payment_method_types_no_longer_supported")


def test_a_missing_parameter_or_one_that_is_no_number_is_refused(partner: Partner) -> None:
    missing = refused(partner, "payment_intents", "create", {"amount": 1250})
    assert (missing.http_status, missing.code) == (400, "parameter_missing")
    unsized: Any = {"amount": "twelve", "currency": "eur"}
    assert refused(partner, "payment_intents", "create", unsized).code == "parameter_invalid_integer"


# ---- Amounts and currencies --------------------------------------------------------------------------


def test_an_unknown_currency_is_refused(partner: Partner) -> None:
    payer, _ = customer(partner)

    failure = refused(partner, "payment_intents", "create", {"amount": 1250, "currency": "zzz", "customer": payer})

    assert (failure.http_status, getattr(failure, "param", None)) == (400, "currency")


@pytest.mark.parametrize(("amount", "currency"), [(49, "eur"), (20, "eur"), (249, "dkk"), (29, "gbp")])
def test_less_than_the_smallest_charge_is_refused(amount: int, currency: str, partner: Partner) -> None:
    if partner.real and currency != "eur":
        pytest.skip("the smallest charge depends on the currency of the payouts, here euros")
    payer, _ = customer(partner)
    parameters = {"amount": amount, "currency": currency, "customer": payer, "allowed_payment_method_types": ["card"]}

    assert refused(partner, "payment_intents", "create", parameters).code == "amount_too_small"


@pytest.mark.parametrize("currency", ["isk", "ugx"])
def test_hundredths_that_a_currency_no_longer_has_are_refused(currency: str, partner: Partner) -> None:
    payer, _ = customer(partner)
    parameters = {
        "amount": 1_000_050,
        "currency": currency,
        "customer": payer,
        "allowed_payment_method_types": ["card"],
    }

    failure = refused(partner, "payment_intents", "create", parameters)

    assert failure.http_status == 400
    assert "evenly divisible by 100" in str(failure.user_message)


@pytest.mark.parametrize(
    ("money", "units"),
    [
        (Money(36_328, "EUR"), 36_328),
        (Money(36_500, "DKK"), 36_500),
        (Money(32_400, "ISK"), 3_240_000),
        (Money(5_000, "UGX"), 500_000),
        (Money(500, "JPY"), 500),
        (Money(2_500_000, "MGA"), 25_000),
    ],
)
def test_an_amount_is_charged_and_refunded_in_stripes_units(money: Money, units: int, partner: Partner) -> None:
    assert charged_units(money) == units
    charged = paid(partner, amount=units, currency=money.currency.lower())
    assert (charged.status, charged_money(charged.amount_received, charged.currency)) == ("succeeded", money)

    refund = partner.v1.refunds.create({"payment_intent": charged.id, "amount": charged_units(money)}, key())

    assert charged_money(refund.amount, refund.currency) == money
    assert refused(partner, "refunds", "create", {"payment_intent": charged.id}).code == "charge_already_refunded"


# ---- Payment methods -----------------------------------------------------------------------------------


def test_allowed_types_that_do_not_go_with_the_currency_are_left_out(partner: Partner) -> None:
    payer, _ = customer(partner)
    both: Any = {"allowed_payment_method_types": ["card", "sepa_debit"]}

    assert intent(partner, payer, currency="dkk", **both).payment_method_types == ["card"]
    assert set(intent(partner, payer, **both).payment_method_types) == {"card", "sepa_debit"}
    alone = {"amount": 1250, "currency": "dkk", "customer": payer, "allowed_payment_method_types": ["sepa_debit"]}
    assert refused(partner, "payment_intents", "create", alone).http_status == 400


def test_a_payment_method_of_a_type_that_is_not_allowed_is_refused(partner: Partner) -> None:
    payer, card = customer(partner)
    debit = intent(partner, payer, allowed_payment_method_types=["sepa_debit"])

    failure = refused(partner, "payment_intents", "confirm", debit.id, {"payment_method": card, "off_session": True})
    assert failure.http_status == 400
    follows = {"payment_method": card, "off_session": True, "allowed_payment_method_types": ["card"]}
    assert partner.v1.payment_intents.confirm(debit.id, follows, key()).status == "succeeded"


def test_a_payment_method_of_another_customer_is_refused(partner: Partner) -> None:
    payer, _ = customer(partner)
    _, theirs = customer(partner)

    failure = refused(
        partner,
        "payment_intents",
        "confirm",
        intent(partner, payer).id,
        {"payment_method": theirs, "off_session": True},
    )
    assert failure.http_status == 400


def test_a_deleted_customer_is_marked_as_deleted(partner: Partner) -> None:
    payer, _ = customer(partner)
    partner.v1.customers.delete(payer)

    assert partner.v1.customers.retrieve(payer).deleted is True
    parameters = {"customer": payer, "allowed_payment_method_types": ["card"]}
    failure = refused(partner, "setup_intents", "create", parameters)
    assert (failure.code, getattr(failure, "param", None)) == ("resource_missing", "customer")
    unknown = refused(partner, "customers", "retrieve", "cus_none")
    assert (unknown.http_status, unknown.code) == (404, "resource_missing")


# ---- Keys, lists, refunds ------------------------------------------------------------------------------


def test_an_idempotency_key_belongs_to_its_parameters_and_repeats_a_decline(partner: Partner) -> None:
    payer, card = customer(partner, "pm_card_chargeCustomerFail")
    created, same_key = intent(partner, payer), key()
    parameters = {"payment_method": card, "off_session": True}

    first = refused(partner, "payment_intents", "confirm", created.id, parameters, same_key)
    again = refused(partner, "payment_intents", "confirm", created.id, parameters, same_key)
    assert (first.http_status, first.code, first.code) == (402, "card_declined", again.code)
    assert again.headers is not None
    assert again.headers.get("idempotent-replayed", again.headers.get("Idempotent-Replayed")) == "true"
    other = refused(partner, "payment_intents", "confirm", created.id, {**parameters, "off_session": False}, same_key)
    assert isinstance(other, stripe.IdempotencyError)


def test_a_list_shows_a_new_payment_at_once(partner: Partner) -> None:
    payer, _ = customer(partner)
    created = intent(partner, payer)

    assert [each.id for each in partner.v1.payment_intents.list({"customer": payer}).data] == [created.id]


def test_a_refund_of_more_than_is_left_is_refused(partner: Partner) -> None:
    charged = paid(partner)
    partner.v1.refunds.create({"payment_intent": charged.id, "amount": 1000}, key())

    failure = refused(partner, "refunds", "create", {"payment_intent": charged.id, "amount": 251})

    assert (failure.http_status, getattr(failure, "param", None)) == (400, "amount")


def test_a_refund_may_be_pending(partner: Partner) -> None:
    charged = paid(partner, "pm_card_pendingRefund")

    assert partner.v1.refunds.create({"payment_intent": charged.id}, key()).status == "pending"


# ---- Our own account, and mandates ----------------------------------------------------------------------


def test_the_key_says_whose_it_is(partner: Partner) -> None:
    own = partner.v1.accounts.retrieve_current()

    assert own.id.startswith("acct_")
    assert "creditor_id" in own.settings.sepa_debit_payments


def debtor(partner: Partner) -> tuple[str, Any]:
    """A customer with a confirmed SetupIntent of a SEPA debit."""
    payer = partner.v1.customers.create({"metadata": {"account": "contract-test"}}).id
    allowed = {"customer": payer, "allowed_payment_method_types": ["sepa_debit"], "usage": "off_session"}
    setup = partner.v1.setup_intents.create(allowed, key())
    details = {"name": "Ada Holm", "email": "ada@nordlys.example"}
    debit = {"type": "sepa_debit", "sepa_debit": {"iban": IBAN}, "billing_details": details}
    method = partner.v1.payment_methods.create(debit)
    accepted = {"customer_acceptance": {"type": "offline"}}
    partner.v1.setup_intents.confirm(setup.id, {"payment_method": method.id, "mandate_data": accepted}, key())
    return payer, partner.v1.setup_intents.retrieve(setup.id, {"expand": ["payment_method", "mandate"]})


def test_a_setup_of_a_debit_attaches_it_and_has_a_mandate_with_a_reference(partner: Partner) -> None:
    payer, setup = debtor(partner)

    assert (setup.status, setup.payment_method.customer) == ("succeeded", payer)
    assert setup.mandate.payment_method_details.sepa_debit.reference
    found = partner.v1.mandates.retrieve(setup.mandate.id)
    assert (found.status, found.payment_method) == ("active", setup.payment_method.id)


def test_an_unknown_mandate_is_missing(partner: Partner) -> None:
    failure = refused(partner, "mandates", "retrieve", "mandate_1UnknownToEverybody")

    assert failure.code == "resource_missing"


# ---- Our data against the stand-in's, which has a source of its own -----------------------------------


def test_currencies_and_their_decimals_are_the_same() -> None:
    assert {each.lower() for each in CHARGEABLE} == amounts.CURRENCIES & {each.lower() for each in MINOR_UNIT_DIGITS}
    for currency in CHARGEABLE:
        code, digits = currency.lower(), MINOR_UNIT_DIGITS[currency]
        thousand = Money(1_000 * 10**digits, currency)
        assert charged_units(thousand) == 1_000 * 10 ** amounts.decimals(code), currency
        assert charged_money(charged_units(thousand), code) == thousand


def is_accepted(units: int, code: str) -> bool:
    try:
        amounts.require_chargeable(units, code)
    except Refused:
        return False
    return True


def test_a_list_of_payments_has_the_charge_and_what_was_refunded_of_it(partner: Partner) -> None:
    """What the comparison of the books reads (docs.stripe.com/api/payment_intents/list, docs.stripe.com/expand)."""
    payment = paid(partner)
    partner.v1.refunds.create({"payment_intent": payment.id, "amount": 250}, key())

    expanded = {"customer": payment.customer, "limit": 100, "expand": ["data.latest_charge", "data.customer"]}
    [listed] = partner.v1.payment_intents.list(expanded).data

    assert (listed.id, listed.status, listed.amount_received) == (payment.id, "succeeded", 1250)
    assert listed.customer.metadata["account"] == "contract-test"
    assert (listed.latest_charge.amount_refunded, listed.latest_charge.disputed) == (250, False)
    assert [each.amount for each in partner.v1.refunds.list({"payment_intent": payment.id}).data] == [250]
    assert partner.v1.disputes.list({"payment_intent": payment.id}).data == []


@pytest.mark.parametrize("currency", sorted(CHARGEABLE))
def test_livello_sends_exactly_the_amounts_that_stripe_accepts(currency: str) -> None:
    """At the limits of each currency: no sent amount is refused, and no accepted amount is held back."""
    code = currency.lower()
    edges = {
        charged_money(each, code).amount
        for limit in (amounts.smallest(code) or 0, amounts.largest(code))
        for each in (limit - 100, limit - 1, limit, limit + 1, limit + 100)
        if each > 0
    }
    for amount in sorted(edges):
        money = Money(amount, currency)
        units = charged_units(money)
        amounts.require_step(units, code)
        accepted = units > 0 and is_accepted(units, code)
        assert accepted == (charge_obstacle(money, Method.CARD) is None), money


@pytest.mark.parametrize(
    ("money", "method", "expected"),
    [
        (Money(20, "EUR"), Method.CARD, ChargeObstacle.TOO_SMALL),
        (Money(50, "EUR"), Method.CARD, None),
        (Money(10_000_00, "EUR"), Method.SEPA_DEBIT, None),
        (Money(10_000_01, "EUR"), Method.SEPA_DEBIT, ChargeObstacle.TOO_LARGE),
        (Money(36_500, "DKK"), Method.SEPA_DEBIT, ChargeObstacle.CURRENCY),
        (Money(36_500, "DKK"), Method.CARD, None),
        (Money(1_000_000_00, "EUR"), Method.CARD, ChargeObstacle.TOO_LARGE),
        (Money(36_500, "KPW"), Method.CARD, ChargeObstacle.CURRENCY),
        (Money(99, "MGA"), Method.CARD, ChargeObstacle.TOO_SMALL),
    ],
)
def test_an_amount_that_stripe_refuses_is_not_sent(
    money: Money, method: Method, expected: ChargeObstacle | None
) -> None:
    assert charge_obstacle(money, method) is expected
