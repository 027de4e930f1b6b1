"""Autoscaling of the demonstration's companies over a year: usage that grows, that falls, and a Black Friday."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from billing.billing_page.provision_account import provision_account
from billing.billing_page.provisioning_bodies import AccountBody
from billing.billing_page.views import BillingPageView
from billing.kernel.schedules import Job
from billing.platform.due_work.records import DueStore
from billing.scaling.scale_account import scale_account
from billing.subscriptions.catalogue_views import CatalogueBody
from billing.subscriptions.replace_catalogue import replace_catalogue
from billing.usage.rules import UsageEvent

from local.demo import past_year, usage
from local.demo.companies import COMPANIES, DemoCompany
from tests.aws import TABLE
from tests.faults.company import SETTINGS, body
from tests.faults.network import connected, seam_session
from tests.faults.world import World
from tests.store.samples import CONTEXT
from tests.taxes import a_quarter

NORDLYS, LUCCIOLA, _ = COMPANIES
CATALOGUE = Path(past_year.__file__).parent / "catalogue.json"
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
BATCH = 40
PRODUCTS = ("search", "email")


@pytest.fixture
def world() -> Iterator[World]:
    """A world whose table has the demonstration's catalogue."""
    with connected(), World().calm() as world:
        products = CatalogueBody.model_validate(json.loads(CATALOGUE.read_text("utf-8"))).values()
        replace_catalogue(products, 0, is_charged=True, context=CONTEXT, store=world.store)
        yield world


def live_through(company: DemoCompany, world: World) -> None:
    """Provisions the company, counts its usage from the contract's start to NOW, and decides every month when due."""
    request = AccountBody.model_validate(company.provisioning(NOW.date())).value()
    provision_account(request, context=CONTEXT, directory=world.directory, pages=world.store, catalogues=world.store)
    _use(company, request.contract.start, world)
    due = DueStore(TABLE, seam_session().create_client("dynamodb"))

    def fire(at: datetime) -> None:
        for account in due.due(Job.AUTOSCALING, at):
            scale_account(account, now=at, correlation="run", store=world.autoscaling, taxes=a_quarter)

    past_year.live_through([company.account], NOW, world.autoscaling, fire)


def _use(company: DemoCompany, start: date, world: World) -> None:
    """Counts the demonstration's usage of PRODUCTS, one event for each product and day."""
    rows = (row for row in usage.usage(company, start, NOW.date()) if row.product in PRODUCTS)
    events = [
        UsageEvent(
            account=company.account,
            source="test",
            id=f"{product} {day}",
            product=product,
            store=next(iter(company.stores)),
            content=None,
            time=datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
            day=day,
            quantity=sum((row.quantity for row in parts), Decimal()),
        )
        for (product, day), parts in groupby(rows, lambda row: (row.product, row.day))
    ]
    for first in range(0, len(events), BATCH):
        assert world.usage.count(events[first : first + BATCH], lambda _: None) == {}


def decisions(company: DemoCompany, product: str, world: World) -> dict[str, tuple[bool, str]]:
    """Whether the product changes its tier, and the reason, by month as `YYYY-MM`."""
    newest_first = world.autoscaling.decisions(company.account, limit=100, after=None).items
    return {
        f"{each.month:%Y-%m}": (each.moves, each.decision.reason)
        for each in reversed(newest_first)
        if each.product == product
    }


def scaling_events(world: World) -> list[Any]:
    """The bodies of the events about tiers."""
    types = ("subscription.autoscaled", "usage.above_tiers", "usage.below_tier")
    events = [body(item) for item in world.stored("EVENT#")]
    return [event for event in events if event["type"] in types]


def line(company: DemoCompany, product: str, world: World) -> Any:
    page = BillingPageView.of(world.store.billing_page(company.account), NOW.date(), SETTINGS.seller, None)
    [view] = [each for each in page.subscription.lines if each.product == product]
    return view


def test_growing_usage_moves_a_product_up_once_and_falling_usage_is_reported_once(world: World) -> None:
    live_through(NORDLYS, world)

    new_shop = dict.fromkeys(("2026-02", "2026-03", "2026-04"), (False, "too_few_months"))
    assert decisions(NORDLYS, "search", world) == new_shop | {
        "2026-05": (False, "fits"),
        "2026-06": (False, "fits"),
        "2026-07": (False, "fits"),
        "2026-08": (False, "near"),
        "2026-09": (False, "near"),
        "2026-10": (True, "moved"),
        "2026-11": (False, "fits"),
    }
    fits = {f"2026-{month:02}": (False, "fits") for month in range(5, 12)}
    assert decisions(NORDLYS, "email", world) == new_shop | fits
    below, moved = scaling_events(world)
    assert (below["type"], below["time"][:10]) == ("usage.below_tier", "2026-09-01")
    assert below["after"]["fitting"] == {"up_to": 25_000, "price": {"amount": 44_000, "currency": "DKK"}}
    assert (moved["type"], moved["time"][:10]) == ("subscription.autoscaled", "2026-10-01")
    assert [month["typical"] for month in moved["after"]["months"]] == ["29672.24", "29587.02", "28686.94"]
    # 1,260.00 less 12.5 % from the next contract month on; before it was 740.00 less 12.5 %.
    assert (moved["after"]["effective_on"], moved["after"]["extra"]) == ("2026-10-15", None)
    assert line(NORDLYS, "search", world).price_per_month_after_discounts.amount == 110_250


def test_a_black_friday_changes_no_tier(world: World) -> None:
    live_through(LUCCIOLA, world)

    by_month = decisions(LUCCIOLA, "search", world)
    assert {moves for moves, _ in by_month.values()} == {False}
    assert len(by_month) == 14
    # In spring a lower tier is large enough. Averages that fluctuate around its volume make no second event.
    below = [event for event in scaling_events(world) if event["after"]["product"]["product"] == "search"]
    assert [(event["type"], event["time"][:10]) for event in below] == [("usage.below_tier", "2026-04-01")]
    assert line(LUCCIOLA, "search", world).up_to == 100_000
