"""The bill of materials is valid, of this lock, and repeatable; a licence that is not allowed is refused."""

from __future__ import annotations

import json
from email.message import Message
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from scripts import sbom
from scripts.licences import CORRECTIONS, Unlicensed, licence_of, require_allowed
from tests.template import ROOT


def written() -> dict[str, Any]:
    bill: dict[str, Any] = json.loads(sbom.BILL.read_text("utf-8"))
    return bill


def package(**fields: str) -> Message:
    about = Message()
    for name, value in {"Name": "some-package", **fields}.items():
        about[name.replace("_", "-")] = value
    return about


def test_the_bill_fits_the_published_schema() -> None:
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(sbom.BILL.read_text("utf-8")) is None


def test_the_bill_is_of_this_lock_and_every_licence_is_allowed() -> None:
    assert [*sbom.check()] == []


def test_the_bill_has_each_package_of_the_layer_with_version_hash_and_licence() -> None:
    lines = (ROOT / "layers" / "shared" / "requirements.txt").read_text("utf-8").splitlines()
    required = dict(line.split()[0].split("==") for line in lines if "==" in line)
    components = {each["name"]: each for each in written()["components"]}

    assert {name: each["version"] for name, each in components.items()} == required
    for component in components.values():
        assert component["licenses"][0]["expression"]
        assert any(each.get("hashes") for each in component["externalReferences"])


def test_the_bill_has_no_time_and_a_serial_number_of_its_contents() -> None:
    bill = written()
    assert "timestamp" not in bill["metadata"]
    assert bill["serialNumber"].startswith("urn:uuid:")
    assert sbom.exported() == sbom.exported()


def test_the_notices_name_each_package_and_what_is_inside_it() -> None:
    notices = sbom.NOTICES.read_text("utf-8")

    for component in written()["components"]:
        assert f"{component['name']} {component['version']}\nLicence: " in notices
        for part in component.get("components", ()):
            assert part["name"] in notices
    assert "DejaVu Sans Condensed" in notices


def test_a_changed_lock_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = sbom.exported()
    changed["components"][0]["version"] = "0.0.1"
    gone = changed["components"].pop()["name"]
    monkeypatch.setattr(sbom, "exported", lambda: changed)

    told = [*sbom.check()]

    assert any(changed["components"][0]["name"] in line and "make sbom" in line for line in told)
    assert any(f"does not have ({gone})" in line for line in told)


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "AGPL-3.0-or-later", "MIT AND GPL-2.0-only", "", "Proprietary"])
def test_a_licence_that_is_not_allowed_is_refused(licence: str) -> None:
    with pytest.raises(Unlicensed, match=r"some-package"):
        require_allowed("some-package", licence)


@pytest.mark.parametrize("licence", ["MIT", "GPL-3.0-only OR MIT", "BSD-3-Clause AND Apache-2.0", "LGPL-3.0-only"])
def test_of_alternatives_one_that_is_allowed_is_enough(licence: str) -> None:
    require_allowed("some-package", licence)


def test_a_package_that_names_no_licence_is_told_with_the_place_of_the_correction() -> None:
    with pytest.raises(Unlicensed, match=r"CORRECTIONS in scripts/licences\.py"):
        licence_of(package(License="See the file LICENSE"))


def test_metadata_that_lies_is_corrected_with_a_reason() -> None:
    assert licence_of(package(License_Expression="MIT")) == "MIT"
    about = package(License="BSD")
    about.replace_header("Name", "Jinja2")
    assert licence_of(about) == "BSD-3-Clause"
    assert all(each.reason for each in CORRECTIONS.values())


def test_only_permissive_parts_are_in_the_functions() -> None:
    """Functions are zipped without packages: what they import is in the layer, which the bill is about."""
    assert not [*ROOT.glob("functions/*/requirements.txt")]
