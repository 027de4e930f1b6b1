"""Every language is complete: it has the same mails, words and facts as the others."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
from babel import Locale
from billing.accounts.information import BillingDetails, CompanyDetails, ContactDetails, Details
from billing.correspondence.event_kinds import SCHEMA_OF
from billing.correspondence.letters import MAILED
from billing.kernel.events import EventType
from billing.languages import FOLDER, LANGUAGES
from billing.languages.explanations import COUNT, Explanation
from billing.languages.formats import formats
from billing.scaling.autoscaling import Reason
from billing.scaling.reduction.rules import AdviceResult
from billing.scaling.reviews.rules import FitResult
from billing.scaling.tier_changes import Hold

WITHOUT_MAIL = {
    "bank_entry.decided",
    "autoscaling.changed",
    "account.success_manager_assigned",
    "catalogue.replaced",
    "success_manager.changed",
    "account.reactivation_requested",
    "credit.refunded",
    "credit_note.refunded",
    "open_claim.settled",
    "invoice.reminders_changed",
    "payment.repaid",
    "download.requested",
    "exchange_rates.replaced",
    "tax_rates.replaced",
    "test_clock.advancing",
    "test_clock.created",
    "test_clock.deleted",
    "test_clock.deleting",
    "test_clock.ready",
    "invoicing.released",
    "period.free",
    "user.erased",
    "user.erasure_requested",
    "vat_number.confirmed",
    "vat_number.decided",
}

MACRO = re.compile(r"{% macro (\w+)\(([^)]*)\)")


def files(language: str) -> set[str]:
    folder = FOLDER / language
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_every_event_type_has_a_mail_unless_it_is_listed() -> None:
    assert {str(each) for each in EventType} - WITHOUT_MAIL == MAILED


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_a_language_has_every_file(language: str) -> None:
    expected = {
        "document.json",
        "explanations.json",
        "language.json",
        "words.jinja",
        *(f"mail/{kind}.jinja" for kind in MAILED),
    }
    missing, unknown = expected - files(language), files(language) - expected
    assert files(language) == expected, f"missing: {missing}, unknown: {unknown}"


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_the_description_of_a_language_names_a_locale(language: str) -> None:
    description = json.loads((FOLDER / language / "language.json").read_text(encoding="utf-8"))
    assert Locale.parse(description["locale"]).language == language
    assert description["name"]


@pytest.mark.parametrize("language", sorted(LANGUAGES - {"en"}))
def test_a_language_has_every_word_that_english_has(language: str) -> None:
    def words(of: str) -> set[tuple[str, str]]:
        return set(MACRO.findall((FOLDER / of / "words.jinja").read_text(encoding="utf-8")))

    assert words("en") <= words(language), words("en") - words(language)


def explanations(language: str) -> dict[str, Any]:
    words: dict[str, Any] = json.loads((FOLDER / language / "explanations.json").read_text(encoding="utf-8"))
    return words


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_reason_has_a_sentence_in_every_language(language: str) -> None:
    codes = {
        *(f"autoscaling.{each}" for each in get_args(Reason)),
        *(f"autoscaling.{each}" for each in Hold),
        "autoscaling.left_out",
        *(f"reduction.{each}" for each in AdviceResult),
        *(f"review.{each}" for each in FitResult if each is not FitResult.FITS),
    }
    assert set(explanations(language)["sentences"]) == codes


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_explanations_write_numbers_as_mails_do(language: str) -> None:
    words = explanations(language)
    assert formats(language).quantity(Decimal("10000.5")) == f"10{words['group']}000{words['decimal']}5"


@pytest.mark.parametrize("code", sorted(explanations("en")["sentences"]))
def test_explanations_of_all_languages_use_the_same_values(code: str) -> None:
    def values_in(language: str) -> set[str]:
        sentence = explanations(language)["sentences"][code]
        return set(re.findall(r"{(\w+)}", sentence if isinstance(sentence, str) else " ".join(sentence.values())))

    for language in LANGUAGES:
        assert values_in(language) == values_in("en")


@pytest.mark.parametrize(("count", "words"), [(1, "1 day did"), (2, "2 days did"), (1200, "1,200 days did")])
def test_a_sentence_with_a_count_has_two_forms(count: int, words: str) -> None:
    assert Explanation("autoscaling.left_out", {COUNT: count}).in_words("en").startswith(words)


def test_a_reason_in_a_language_without_words_is_told_in_english() -> None:
    assert Explanation("autoscaling.top_tier").in_words("eo") == "There is no higher tier."


@pytest.mark.parametrize(
    "path", sorted(FOLDER.glob("*/mail/*.jinja")), ids=lambda path: f"{path.parts[-3]}-{path.stem}"
)
def test_a_template_begins_with_its_subject(path: Path) -> None:
    template = re.sub(r"{% set [^%]*%}\n", "", path.read_text(encoding="utf-8"))
    assert template.startswith("Subject: ")
    assert template.partition("\n")[2].startswith("\n")


@pytest.mark.parametrize("kind", sorted(MAILED))
def test_templates_of_all_languages_use_the_same_facts(kind: str) -> None:
    """No translation may drop a fact."""

    def facts_in(language: str) -> set[str]:
        template = (FOLDER / language / "mail" / f"{kind}.jinja").read_text(encoding="utf-8")
        return set(re.findall(r"\b(?:before|after)\.[a-z_.]+\b", template))

    for language in LANGUAGES:
        assert facts_in(language) == facts_in("en")


def test_every_event_type_has_a_sample() -> None:
    folder = FOLDER.parents[3] / "events" / "published"
    assert {path.stem for path in folder.glob("*.json")} == set(SCHEMA_OF)
    assert get_args(SCHEMA_OF["user.added"].model_fields["type"].annotation) == ("user.added",)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("details", [CompanyDetails, BillingDetails, ContactDetails])
def test_every_field_of_billing_information_has_a_word(language: str, details: type[Details]) -> None:
    words = (FOLDER / language / "words.jinja").read_text(encoding="utf-8")

    assert all(f'"{field.name}": "' in words for field in fields(details))
