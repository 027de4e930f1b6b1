"""All that can happen to the money of the sample company, step by step, against the stand-in for Stripe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from billing.accounts.rules import existing
from billing.billing_page.provision_account import provision_account
from billing.invoicing.collect_payments import collect_payments, try_payment_again
from billing.invoicing.credit_notes import creditable, taken_back_draft
from billing.invoicing.invoices import BillingReason, InvoiceStatus
from billing.invoicing.issue_credit_note import issue_credit_note
from billing.invoicing.issue_invoices import issue_invoices, with_next_number
from billing.invoicing.numbering import NextNumber
from billing.invoicing.periods import FixedMonth
from billing.invoicing.record_transfer import record_payment, record_transfer
from billing.invoicing.records import InvoiceRecord
from billing.invoicing.settle_by_hand import record_repayment, write_off
from billing.invoicing.sync_payments import sync_dispute, sync_payment, sync_refund
from billing.invoicing.take_back import TakeBack, write_take_back
from billing.invoicing.take_transfer_back import TakenBackTransfer, take_transfer_back
from billing.invoicing.transfers import BankTransfer, Transfer
from billing.kernel.events import Actor, ActorKind, RequestContext
from billing.kernel.money import Money
from billing.payments.methods import CHARGED, Method
from billing.payments.replace_payment_method import begin_setup, replace_payment_method, set_bank_transfer
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import text
from billing.platform.dynamodb.item import Item
from billing.subscriptions.catalogue import Product
from billing.subscriptions.replace_catalogue import replace_catalogue

from tests.faults.company import NEW_ACCOUNT, PRODUCTS, SETTINGS, body, events
from tests.faults.test_invoices import ACCOUNT, JULY, Invoicing
from tests.store.samples import CONTEXT
from tests.stripe import ask, confirm, later

VISA, DECLINED, REFUND_TAKES_DAYS = "4242424242424242", "4000000000000341", "4000000000007726"
IBAN = "DE89370400440532013000"
FIRST, SECOND, THIRD = (f"LV-2026-{number:06}" for number in (1, 2, 3))
PAGE = "https://billing.example"
UNPAID = frozenset({InvoiceStatus.OPEN, InvoiceStatus.PAST_DUE})


class Till:
    """The sample company with its invoices, and the day. Each step runs one command as its function does."""

    def __init__(self, currency: str = "EUR", price: int | None = None, issued: bool = True, notice: int = 0) -> None:
        """With `notice` a SEPA debit is announced that many days before."""
        self.world = Invoicing()
        self.settings = replace(SETTINGS, sepa_notice_days=notice)
        self.day = JULY
        self.currency = currency
        self.given = 0
        """Credit from before the first invoice."""
        with self.world.calm():
            replace_catalogue(_priced(currency, price), 0, is_charged=True, context=CONTEXT, store=self.world.store)
            contract = replace(NEW_ACCOUNT.contract, currency=currency)
            account = replace(NEW_ACCOUNT, contract=contract)
            if price is not None:
                account = replace(account, discounts=())
            provision_account(
                account,
                context=CONTEXT,
                directory=self.world.directory,
                pages=self.world.store,
                catalogues=self.world.store,
            )
        if issued:
            self.issue()

    # ---- What staff, customers and workers do ----

    def issue(self) -> None:
        with self.world.calm():
            issue_invoices(
                ACCOUNT,
                now=self.day,
                correlation=self.world.correlation,
                settings=self.settings,
                store=self.world.invoicing,
            )

    def card(self, number: str = VISA, *, collect: bool = True) -> None:
        self._method(Method.CARD, lambda setup: confirm(self.world.stripe, setup, number))
        if collect:
            self.collect(at_once=True)

    def debit(self, *, collect: bool = True) -> None:
        form = (
            f"payment_method_data[type]=sepa_debit&payment_method_data[sepa_debit][iban]={IBAN}"
            "&payment_method_data[billing_details][name]=Ada&payment_method_data[billing_details][email]=ada@example.com"
        )
        self._method(
            Method.SEPA_DEBIT,
            lambda setup: ask(
                self.world.stripe,
                "POST",
                f"/v1/setup_intents/{setup['setup_intent']}/confirm",
                f"{form}&client_secret={setup['client_secret']}",
                key="pk_test_livello",
            ),
        )
        if collect:
            self.collect(at_once=True)

    def _method(self, method: Method, confirmed: Callable[[dict[str, str]], Any]) -> None:
        later(self.world.stripe, 1)
        with self.world.calm() as world:
            payer = existing(world.paying.payer(ACCOUNT))
            context = self.context
            setup = begin_setup(
                payer, method, None, charged=CHARGED, context=context, store=world.paying, gateway=world.payments
            )
            confirmed({"setup_intent": setup.setup, "client_secret": setup.client_secret})
            payer = existing(world.paying.payer(ACCOUNT))
            replace_payment_method(payer, setup.setup, context=context, store=world.paying, gateway=world.payments)

    def by_transfer(self) -> None:
        with self.world.calm() as world:
            set_bank_transfer(existing(world.paying.payer(ACCOUNT)), context=self.context, store=world.paying)
        self.collect(at_once=True)

    def next_day(self, days: int = 1) -> None:
        self.day += timedelta(days=days)
        later(self.world.stripe, days * 86_400)

    def collect(self, *, at_once: bool = False) -> None:
        with self.world.calm() as world:
            collect_payments(
                ACCOUNT,
                at_once=at_once,
                now=self.day,
                correlation=world.correlation,
                settings=self.settings,
                consent_page=PAGE,
                store=world.invoicing,
                gateway=world.payments,
            )

    def collect_when_due(self) -> None:
        """As the planner does: without an invoice that is due there is no run."""
        looks = [item["gsi1sk"]["S"] for item in self.world.stored("INVOICE#") if "gsi1sk" in item]
        if any(look <= keys.instant(self.day) for look in looks):
            self.collect()

    def credit(self, number: str, lines: tuple[int, ...] | None = None) -> str:
        with self.world.calm() as world:
            note = issue_credit_note(
                existing(world.invoicing.billing_context(ACCOUNT)),
                number,
                lines,
                "wrong",
                context=self.staff,
                settings=self.settings,
                store=world.invoicing,
                gateway=world.payments,
            )
        return note.invoice.number

    def take_back(self, number: str, part: int) -> None:
        """The running paid period owes less of the first product of an invoice: a `part` of what is invoiced of it."""
        with self.world.calm() as world:
            billing = existing(world.invoicing.billing_context(ACCOUNT))
            due = existing(billing.due)
            corrected = world.invoicing.invoice(ACCOUNT, number)
            line = corrected.invoice.draft.lines[0]
            less = Money(-min(line.net.amount // part, creditable(corrected.invoice, corrected.payment)), self.currency)
            if not less.amount:
                return
            draft = corrected.invoice.draft
            lines = (replace(line, net=less),)
            month = FixedMonth(due.month, draft.since, draft.until, BillingReason.PERIOD, lines, due, None)
            taken = taken_back_draft(corrected.invoice, corrected.payment, draft.since, lines)
            others = tuple(each for each in world.invoicing.unpaid(ACCOUNT) if each.invoice.number != number)
            take_back = TakeBack(corrected, taken, month, True, others)

            def write(note: NextNumber) -> None:
                write_take_back(
                    billing,
                    take_back,
                    note,
                    today=self.day.date(),
                    context=self.staff,
                    settings=self.settings,
                    store=world.invoicing,
                )

            with_next_number(self.settings.credit_series, self.day, self.settings, write, world.invoicing)

    def transferred(self, number: str, reference: str = "") -> None:
        with self.world.calm() as world:
            record_payment(
                existing(world.invoicing.billing_context(ACCOUNT)),
                number,
                self.day.date(),
                reference or number,
                context=self.staff,
                store=world.invoicing,
                gateway=world.payments,
            )

    def pays(
        self,
        amount: int,
        *allocations: tuple[str, int],
        reference: str = "E2E",
        key: str | None = None,
        preview: bool = False,
    ) -> Transfer:
        """A transfer arrives: for these invoices, or without any for the oldest first."""
        asked = BankTransfer(reference, Money(amount, self.currency), self.day.date(), allocations or None, key)
        with self.world.calm() as world:
            return record_transfer(
                existing(world.invoicing.billing_context(ACCOUNT)),
                asked,
                context=self.staff,
                store=world.invoicing,
                gateway=world.payments,
                is_preview=preview,
            ).transfer

    def transfers(self) -> tuple[Transfer, ...]:
        with self.world.calm() as world:
            return world.invoicing.transfers(ACCOUNT, limit=100, after=None).items

    def takes_back(self, transfer: Transfer, *, preview: bool = False) -> TakenBackTransfer:
        with self.world.calm() as world:
            return take_transfer_back(
                existing(world.invoicing.billing_context(ACCOUNT)),
                transfer.id,
                "another customer's",
                context=self.staff,
                settings=self.settings,
                store=world.invoicing,
                gateway=world.payments,
                is_preview=preview,
            )

    def write_off(self, number: str) -> None:
        with self.world.calm() as world:
            write_off(
                existing(world.invoicing.billing_context(ACCOUNT)),
                number,
                "insolvent",
                context=self.staff,
                store=world.invoicing,
                gateway=world.payments,
            )

    def repay(self, number: str, amount: int, reference: str = "E2E") -> None:
        with self.world.calm() as world:
            record_repayment(
                existing(world.invoicing.billing_context(ACCOUNT)),
                number,
                Money(amount, self.currency),
                self.day.date(),
                reference,
                context=self.staff,
                store=world.invoicing,
            )

    def try_again(self, number: str) -> None:
        with self.world.calm() as world:
            try_payment_again(
                existing(world.invoicing.billing_context(ACCOUNT)),
                number,
                context=self.context,
                settings=self.settings,
                consent_page=PAGE,
                store=world.invoicing,
                gateway=world.payments,
            )

    # ---- What happens at Stripe ----

    def paid_at_stripe(self, number: str, amount: int, currency: str | None = None) -> str:
        """Somebody makes a payment of our customer with our metadata in Stripe's dashboard."""
        stripe = self.world.stripe
        [customer] = stripe.objects["customer"]
        made = ask(
            stripe,
            "POST",
            "/v1/payment_intents",
            f"amount={amount}&currency={(currency or self.currency).lower()}&customer={customer}"
            f"&metadata[account]={ACCOUNT}&metadata[invoice]={number}",
        )
        [*_, method] = [each["id"] for each in stripe.objects["payment_method"].values() if each["customer"]]
        ask(stripe, "POST", f"/v1/payment_intents/{made['id']}/confirm", f"payment_method={method}")
        return str(made["id"])

    def refunded_at_stripe(self, payment: str, amount: int) -> str:
        """Somebody refunds a payment in Stripe's dashboard."""
        made = ask(self.world.stripe, "POST", "/v1/refunds", f"payment_intent={payment}&amount={amount}")
        return str(made["id"])

    def hear(self) -> None:
        """Stripe's notices about everything, in the order of the objects, delivered again."""
        self.hear_payments()
        self.hear_refunds()
        self.hear_disputes()

    def hear_payments(self) -> None:
        self._hear(sync_payment, "payment_intent", consent_page=PAGE)

    def hear_refunds(self) -> None:
        self._hear(sync_refund, "refund")

    def hear_disputes(self) -> None:
        self._hear(sync_dispute, "dispute")

    def _hear(self, what: Callable[..., bool | None], kind: str, **more: Any) -> None:
        with self.world.calm() as world:
            for each in [*world.stripe.objects[kind]]:
                what(
                    each,
                    now=self.day,
                    correlation=world.correlation,
                    settings=self.settings,
                    store=world.invoicing,
                    gateway=world.payments,
                    **more,
                )

    # ---- What there is then ----

    @property
    def context(self) -> RequestContext:
        return RequestContext(Actor(ActorKind.CUSTOMER, "ada"), self.day, self.world.correlation)

    @property
    def staff(self) -> RequestContext:
        return RequestContext(Actor(ActorKind.STAFF, "staff"), self.day, self.world.correlation)

    def documents(self) -> dict[str, InvoiceRecord]:
        numbers = [body(item)["number"] for item in self.world.stored("INVOICE#")]
        with self.world.calm() as world:
            return {number: world.invoicing.record(ACCOUNT, number) for number in numbers}

    def __getitem__(self, number: str) -> tuple[str, int]:
        payment = self.documents()[number].payment
        return str(payment.status), payment.left

    @property
    def balance(self) -> int:
        return sum(int(body(item)["credit"]) for item in self.world.stored(keys.BALANCE))

    def set_balance(self, credit: int) -> None:
        self.given = credit
        with self.world.calm() as world, world.invoicing._transaction() as write:
            write.replace(Item(keys.account(ACCOUNT), keys.BALANCE, text({"credit": credit})), 0)

    def of_kind(self, kind: str) -> list[tuple[str, int]]:
        return [
            (number, entry.amount)
            for number, record in self.documents().items()
            for entry in record.payment.entries
            if entry.kind == kind
        ]

    def events(self, kind: str) -> list[dict[str, Any]]:
        return events(self.world, kind)

    def objects(self, kind: str, status: str | None = None) -> list[Any]:
        found = self.world.stripe.objects[kind].values()
        return [each for each in found if status in {None, each.get("status")}]


def _priced(currency: str, price: int | None) -> tuple[Product, ...]:
    """The catalogue with all prices in one currency: the sample's own in euros, or `price` for each tier."""
    if price is None:
        return PRODUCTS
    return tuple(
        replace(product, tiers=tuple(replace(tier, prices={currency: price}) for tier in product.tiers))
        for product in PRODUCTS
    )
