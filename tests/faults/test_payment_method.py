"""An interrupted and repeated card update ends with one card in the table and at Stripe: the newest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from billing.accounts.rules import existing
from billing.invoicing.note_payment_notice import note_payment_notice
from billing.kernel.errors import Conflict, UpstreamFailed
from billing.kernel.events import Actor, ActorKind, RequestContext
from billing.payments.gateway import Merchant, OtherMerchant, PaymentGateway, PaymentNotice
from billing.payments.methods import CHARGED, Method
from billing.payments.replace_payment_method import begin_setup, detach_replaced, replace_payment_method

from local.stripe.api import Stripe
from tests.faults.company import NEW_ACCOUNT, body, catalogue, events, provision
from tests.faults.cuts import Faults
from tests.faults.edges import edge
from tests.faults.world import World
from tests.stripe import ask, attached, confirm, payments, stripe_account

ACCOUNT = NEW_ACCOUNT.account
NOON = datetime(2026, 8, 4, 12, tzinfo=UTC)
CONTEXT = RequestContext(Actor(ActorKind.CUSTOMER, "ada"), NOON, "request")
VISA, MASTERCARD = "4242424242424242", "5555555555554444"


class Paying(World):
    """A world with Stripe."""

    def __init__(self) -> None:
        super().__init__()
        self.stripe: Stripe = stripe_account(NOON.timestamp())
        self.attempts = 0
        self.setups: list[str] = []

    @property
    def payments(self) -> PaymentGateway:
        gateway: PaymentGateway = payments(self.stripe)
        return edge("stripe", gateway, failure=lambda: UpstreamFailed("Stripe did not answer."))

    @property
    def context(self) -> RequestContext:
        """A new request with its own id."""
        self.attempts += 1
        return RequestContext(CONTEXT.actor, NOON, f"request {self.attempts}")

    def begin(self, number: str) -> None:
        """The browser sets up a card."""
        setup = begin_setup(
            existing(self.paying.payer(ACCOUNT)),
            Method.CARD,
            None,
            charged=CHARGED,
            context=self.context,
            store=self.paying,
            gateway=self.payments,
        )
        confirm(self.stripe, {"setup_intent": setup.setup, "client_secret": setup.client_secret}, number)
        self.setups.append(setup.setup)


def company() -> Paying:
    before = catalogue()
    world = Paying()
    world.table = before.table
    with world.calm():
        provision(world)
    return world


def with_a_card_and_a_newer_setup() -> Paying:
    with company().calm() as world:
        world.begin(VISA)
        replace(0)(world)
        detach(world)
        world.begin(MASTERCARD)
        return world


def replace(number: int) -> Callable[[Paying], None]:
    def command(world: Paying) -> None:
        replace_payment_method(
            existing(world.paying.payer(ACCOUNT)),
            world.setups[number],
            context=world.context,
            store=world.paying,
            gateway=world.payments,
        )

    return command


def detach(world: Paying) -> None:
    """The worker processes all card.updated events so far."""
    for event in events(world, "card.updated"):
        correlation = world.context.correlation
        replaced = event["after"]["detach"]
        detach_replaced(ACCOUNT, replaced, correlation=correlation, store=world.paying, gateway=world.payments)


def notice(number: int) -> Callable[[Paying], None]:
    def command(world: Paying) -> None:
        setup_notice = PaymentNotice("evt", "setup_intent.succeeded", world.setups[number], None)
        note_payment_notice(
            setup_notice, now=NOON, correlation=world.context.correlation, store=world.paying, gateway=world.payments
        )

    return command


def update(world: Paying) -> None:
    """The customer's request, then the worker."""
    replace(1)(world)
    detach(world)


def one_card(world: Paying) -> None:
    """The new card on both sides, with one event."""
    assert attached(world.stripe) == ["4444"], "not one card at Stripe"
    [profile] = [body(item) for item in world.stored("PAGE#PAYMENT-METHOD")]
    assert profile["shown"]["card"]["last_four"] == "4444"
    [customer] = world.stripe.objects["customer"].values()
    assert customer["invoice_settings"]["default_payment_method"] == profile["payment_method"]
    assert len(events(world, "card.updated")) == 2, "the new card without exactly one event"


def never_without(world: Paying) -> None:
    """The payment method in the table can be charged at Stripe."""
    [profile] = [body(item) for item in world.stored("PAGE#PAYMENT-METHOD")]
    assert world.stripe.objects["payment_method"][profile["payment_method"]]["customer"] == profile["customer"]


def test_an_interrupted_update_ends_with_the_new_card(faults: Faults) -> None:
    faults.every_cut(world=with_a_card_and_a_newer_setup, command=update, invariants=one_card, always=never_without)


def test_stripes_notice_completes_an_update_whose_browser_vanished(faults: Faults) -> None:
    def finished(world: Paying) -> None:
        notice(1)(world)
        detach(world)

    faults.every_cut(world=with_a_card_and_a_newer_setup, command=finished, invariants=one_card, always=never_without)


def test_the_request_and_stripes_notice_at_once_end_with_the_new_card(faults: Faults) -> None:
    def finished(world: Paying) -> None:
        notice(1)(world)
        detach(world)

    faults.every_race(world=with_a_card_and_a_newer_setup, first=update, second=finished, invariants=one_card)


def test_two_cards_at_once_end_with_the_newer_one(faults: Faults) -> None:
    def both_set_up() -> Paying:
        with company().calm() as world:
            world.begin(VISA)
            world.begin(MASTERCARD)
            return world

    def newer(world: Paying) -> None:
        replace(1)(world)
        notice(0)(world)
        detach(world)

    def newest(world: Paying) -> None:
        assert attached(world.stripe) == ["4444"], "not one card at Stripe"
        [profile] = [body(item) for item in world.stored("PAGE#PAYMENT-METHOD")]
        assert profile["shown"]["card"]["last_four"] == "4444"

    def older(world: Paying) -> None:
        replace(0)(world)
        detach(world)

    faults.every_race(world=both_set_up, first=older, second=newer, invariants=newest, may_lose=(Conflict,))


def test_the_first_setup_makes_one_customer(faults: Faults) -> None:
    def begin(world: Paying) -> None:
        begin_setup(
            existing(world.paying.payer(ACCOUNT)),
            Method.CARD,
            "tab",
            charged=CHARGED,
            context=CONTEXT,
            store=world.paying,
            gateway=world.payments,
        )

    def one_customer(world: Paying) -> None:
        [customer] = world.stripe.objects["customer"]
        [profile] = [body(item) for item in world.stored("PAGE#PAYMENT-METHOD")]
        assert profile["customer"] == customer
        assert len(world.stripe.objects["setup_intent"]) == 1

    faults.every_cut(world=company, command=begin, invariants=one_customer)
    faults.every_race(world=company, first=begin, second=begin, invariants=one_customer)


def with_a_revoked_debit() -> Paying:
    with company().calm() as world:
        context = world.context
        setup = begin_setup(
            existing(world.paying.payer(ACCOUNT)),
            Method.SEPA_DEBIT,
            None,
            charged=CHARGED,
            context=context,
            store=world.paying,
            gateway=world.payments,
        )
        iban = "payment_method_data[type]=sepa_debit&payment_method_data[sepa_debit][iban]=DE89370400440532013000"
        ask(world.stripe, "POST", f"/v1/setup_intents/{setup.setup}/confirm", iban)
        world.setups.append(setup.setup)
        replace(0)(world)
        [mandate] = world.stripe.objects["mandate"]
        world.stripe.revoke_mandate(mandate)
        return world


def test_a_revoked_mandate_is_taken_in_once(faults: Faults) -> None:
    def told(world: Paying) -> None:
        [mandate] = world.stripe.objects["mandate"]
        notice = PaymentNotice("evt", "mandate.updated", mandate, None)
        note_payment_notice(
            notice, now=NOON, correlation=world.context.correlation, store=world.paying, gateway=world.payments
        )

    def once(world: Paying) -> None:
        [profile] = [body(item) for item in world.stored("PAGE#PAYMENT-METHOD")]
        assert (profile["shown"], profile["payment_method"]) == (None, None)
        assert len(events(world, "payment_method.changed")) == 2

    faults.every_cut(world=with_a_revoked_debit, command=told, invariants=once)


def test_the_merchant_is_kept_once(faults: Faults) -> None:
    def first_use(world: Paying) -> None:
        world.paying.require_merchant(Merchant("acct_1", livemode=False))

    def other_first_use(world: Paying) -> None:
        world.paying.require_merchant(Merchant("acct_2", livemode=False))

    def kept(world: Paying) -> None:
        assert world.paying.merchant() == Merchant("acct_1", livemode=False)

    def one_of_the_two(world: Paying) -> None:
        assert world.paying.merchant() in {Merchant(name, livemode=False) for name in ("acct_1", "acct_2")}

    faults.every_cut(world=company, command=first_use, invariants=kept)
    faults.every_race(
        world=company, first=first_use, second=other_first_use, invariants=one_of_the_two, may_lose=(OtherMerchant,)
    )
