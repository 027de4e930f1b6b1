"""The page knows what the API has. What TypeScript can check by the OpenAPI document, `make portal-check` checks."""

from __future__ import annotations

import re

from billing.kernel.events import EventType
from billing.languages import LANGUAGES

from tests.template import ROOT

SOURCES = ROOT / "portal" / "src"

OF_NO_ACCOUNT = ("bank_statement.", "catalogue.", "exchange_rates.", "success_manager.", "tax_rates.", "test_clock.")


def test_the_log_names_every_event_of_an_account() -> None:
    text = (SOURCES / "words" / "events.ts").read_text(encoding="utf-8")
    [english, *others] = [
        re.findall(r'^    "([a-z_]+\.[a-z_]+)":', part, re.MULTILINE)
        for part in re.split(r"^  (?:en|it): \{$", text, flags=re.MULTILINE)[1:]
    ]

    assert {*english} == {kind for kind in EventType if not kind.startswith(OF_NO_ACCOUNT)}
    assert all(each == english for each in others)


def test_the_page_has_the_languages_of_the_mails() -> None:
    text = (SOURCES / "language.ts").read_text(encoding="utf-8")
    [listed] = re.findall(r"LANGUAGES = \{(.+?)\}", text)

    assert re.findall(r"(\w+):", listed) == sorted(LANGUAGES)
