"""After any life of an account, its books agree with themselves and with Stripe (DESIGN 3.3.13)."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from random import Random

import pytest
from billing.billing_page.provisioning_bodies import AccountBody
from billing.invoicing.reconciliation.commands import Comparison
from billing.subscriptions.catalogue_views import CatalogueBody
from billing.subscriptions.replace_catalogue import replace_catalogue
from hypothesis import Phase, given
from hypothesis import strategies as st

from local.demo import companies
from local.demo.companies import COMPANIES, DemoCompany
from tests.faults.books import live, provisioned, random_contract, sold
from tests.faults.network import connected
from tests.faults.world import World
from tests.properties import examples
from tests.store.samples import CONTEXT

MONTHS = 12
TODAY = date(2026, 11, 20)


@examples(3, deep=200, phases=[Phase.generate])  # a smaller seed is no simpler life
@given(st.integers(0, 2**32))
def test_nothing_differs_after_a_random_life(seed: int) -> None:
    """Changes of tiers, credit notes, declines, debits, disputes, refunds that fail, repayments by hand, cancellations,
    reactivations; and jobs that run days late."""
    chance = Random(seed)
    with connected():
        world = sold(random_contract(chance))
        with world.calm():
            for _ in range(MONTHS):
                live(world, chance, 1)
                world.compare()
                assert world.found() == [], f"seed {seed}, {world.day}"
            world.reconcile_register()
            assert world.found() == []


@pytest.mark.parametrize("company", COMPANIES, ids=lambda company: str(company.account))
def test_the_demonstrations_companies_agree_after_their_year(company: DemoCompany) -> None:
    with connected():
        with World().calm() as before:
            goods = json.loads((Path(companies.__file__).parent / "catalogue.json").read_text(encoding="utf-8"))
            replace_catalogue(
                CatalogueBody.model_validate(goods).values(), 0, is_charged=True, context=CONTEXT, store=before.store
            )
        request = AccountBody.model_validate(company.provisioning(TODAY)).value()
        world = provisioned(request, before)
        with world.calm():
            contract = request.contract
            month = 1
            while contract.month_start(month) <= TODAY:
                world.move_to(contract.month_start(month))
                world.work()
                month += 1

            assert world.compare() is Comparison.AGREES
            assert world.reconcile_register(world.now.replace(year=2027)) is Comparison.AGREES
            assert {each.payment.status for each in world.documents()} == {"paid"}
