"""The bill of materials of the billing page names what is in its files. A licence that is not allowed is refused."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from local.settings import PORTAL
from scripts import page_sbom, sbom
from scripts.licences import Unlicensed


def written() -> dict[str, Any]:
    bill: dict[str, Any] = json.loads(page_sbom.BILL.read_text("utf-8"))
    return bill


def test_the_bill_fits_the_published_schema() -> None:
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(page_sbom.BILL.read_text("utf-8")) is None


def test_every_package_in_the_files_of_the_page_is_in_its_bill() -> None:
    notices = PORTAL / "third-party-notices.txt"
    assert notices.exists(), "make portal builds the page"
    bundled = set(re.findall(r"(?m)^## (\S+) - (\S+) \((.+)\)$", notices.read_text("utf-8")))

    billed = {(each["name"], each["version"], each["licenses"][0]["expression"]) for each in written()["components"]}
    assert "preact" in {name for name, _, _ in bundled}
    assert bundled <= billed


def test_a_changed_lock_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = json.loads(page_sbom.LOCK.read_text("utf-8"))
    lock["packages"]["node_modules/preact"]["version"] = "0.0.1"
    changed = page_sbom.bill(lock)
    monkeypatch.setattr(page_sbom, "bill", lambda: changed)

    assert [*sbom.check()] == ["portal/sbom.cdx.json is of another lock: make sbom"]


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "", "UNLICENSED"])
def test_a_licence_that_is_not_allowed_is_refused(licence: str) -> None:
    lock = json.loads(page_sbom.LOCK.read_text("utf-8"))
    lock["packages"]["node_modules/preact"]["license"] = licence

    with pytest.raises(Unlicensed, match="preact"):
        page_sbom.bill(lock)


def test_what_only_builds_the_page_is_not_in_its_bill() -> None:
    assert {each["name"] for each in written()["components"]} == {
        "openapi-fetch",
        "openapi-typescript-helpers",
        "preact",
        "vite",
    }
