"""After any life of an account, its books agree with themselves and with Stripe."""

from __future__ import annotations

from random import Random

from hypothesis import Phase, given
from hypothesis import strategies as st

from tests.faults.books import live, random_contract, sold
from tests.faults.network import connected
from tests.properties import examples

MONTHS = 10


@examples(5, deep=400, phases=[Phase.generate])  # a smaller seed is no simpler life
@given(st.integers(0, 2**32))
def test_nothing_differs_after_a_random_life(seed: int) -> None:
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
