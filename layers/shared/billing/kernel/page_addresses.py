"""The addresses of the billing page's screens. Mails and events link to them; portal/src/route.ts reads them.

The page is one file, so everything that names a screen is behind the `#`: a browser sends it to no server.
"""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import quote


class Screen(StrEnum):
    """The screens that an account has."""

    OVERVIEW = "overview"
    BILLING = "billing"
    INVOICES = "invoices"
    USAGE = "usage"
    REDUCTION = "reduction"
    DECISIONS = "decisions"
    REVIEWS = "reviews"
    USERS = "users"
    CANCELLATION = "cancellation"
    REACTIVATION = "reactivation"
    EXPORT = "export"
    LOG = "log"


EDITED = frozenset({"company", "billing", "contact", "payment", "term"})
"""The parts of Screen.BILLING that are edited on a screen of their own."""


def home_address(page: str) -> str:
    """Where a person chooses among their accounts. `page` is the page's origin, with or without a slash."""
    return f"{page.rstrip('/')}/"


def screen_address(page: str, account: str, screen: Screen, part: str | None = None) -> str:
    """The address of a screen of an account. `page` is the page's origin.

    `part` is the number of an invoice or credit note, or one of EDITED. Raises ValueError for a part that the screen
    does not have.
    """
    if part is not None and screen is not Screen.INVOICES and not (screen is Screen.BILLING and part in EDITED):
        raise ValueError(f"the screen {screen} has no part {part!r}")
    path = (account, screen) if part is None else (account, screen, part)
    return f"{home_address(page)}#/{'/'.join(quote(each, safe='') for each in path)}"
