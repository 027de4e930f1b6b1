"""What a slow line notices: how often a screen asks. `make bench portal` prints how long it takes."""

from __future__ import annotations

from playwright.sync_api import Browser

from benchmarks import page_speed
from local.stack import Stack


def test_every_screen_is_measured_and_the_billing_page_asks_the_api_twice(stack: Stack, browser: Browser) -> None:
    seen = page_speed.measured(stack, browser, rounds=1)

    assert [each.screen for each in seen] == [*page_speed.SCREENS]
    assert {each.screen: each.api_requests for each in seen}["billing"] == 2
    # With the line slowed down, nothing is faster than two round trips: the page, and what it asks.
    assert all(each.usable_seconds > 2 * page_speed.LATENCY_MILLISECONDS / 1000 for each in seen)
    assert page_speed.table(seen).count("\n") == len(seen)
    print(page_speed.table(seen))
