"""A deactivated account for the fault tests, beside another account with the same admin."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from billing.accounts.rules import existing
from billing.billing_page.provision_account import provision_account
from billing.ending.cancellation.commands import CancellationRequest, cancel_account, end_account
from billing.ending.cancellation.rules import Reason
from billing.invoicing.collect_payments import collect_payments
from billing.invoicing.issue_invoices import issue_invoices
from billing.invoicing.sync_payments import sync_payment
from billing.kernel.events import Actor, ActorKind, RequestContext
from billing.kernel.permissions import Role
from billing.payments.gateway import PaymentGateway
from billing.payments.methods import CHARGED, Method
from billing.payments.replace_payment_method import begin_setup, replace_payment_method
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item as NewItem
from billing.usage.rules import UsageEvent

from local.stripe.api import Stripe
from tests.faults.company import ADA, NEW_ACCOUNT, SETTINGS, body, catalogue, provision, save
from tests.faults.edges import edge
from tests.faults.values import Item
from tests.faults.world import Bucket, Vault, World
from tests.store.samples import CONTEXT
from tests.stripe import ask, confirm, payments, stripe_account

ACCOUNT, OTHER = NEW_ACCOUNT.account, "other-shop"
ASKED = datetime(2026, 6, 10, 12, tzinfo=UTC)
ENDS = datetime(2026, 7, 14, 22, tzinfo=UTC)
USED = 3
"""The number of contents with usage. Each has a counter and a marker."""

PURGED = datetime(2026, 7, 28, 22, tzinfo=UTC)
BO, CY = "user of bo@nordlys.example", "user of cy@nordlys.example"


class Ending(World):
    """A world of two companies with the same admin. One is deactivated, and its deletion is due."""

    def __init__(self) -> None:
        super().__init__()
        self.stripe: Stripe = stripe_account(ASKED.timestamp())
        self.bucket = Bucket()
        self.archive = Vault()
        self.runs = 0
        self.theirs: list[Item] = []
        self.open_before: dict[str, Any] = {}
        """The entries of the documents of which something is open before the deletion, by number."""

    @property
    def payments(self) -> PaymentGateway:
        gateway: PaymentGateway = payments(self.stripe)
        return edge("stripe", gateway)


def deactivated(card: str = "4242424242424242") -> Ending:
    """Both accounts with users, usage, a card, a mail and an invoice; ACCOUNT is cancelled and deactivated."""
    before = catalogue()
    world = Ending()
    world.table = before.table
    with world.calm():
        provision(world)
        provision_account(
            replace(NEW_ACCOUNT, account=OTHER, digest="1" * 64),
            context=CONTEXT,
            directory=world.directory,
            pages=world.store,
            catalogues=world.store,
        )
        save("bo@nordlys.example", Role.MEMBER)(world)
        save("cy@nordlys.example", Role.ADMIN)(world)
        for account in (ACCOUNT, OTHER):
            day = date(2026, 6, 9)
            used = [
                UsageEvent(
                    account, "t", f"{number}", "search", "nordlys-dk", f"content {number}", ASKED, day, Decimal(1)
                )
                for number in range(USED)
            ]
            assert world.usage.count(used, lambda _: None) == {}
            context = RequestContext(Actor(ActorKind.CUSTOMER, ADA), ASKED, account)
            setup = begin_setup(
                existing(world.paying.payer(account)),
                Method.CARD,
                None,
                charged=CHARGED,
                context=context,
                store=world.paying,
                gateway=world.payments,
            )
            confirm(world.stripe, {"setup_intent": setup.setup, "client_secret": setup.client_secret}, card)
            replace_payment_method(
                existing(world.paying.payer(account)),
                setup.setup,
                context=context,
                store=world.paying,
                gateway=world.payments,
            )
            world.bucket.put(f"accounts/{account}/mail/1.eml", b"", "message/rfc822")
            issued = issue_invoices(account, now=ASKED, correlation="issue", settings=SETTINGS, store=world.invoicing)
            world.bucket.put(f"accounts/{account}/invoices/{issued[0]}/{issued[0]}.pdf", b"", "application/pdf")
        cancel_account(
            existing(world.cancellations.state(ACCOUNT)),
            CancellationRequest(Reason.OTHER, "We close the shop.", date(2026, 7, 15)),
            retention_days=14,
            seller=SETTINGS.seller,
            policy=None,
            context=RequestContext(Actor(ActorKind.CUSTOMER, ADA), ASKED, "cancel"),
            store=world.cancellations,
        )
        for at in (ENDS, PURGED):
            end_account(
                ACCOUNT, now=at, correlation="end", seller=SETTINGS.seller, policy=None, store=world.cancellations
            )
        for account in (ACCOUNT, OTHER):
            finding = NewItem(keys.account(account), keys.finding("credit-differs", "balance"), "{}")
            with world.invoicing._transaction() as write:
                write.put(finding)
    world.theirs = theirs(world)
    world.open_before = entries_of(world)
    return world


def entries_of(world: World) -> dict[str, Any]:
    """The entries of the documents of ACCOUNT, by number."""
    documents = [body(item) for item in world.stored(keys.INVOICE) if item["pk"]["S"] == keys.account(ACCOUNT)]
    return {each["number"]: each["payment"].get("entries", []) for each in documents}


def collect(world: Ending, now: datetime = ASKED) -> None:
    """Charges what is due of ACCOUNT, and refunds its credit notes."""
    world.runs += 1
    collect_payments(
        ACCOUNT,
        at_once=False,
        now=now,
        correlation=f"collect {world.runs}",
        settings=SETTINGS,
        consent_page="",
        store=world.invoicing,
        gateway=world.payments,
    )


def paid_twice() -> Ending:
    """A deactivated account with credit: the first invoice was paid by two charges."""
    with deactivated().calm() as world:
        collect(world)
        intents = [each for each in world.stripe.objects["payment_intent"].values() if each["status"] == "succeeded"]
        number = min(entries_of(world))
        [first] = [each for each in intents if each["metadata"]["invoice"] == number]
        metadata = f"metadata[account]={ACCOUNT}&metadata[invoice]={number}"
        customer, method = first["customer"], first["payment_method"]
        body_ = f"amount={first['amount']}&currency=eur&customer={customer}&{metadata}"
        twin = ask(world.stripe, "POST", "/v1/payment_intents", body_)
        ask(world.stripe, "POST", f"/v1/payment_intents/{twin['id']}/confirm", f"payment_method={method}")
        sync_payment(
            twin["id"],
            now=ASKED,
            correlation="twin",
            settings=SETTINGS,
            consent_page="",
            store=world.invoicing,
            gateway=world.payments,
        )
        world.open_before = {number: entries_of(world)[number]}
    return world


def theirs(world: World) -> list[Item]:
    """The items of the other account."""
    return [item for item in world.table.items() if OTHER in item["pk"]["S"]]
