"""Step 4: usage, a card, an invoice and its charge."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from scripts.smoke.refusals import NotHere, Refused
from scripts.smoke.world import Stripe, World

MOVES_SECONDS = 120
BATCH = 1000


def usage(world: World) -> str:
    """Events that are reported twice are counted once."""
    now = world.now().replace(microsecond=0)
    events = [
        {
            "specversion": "1.0",
            "id": f"{world.made.account}-{number}",
            "source": "//livello.example/smoke",
            "type": "usage.search",
            "subject": f"{world.made.account}/nordlys-dk",
            "time": now.isoformat(),
            "data": {"quantity": 1, "content": f"Smoke {number % 5}"},
        }
        for number in range(world.plan.events)
    ]
    token = world.machine_token()
    outcomes = [[*_report(world, token, events)] for _ in range(2)]
    if set(outcomes[0]) - {"accepted", "queued"} or set(outcomes[1]) - {"duplicate", "queued"}:
        raise Refused(
            f"Usage was {sorted(set(outcomes[0]))}, and again {sorted(set(outcomes[1]))}.", "Look at RecordUsage's log."
        )

    def counted() -> float:
        path = world.of_account("usage?by=month")
        products = world.require(200, "GET", path, token=world.made.staff_token).json()["products"]
        return max((float(each["running"]["usage"]) for each in products), default=0)

    world.eventually(
        lambda: counted() >= world.plan.events,
        MOVES_SECONDS,
        f"{world.plan.events} events are not counted",
        "Look at the queue UsageBacklog.",
    )
    if (found := counted()) != world.plan.events:
        raise Refused(
            f"{world.plan.events} events sent twice count as {found:g}.", "Paste the JSON file into an issue."
        )
    return f"{world.plan.events} events sent twice are counted once"


def _report(world: World, token: str, events: list[dict[str, Any]]) -> list[str]:
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    given: list[str] = []
    for start in range(0, len(events), BATCH):
        answer = world.ask("POST", "/usage", token=token, body=events[start : start + BATCH], headers=headers)
        if answer.status not in {200, 207}:
            world.require(200, "POST", "/usage", token=token, body=events[start : start + BATCH], headers=headers)
        given += [each["outcome"] for each in answer.json()["results"]]
    return given


def _stripe(world: World) -> Stripe:
    if world.stripe is None:
        raise NotHere("no keys of Stripe's test mode were given")
    return world.stripe


def card(world: World) -> str:
    """The admin sets up a card."""
    stripe = _stripe(world)
    path = world.of_account("payment-method")
    setup = world.require(201, "POST", f"{path}/setup", token=world.made.admin_token, body={}).json()
    stripe.confirm_card(setup)
    body = {"setup_intent": setup["setup_intent"]}
    method = world.require(200, "PUT", path, token=world.made.admin_token, body=body).json()
    return f"a card that ends with {method['card']['last_four']}"


def invoice(world: World) -> str:
    """The worker issues the account's invoice."""
    world.send("InvoicesDueUrl", world.now())
    world.eventually(
        lambda: bool(_invoices(world)), MOVES_SECONDS, "no invoice is there", "Look for dead letters of InvoicesDue."
    )
    [issued] = _invoices(world)
    world.made.invoice = issued["number"]
    return f"an invoice of {issued['total']['amount']} {issued['total']['currency']} in minor units"


def charge(world: World) -> str:
    """The invoice is charged once, also if its message comes twice."""
    stripe = _stripe(world)
    for _ in range(2):
        world.send("PaymentsDueUrl", world.now() + timedelta(seconds=1), world.now())
    world.eventually(
        lambda: [each["status"] for each in _invoices(world)] == ["paid"],
        MOVES_SECONDS,
        "the invoice is not paid",
        "Look for dead letters of PaymentsDue, and at the payment in Stripe's dashboard.",
    )
    [paid] = _invoices(world)
    charges = stripe.charges(world.made.account)
    if charges != [paid["total"]["amount"]]:
        raise Refused(
            f"Stripe has the charges {charges}.", "Refund what is too much, and paste the JSON file into an issue."
        )
    return "charged once by two messages"


def _invoices(world: World) -> list[dict[str, Any]]:
    answer = world.require(200, "GET", world.of_account("invoices"), token=world.made.admin_token)
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


CHECKS = (usage, card, invoice, charge)
