"""The addresses that mails link to are those that the page knows."""

from __future__ import annotations

import re

import pytest
from billing.kernel.page_addresses import EDITED, Screen, home_address, screen_address

from tests.template import ROOT

ROUTES = ROOT / "portal" / "src" / "route.ts"


@pytest.mark.skipif(not ROUTES.exists(), reason="this checkout has no page")
def test_the_page_has_the_screens_that_mails_link_to() -> None:
    [listed] = re.findall(r"SCREENS = \[(.*?)\]", ROUTES.read_text(encoding="utf-8"), re.DOTALL)
    assert re.findall(r'"(\w+)"', listed) == [*Screen]


@pytest.mark.parametrize("page", ["https://pay.vendor.example", "https://pay.vendor.example/"])
def test_an_address_names_account_screen_and_part(page: str) -> None:
    assert home_address(page) == "https://pay.vendor.example/"
    assert screen_address(page, "nordlys", Screen.USAGE) == "https://pay.vendor.example/#/nordlys/usage"
    address = screen_address(page, "q1.nordlys", Screen.INVOICES, "LV-2026-000001")
    assert address == "https://pay.vendor.example/#/q1.nordlys/invoices/LV-2026-000001"
    assert (
        screen_address(page, "n", Screen.INVOICES, "a/b?c#d e")
        == "https://pay.vendor.example/#/n/invoices/a%2Fb%3Fc%23d%20e"
    )


@pytest.mark.parametrize("screen", Screen)
def test_a_screen_has_no_part_that_the_page_does_not_know(screen: Screen) -> None:
    known = {"invoices": {"LV-2026-000001"}, "billing": EDITED}.get(screen, frozenset())
    for part in known:
        assert screen_address("https://pay.vendor.example", "n", screen, part).endswith(f"/{screen}/{part}")
    if screen is not Screen.INVOICES:
        with pytest.raises(ValueError, match="has no part"):
            screen_address("https://pay.vendor.example", "n", screen, "LV-2026-000001")
