"""The audit says what was not checked, and fails for findings only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.audit import audit, required_packages

REQUIRED = {"idna": "3.20", "orjson": "3.13.0"}
SKIPPED = {"name": "orjson", "skip_reason": "Dependency not found on PyPI and could not be audited: orjson (3.13.0)"}
"""As pip-audit 2.10.1 prints it."""


def clean(name: str) -> dict[str, Any]:
    return {"name": name, "version": REQUIRED[name], "vulns": []}


def answering(**services: Sequence[Mapping[str, Any]]) -> tuple[list[str], int, list[str]]:
    """The services that were asked, the findings and the report."""
    asked = []

    def ask(service: str) -> Sequence[Mapping[str, Any]]:
        asked.append(service)
        return services.get(service, [])

    found, report = audit(REQUIRED, ask)
    return asked, found, report


def test_services_that_do_not_answer_are_no_all_clear() -> None:
    asked, found, report = answering()

    assert (asked, found) == (["pypi", "osv"], 0)
    assert report[0] == "0 of 2 packages of the layer were checked."
    assert report[1] == "NOT checked, because no service answered for them: idna 3.20, orjson 3.13.0"


def test_a_package_that_one_service_leaves_out_is_asked_of_the_other() -> None:
    asked, found, report = answering(pypi=[clean("idna"), SKIPPED], osv=[clean("orjson")])

    assert (asked, found) == (["pypi", "osv"], 0)
    assert report == ["2 of 2 packages of the layer were checked."]


def test_a_package_that_nobody_knows_is_named() -> None:
    _, found, report = answering(pypi=[clean("idna"), SKIPPED], osv=[SKIPPED])

    assert found == 0
    assert report[:2] == [
        "1 of 2 packages of the layer were checked.",
        "NOT checked, because no service answered for them: orjson 3.13.0",
    ]


def test_a_finding_is_counted_once_and_names_the_version_that_mends_it() -> None:
    vulnerable = {**clean("idna"), "vulns": [{"id": "PYSEC-2024-60", "fix_versions": ["3.21"], "aliases": []}]}
    asked, found, report = answering(pypi=[vulnerable, clean("orjson")], osv=[clean("idna")])

    assert asked == ["pypi"]
    assert found == 1
    assert report == [
        "FOUND idna: PYSEC-2024-60, mended in 3.21",
        "2 of 2 packages of the layer were checked.",
    ]


def test_a_finding_of_one_service_is_not_lost_to_the_others_silence() -> None:
    vulnerable = {**clean("idna"), "vulns": [{"id": "PYSEC-2024-60", "fix_versions": [], "aliases": []}]}
    _, found, report = answering(pypi=[vulnerable, SKIPPED], osv=[clean("idna"), clean("orjson")])

    assert found == 1
    assert report[0] == "FOUND idna: PYSEC-2024-60, mended in no version yet"


def test_the_whole_layer_is_asked_about() -> None:
    assert required_packages()["pydantic-core"]
    assert len(required_packages()) > 30
