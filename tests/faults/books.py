"""A company whose books are compared: it lives day by day with the real commands, on Stripe's stand-in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

from billing.accounts.rules import Account, Status, existing
from billing.billing_page.provision_account import Provisioning, provision_account
from billing.ending.cancellation.commands import (
    CancellationRequest,
    cancel_account,
    end_account,
    preview_cancellation,
    withdraw_cancellation,
)
from billing.ending.cancellation.rules import Reason
from billing.ending.reactivation.commands import complete_reactivation, reactivation_quote, request_reactivation
from billing.ending.reactivation.records import ReactivationStore
from billing.invoicing.close_books import close_books
from billing.invoicing.collect_payments import collect_payments, try_payment_again
from billing.invoicing.credit_notes import RequestedPart
from billing.invoicing.due_mapping import day_body
from billing.invoicing.dunning import UNPAID
from billing.invoicing.entries import left_of_payments
from billing.invoicing.invoices import InvoiceStatus
from billing.invoicing.issue_credit_note import issue_credit_note
from billing.invoicing.issue_invoices import issue_invoices
from billing.invoicing.reconciliation.commands import Comparison, reconcile_account, reconcile_register
from billing.invoicing.reconciliation.records import ReconciliationStore
from billing.invoicing.record_transfer import record_payment
from billing.invoicing.records import BillingContext, InvoiceRecord
from billing.invoicing.reissue_invoice import RightAmount, reissue_invoice
from billing.invoicing.settle_by_hand import record_repayment, write_off
from billing.invoicing.sync_payments import sync_dispute, sync_payment, sync_refund
from billing.kernel.contract_calendar import INTERVALS_MONTHS, Contract
from billing.kernel.errors import BillingError
from billing.kernel.events import Actor, ActorKind, RequestContext
from billing.kernel.money import Money, charged_units
from billing.kernel.schedules import Job
from billing.payments.ledger import PaymentLedger
from billing.payments.methods import CHARGED, Method
from billing.payments.replace_payment_method import begin_setup, replace_payment_method, set_bank_transfer
from billing.scaling.tier_changes import next_contract_month
from billing.subscriptions.replace_catalogue import replace_catalogue
from billing.subscriptions.rules import Cause, TierChange

from local.stripe.process import KEYS
from tests.aws import TABLE
from tests.faults.company import ADA, NEW_ACCOUNT, PRODUCTS, SETTINGS, body, catalogue
from tests.faults.edges import edge
from tests.faults.test_invoices import DECLINED, VISA, Invoicing
from tests.faults.values import Item
from tests.faults.world import World
from tests.store.samples import CONTEXT
from tests.stripe import Clock, ask, confirm, payments

ACCOUNT = NEW_ACCOUNT.account
SLOW_REFUNDS = "4000000000007726"
SETTLED_AFTER = timedelta(days=2)
"""After so long nothing is too new to be compared."""


class Living(Invoicing):
    """A world with a company, and the day that it is."""

    def __init__(self) -> None:
        super().__init__()
        self.id = ACCOUNT
        self.day = date(2026, 1, 15)

    @property
    def now(self) -> datetime:
        return datetime.combine(self.day, time(12, tzinfo=UTC))

    @property
    def reconciliation(self) -> ReconciliationStore:
        return ReconciliationStore(TABLE, self.client)

    @property
    def ledger(self) -> PaymentLedger:
        ledger: PaymentLedger = payments(self.stripe)
        return edge("ledger", ledger)

    @property
    def reactivations(self) -> ReactivationStore:
        return ReactivationStore(TABLE, self.client)

    def context(self, kind: ActorKind = ActorKind.STAFF) -> RequestContext:
        return RequestContext(Actor(kind, ADA), self.now, self.correlation)

    def billing(self) -> BillingContext:
        return existing(self.reactivations.billing_context(self.id))

    def account(self) -> Account:
        return self.billing().subscriber.account

    def documents(self) -> tuple[InvoiceRecord, ...]:
        return self.invoicing.summaries(self.id)

    # ---- The days ----

    def move_to(self, day: date) -> None:
        self.day = day
        clock = self.stripe.clock
        assert isinstance(clock, Clock)
        clock.seconds = max(clock.seconds, self.now.timestamp())

    def pass_days(self, days: int) -> None:
        """So many days, each with the jobs that are due."""
        for _ in range(days):
            self.move_to(self.day + timedelta(days=1))
            self.work()

    def work(self) -> None:
        """All that runs by itself on a day: ends, invoices, charges, and Stripe's notices."""
        close_books(
            self.id,
            context=self.context(ActorKind.SYSTEM),
            settings=SETTINGS,
            store=self.invoicing,
            gateway=self.payments,
        )
        end_account(
            self.id,
            now=self.now,
            correlation=self.correlation,
            seller=SETTINGS.seller,
            policy=None,
            store=self.cancellations,
        )
        issue_invoices(self.id, now=self.now, correlation=self.correlation, settings=SETTINGS, store=self.invoicing)
        complete_reactivation(
            self.id,
            now=self.now,
            correlation=self.correlation,
            settings=SETTINGS,
            store=self.reactivations,
            gateway=self.payments,
        )
        for _ in range(2):  # the worker of payments runs every hour: what it hears of is collected on the same day
            self.collect(at_once=False)
            self.hear()

    def collect(self, *, at_once: bool) -> None:
        collect_payments(
            self.id,
            at_once=at_once,
            now=self.now,
            correlation=self.correlation,
            settings=SETTINGS,
            consent_page="https://billing.example",
            store=self.reactivations,
            gateway=self.payments,
        )

    def hear(self) -> None:
        """Stripe's notices that are not delivered yet."""
        syncs: dict[str, tuple[Callable[..., bool | None], dict[str, str]]] = {
            "payment_intent": (sync_payment, {"consent_page": "https://billing.example"}),
            "refund": (sync_refund, {}),
            "dispute": (sync_dispute, {}),
        }
        while self.stripe.undelivered:
            event = self.stripe.objects["event"][self.stripe.undelivered.pop(0)]
            about = event["data"]["object"]
            if about["object"] in syncs:
                sync, more = syncs[about["object"]]
                sync(
                    about["id"],
                    now=self.now,
                    correlation=self.correlation,
                    settings=SETTINGS,
                    store=self.invoicing,
                    gateway=self.payments,
                    **more,
                )

    # ---- The comparison ----

    def compare(self, *, later: timedelta = SETTLED_AFTER) -> Comparison:
        """The books are due, and are compared when nothing at Stripe is too new any more."""
        at = self.now + later
        with self.invoicing._transaction() as write:
            write.due(self.id, Job.RECONCILIATION, self.now, day_body(self.day))
        return self.reconcile(at)

    def reconcile(self, at: datetime | None = None) -> Comparison:
        return reconcile_account(
            self.id,
            now=at or self.now,
            correlation=self.correlation,
            settings=SETTINGS,
            store=self.reconciliation,
            ledger=self.ledger,
        )

    def reconcile_register(self, at: datetime | None = None) -> Comparison:
        return reconcile_register(
            now=at or self.now, correlation=self.correlation, settings=SETTINGS, store=self.reconciliation
        )

    def found(self) -> list[tuple[str, str]]:
        """The rule and the subject of each finding."""
        return [(each["rule"], each["subject"]) for each in map(body, self.stored("FINDING#"))]

    # ---- What people do ----

    def pay_by(self, method: Method, number: str = VISA) -> None:
        """The customer sets up another payment method, which is tried at once."""
        context = self.context(ActorKind.CUSTOMER)
        payer = existing(self.paying.payer(self.id))
        if method is Method.BANK_TRANSFER:
            set_bank_transfer(payer, context=context, store=self.paying)
        else:
            setup = begin_setup(
                payer, method, None, charged=CHARGED, context=context, store=self.paying, gateway=self.payments
            )
            secrets = {"setup_intent": setup.setup, "client_secret": setup.client_secret}
            if method is Method.SEPA_DEBIT:
                _confirm_debit(self, secrets)
            else:
                confirm(self.stripe, secrets, number)
            replace_payment_method(
                existing(self.paying.payer(self.id)),
                setup.setup,
                context=context,
                store=self.paying,
                gateway=self.payments,
            )
        self.collect(at_once=True)

    def credit(self, number: str, lines: tuple[int, ...] | None = None) -> None:
        issue_credit_note(
            self.billing(),
            number,
            lines,
            "Invoiced by mistake",
            context=self.context(),
            settings=SETTINGS,
            store=self.invoicing,
            gateway=self.payments,
        )

    def credit_part(self, number: str, part: RequestedPart) -> None:
        issue_credit_note(
            self.billing(),
            number,
            None,
            f"A part on {self.now:%d %b %H:%M}",
            parts=(part,),
            context=self.context(),
            settings=SETTINGS,
            store=self.invoicing,
            gateway=self.payments,
        )

    def correct(self, number: str, right: tuple[RightAmount, ...], *, keeps_tax: bool = True) -> None:
        reissue_invoice(
            self.billing(),
            number,
            right,
            f"Corrected on {self.now:%d %b %H:%M}",
            keeps_tax=keeps_tax,
            context=self.context(),
            settings=SETTINGS,
            store=self.invoicing,
            gateway=self.payments,
        )

    def transfer(self, number: str) -> None:
        record_payment(
            self.billing(),
            number,
            self.day,
            f"transfer {number}",
            context=self.context(),
            store=self.invoicing,
            gateway=self.payments,
        )

    def give_up(self, number: str) -> None:
        write_off(
            self.billing(),
            number,
            "Insolvent",
            context=self.context(),
            store=self.invoicing,
            gateway=self.payments,
        )

    def repay(self, number: str, amount: Money) -> None:
        record_repayment(
            self.billing(), number, amount, self.day, f"repaid {number}", context=self.context(), store=self.invoicing
        )

    def try_again(self, number: str) -> None:
        try_payment_again(
            self.billing(),
            number,
            context=self.context(),
            settings=SETTINGS,
            consent_page="https://billing.example",
            store=self.invoicing,
            gateway=self.payments,
        )

    def move_tier(self, price: int) -> None:
        """Autoscaling moves search, from the next contract month that is not fixed."""
        state = existing(self.autoscaling.state(self.id))
        assert state.due is not None
        contract = state.subscriber.account.contract
        effective_on = next_contract_month(contract, self.day, state.subscriber.fixed.until)
        decision = f"{self.day}.search"
        money = Money(price, contract.currency)
        change = TierChange("search", 25_000, money, effective_on, Cause.AUTOSCALING, decision, self.day)
        after = state.subscriber.change_tiers((change,), self.day)
        self.autoscaling.decide(state, (), after, (), state.due, self.now)

    def cancel(self) -> None:
        state = existing(self.cancellations.state(self.id))
        follows = preview_cancellation(state, self.day, 14, SETTINGS.seller, None)
        cancel_account(
            state,
            CancellationRequest(Reason.OTHER, "We close the shop.", follows.active_until),
            retention_days=400,
            seller=SETTINGS.seller,
            policy=None,
            context=self.context(ActorKind.CUSTOMER),
            store=self.cancellations,
        )

    def withdraw(self) -> None:
        withdraw_cancellation(
            existing(self.cancellations.state(self.id)),
            seller=SETTINGS.seller,
            policy=None,
            context=self.context(ActorKind.CUSTOMER),
            store=self.cancellations,
        )

    def reactivate(self) -> None:
        billing = self.billing()
        quote = reactivation_quote(billing, self.day, SETTINGS, self.store)
        request_reactivation(
            billing,
            quote.draft.due,
            context=self.context(ActorKind.CUSTOMER),
            settings=SETTINGS,
            store=self.reactivations,
            catalogues=self.store,
        )

    # ---- What people do at Stripe itself ----

    def pay_at_stripe(self, invoice: str, amount: Money) -> dict[str, Any]:
        """A payment with our metadata that Livello has not begun, unless it is declined. Returns the answer."""
        customer, method = [*self.stripe.objects["customer"]][-1], [*self.stripe.objects["payment_method"]][-1]
        paid: dict[str, Any] = ask(
            self.stripe,
            "POST",
            "/v1/payment_intents",
            f"amount={charged_units(amount)}&currency={amount.currency.lower()}&customer={customer}"
            f"&payment_method={method}&confirm=true&off_session=true"
            f"&metadata[account]={self.id}&metadata[invoice]={invoice}",
        )
        return paid

    def refund_at_stripe(self, payment: str, units: int, **metadata: str) -> dict[str, Any]:
        """A refund of so many of Stripe's units. Returns Stripe's object."""
        named = "".join(f"&metadata[{name}]={value}" for name, value in metadata.items())
        made = ask(self.stripe, "POST", "/v1/refunds", f"payment_intent={payment}&amount={units}{named}")
        return self.stripe.objects["refund"][made["id"]]

    # ---- What tests break ----

    def item(self, key: str) -> Item:
        """The one stored item whose sort key begins so."""
        [found] = self.stored(key)
        return found

    def rewrite(self, item: Item, new: str | None) -> None:
        """Gives a stored item another body behind the back of the commands; None deletes it."""
        place = {name: item[name] for name in ("pk", "sk")}
        if new is None:
            self.table.answer("DeleteItem", {"TableName": TABLE, "Key": place})
        else:
            self.table.answer("PutItem", {"TableName": TABLE, "Item": {**item, "body": {"S": new}}})

    def intents(self) -> list[dict[str, Any]]:
        return [*self.stripe.objects["payment_intent"].values()]


def _confirm_debit(world: Living, setup: dict[str, str]) -> None:
    ask(
        world.stripe,
        "POST",
        f"/v1/setup_intents/{setup['setup_intent']}/confirm",
        "payment_method_data[type]=sepa_debit&payment_method_data[sepa_debit][iban]=DE89370400440532013000"
        "&payment_method_data[billing_details][name]=Ada&payment_method_data[billing_details][email]=ada@example.com"
        f"&client_secret={setup['client_secret']}",
        key=KEYS["publishable_key"],
    )


def sold(contract: Contract, number: str | None = VISA, **more: Any) -> Living:
    """A world on the first day of the contract; the company pays by card, or in no way yet."""
    request = replace(NEW_ACCOUNT, contract=contract, invoiced_until=contract.start, **more)
    return provisioned(request, _catalogue_in(contract.currency), number)


def _catalogue_in(currency: str) -> World:
    """A world with the sample catalogue, which has a price in this currency too."""
    if currency in {"EUR", "DKK"}:
        return catalogue()
    products = tuple(
        replace(
            product,
            tiers=tuple(
                tier if tier.prices is None else replace(tier, prices={**tier.prices, currency: 1_000_003 * place})
                for place, tier in enumerate(product.tiers, 1)
            ),
        )
        for product in PRODUCTS
    )
    with World().calm() as world:
        replace_catalogue(products, 0, is_charged=True, context=CONTEXT, store=world.store)
        return world


def provisioned(request: Provisioning, before: World, number: str | None = VISA) -> Living:
    """A world with the catalogue of another, on the first day of the contract of an account."""
    world = Living()
    world.id, world.table = request.account, before.table
    clock = world.stripe.clock
    assert isinstance(clock, Clock)
    clock.seconds = datetime.combine(request.contract.start, time(6), UTC).timestamp()
    world.move_to(request.contract.start)
    with world.calm():
        provision_account(
            request,
            context=replace(CONTEXT, time=world.now),
            directory=world.directory,
            pages=world.store,
            catalogues=world.store,
        )
        if number is not None:
            world.pay_by(Method.CARD, number)
        world.work()
    return world


# ---- A random life ----


def live(world: Living, chance: Random, months: int) -> None:
    """So many months, in steps of one to six days: the jobs may be late. People, banks and cards do anything."""
    end = world.day + timedelta(days=30 * months)
    while world.day < end:
        world.move_to(world.day + timedelta(days=chance.randint(1, 6)))
        if chance.random() < 0.4:
            with suppress(BillingError):  # what is refused is refused
                chance.choice(HAPPENINGS)(world, chance)
        _answer_old_debits(world, chance)
        world.work()


def _answer_old_debits(world: Living, chance: Random) -> None:
    """A bank answers a debit within two weeks."""
    for intent in world.intents():
        if intent["status"] == "processing" and intent["created"] < (world.now - timedelta(days=7)).timestamp():
            world.stripe.settle(intent["id"], succeed=chance.random() < 0.7)


def _one(world: Living, chance: Random, *states: InvoiceStatus, notes: bool = False) -> InvoiceRecord | None:
    found = [
        each
        for each in world.documents()
        if each.payment.status in states and (each.invoice.corrects is not None) == notes
    ]
    return chance.choice(found) if found else None


def _credit(world: Living, chance: Random) -> None:
    record = _one(world, chance, InvoiceStatus.OPEN, InvoiceStatus.PAID, InvoiceStatus.PAST_DUE)
    if record is not None:
        document = world.invoicing.invoice(world.id, record.invoice.number).invoice
        position = chance.randrange(len(document.draft.lines))
        if chance.random() < 0.4:
            amount, months = chance.choice([(chance.randrange(1, 9_000), None), (None, chance.randint(1, 12))])
            world.credit_part(record.invoice.number, RequestedPart(position, amount, months))
        else:
            world.credit(record.invoice.number, chance.choice([None, (position,)]))


def _correct(world: Living, chance: Random) -> None:
    record = _one(world, chance, InvoiceStatus.OPEN, InvoiceStatus.PAID, InvoiceStatus.PAST_DUE)
    if record is not None:
        lines = world.invoicing.invoice(world.id, record.invoice.number).invoice.draft.lines
        position = chance.randrange(len(lines))
        amount = max(0, lines[position].net.amount + chance.randrange(-5_000, 5_000))
        right = chance.choice([(), (RightAmount(position, amount),)])
        world.correct(record.invoice.number, right, keeps_tax=chance.random() < 0.7)


def _pay(world: Living, chance: Random) -> None:
    methods = [Method.CARD, Method.CARD, Method.BANK_TRANSFER]
    if world.account().contract.currency == "EUR":
        methods.append(Method.SEPA_DEBIT)
    world.pay_by(chance.choice(methods), chance.choice([VISA, VISA, DECLINED, SLOW_REFUNDS]))


def _by_hand(world: Living, chance: Random) -> None:
    record = _one(world, chance, *UNPAID)
    if record is not None:
        chance.choice([world.transfer, world.transfer, world.give_up, world.try_again])(record.invoice.number)


def _repay(world: Living, chance: Random) -> None:
    note = _one(world, chance, InvoiceStatus.PAST_DUE, notes=True)
    if note is not None:
        world.repay(note.invoice.number, note.left)
        return
    record = _one(world, chance, InvoiceStatus.PAID)
    if record is not None and record.payment.credit > 0:
        world.repay(record.invoice.number, Money(record.payment.credit, record.left.currency))


def _bank(world: Living, chance: Random) -> None:
    """Debits, refunds and disputes end."""
    stripe = world.stripe
    for intent in world.intents():
        if intent["status"] == "processing":
            stripe.settle(intent["id"], succeed=chance.random() < 0.7)
    for refund in [*stripe.objects["refund"].values()]:
        if refund["status"] == "pending" or (refund["status"] == "succeeded" and chance.random() < 0.2):
            fails = refund["status"] == "succeeded" or chance.random() < 0.5
            stripe.settle_refund(refund["id"], succeed=not fails)
    for dispute in [*stripe.objects["dispute"].values()]:
        if dispute["status"] == "needs_response":
            stripe.close_dispute(dispute["id"], won=chance.random() < 0.5)


def _dispute(world: Living, chance: Random) -> None:
    paid = [each for each in world.intents() if each["status"] == "succeeded"]
    disputed = {each["payment_intent"] for each in world.stripe.objects["dispute"].values()}
    refunded = {each["payment_intent"] for each in world.stripe.objects["refund"].values()}
    left = [each for each in paid if each["id"] not in disputed | refunded]
    if left:
        intent = chance.choice(left)
        world.stripe.dispute(intent["id"], chance.choice([None, intent["amount"] // 2]))


def _pay_twice(world: Living, chance: Random) -> None:
    """Staff charge an invoice at Stripe by hand: all that it says, or half of it."""
    record = _one(world, chance, *UNPAID, InvoiceStatus.PAID)
    if record is not None and world.stripe.objects["customer"] and world.stripe.objects["payment_method"]:
        total = record.invoice.total
        world.pay_at_stripe(record.invoice.number, replace(total, amount=total.amount // chance.randint(1, 2)))


def _refund_outside(world: Living, chance: Random) -> None:
    """Staff refund some of a payment at Stripe itself; not what a credit note has given back already."""
    disputed = {each["payment_intent"] for each in world.stripe.objects["dispute"].values()}
    for intent in chance.sample(world.intents(), len(world.intents())):
        left = sum(left_of_payments(each.payment.entries).get(intent["id"], 0) for each in world.documents())
        if left > 0 and intent["id"] not in disputed:
            units = charged_units(Money(chance.choice([left, left // 3]), intent["currency"].upper()))
            if units:
                world.refund_at_stripe(intent["id"], units)
                world.hear()  # a credit note of the same moment would give the same money back
            return


def _move(world: Living, chance: Random) -> None:
    if world.account().status is Status.ACTIVE:
        world.move_tier(chance.randrange(1, 20_000))


def _end(world: Living, chance: Random) -> None:
    status = world.account().status
    if status is Status.ACTIVE:
        world.cancel()
    elif status is Status.CANCELLING and chance.random() < 0.3:
        world.withdraw()
    elif status is Status.DEACTIVATED:
        world.reactivate()


def _cards(world: Living, chance: Random) -> None:
    """All cards are declined from now on, or none."""
    cards = {each["id"] for each in world.stripe.objects["payment_method"].values() if each["type"] == "card"}
    number = chance.choice([VISA, VISA, DECLINED])
    world.stripe.numbers |= dict.fromkeys(cards, number)


HAPPENINGS = (
    _credit,
    _correct,
    _pay,
    _by_hand,
    _repay,
    _bank,
    _bank,
    _bank,
    _dispute,
    _refund_outside,
    _pay_twice,
    _move,
    _move,
    _end,
    _end,
    _cards,
)


def random_contract(chance: Random) -> Contract:
    start = date(2024, 1, 1) + timedelta(days=chance.randrange(366))
    zone = chance.choice(["Europe/Copenhagen", "America/Los_Angeles", "Pacific/Auckland"])
    return Contract(start, chance.choice(INTERVALS_MONTHS), chance.choice(["EUR", "EUR", "DKK", "KWD", "MGA"]), zone)
