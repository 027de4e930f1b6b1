"""Every language is whole: the same mails as the others, and nothing that only the others have."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
from babel import Locale
from billing.accounts.information import BillingDetails, CompanyDetails, ContactDetails, Details
from billing.correspondence.event_kinds import SCHEMA_OF
from billing.correspondence.letters import MAILED
from billing.kernel.events import EventType
from billing.languages import FOLDER, LANGUAGES

WITHOUT_MAIL = {
    "autoscaling.changed",
    "account.success_manager_assigned",
    "catalogue.replaced",
    "success_manager.changed",
    "account.reactivation_requested",
    "credit_note.refunded",
    "download.requested",
    "user.changed",
    "user.removed",
}

MACRO = re.compile(r"{% macro (\w+)\(([^)]*)\)")


def files(language: str) -> set[str]:
    folder = FOLDER / language
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_there_is_a_mail_about_all_that_somebody_waits_for() -> None:
    assert {str(each) for each in EventType} - WITHOUT_MAIL == MAILED


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_a_language_has_every_file(language: str) -> None:
    wanted = {"document.json", "language.json", "words.jinja", *(f"mail/{kind}.jinja" for kind in MAILED)}
    assert files(language) == wanted, f"missing: {wanted - files(language)}, unknown: {files(language) - wanted}"


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_its_description_names_a_locale(language: str) -> None:
    description = json.loads((FOLDER / language / "language.json").read_text(encoding="utf-8"))
    assert Locale.parse(description["locale"]).language == language
    assert description["name"]


@pytest.mark.parametrize("language", sorted(LANGUAGES - {"en"}))
def test_it_has_every_word_that_english_has(language: str) -> None:
    def words(of: str) -> set[tuple[str, str]]:
        return set(MACRO.findall((FOLDER / of / "words.jinja").read_text(encoding="utf-8")))

    assert words("en") <= words(language), words("en") - words(language)


@pytest.mark.parametrize(
    "path", sorted(FOLDER.glob("*/mail/*.jinja")), ids=lambda path: f"{path.parts[-3]}-{path.stem}"
)
def test_a_template_begins_with_its_subject(path: Path) -> None:
    template = re.sub(r"{% set [^%]*%}\n", "", path.read_text(encoding="utf-8"))
    assert template.startswith("Subject: ")
    assert template.partition("\n")[2].startswith("\n")


@pytest.mark.parametrize("kind", sorted(MAILED))
def test_languages_speak_of_the_same_facts(kind: str) -> None:
    """A translation that forgets a fact is not a translation."""

    def spoken_of(language: str) -> set[str]:
        template = (FOLDER / language / "mail" / f"{kind}.jinja").read_text(encoding="utf-8")
        return set(re.findall(r"\b(?:before|after)\.[a-z_.]+\b", template))

    for language in LANGUAGES:
        assert spoken_of(language) == spoken_of("en")


def test_every_kind_of_event_has_a_sample() -> None:
    folder = FOLDER.parents[3] / "events" / "published"
    assert {path.stem for path in folder.glob("*.json")} == set(SCHEMA_OF)
    assert get_args(SCHEMA_OF["user.added"].model_fields["type"].annotation) == ("user.added",)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("details", [CompanyDetails, BillingDetails, ContactDetails])
def test_every_field_of_billing_information_has_a_word(language: str, details: type[Details]) -> None:
    words = (FOLDER / language / "words.jinja").read_text(encoding="utf-8")

    assert all(f'"{field.name}": "' in words for field in fields(details))
