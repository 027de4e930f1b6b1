"""The bill of materials of the billing page (CycloneDX 1.5): the packages of npm whose code is in its files.

It is made from portal/package-lock.json alone. The licences' texts are in the built page, in third-party-notices.txt,
which Vite writes from what it has put into the files.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from benchmarks.layer import ROOT
from scripts.licences import require_allowed

BILL = ROOT / "portal" / "sbom.cdx.json"
LOCK = ROOT / "portal" / "package-lock.json"

OF_THE_BUILD = frozenset({"vite"})
"""Packages that build the page and put code of their own into it: Vite's loads the parts of the page in advance."""

_FOLDER = "node_modules/"


def bill(lock: Mapping[str, Any] | None = None) -> str:
    """The bill of the page of a lock, by default of the project's. Raises Unlicensed."""
    packages: Mapping[str, Mapping[str, Any]] = (lock or json.loads(LOCK.read_text("utf-8")))["packages"]
    shipped = {
        place.rpartition(_FOLDER)[2]: package
        for place, package in packages.items()
        if place and (not package.get("dev") or place.removeprefix(_FOLDER) in OF_THE_BUILD)
    }
    made = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "portal",
                "name": "portal",
                "description": "The billing page of Livello.",
                "licenses": [{"expression": "Apache-2.0"}],
            }
        },
        "components": [_component(name, package) for name, package in sorted(shipped.items())],
    }
    serial = uuid5(NAMESPACE_URL, json.dumps(made, sort_keys=True))
    return json.dumps({**made, "serialNumber": f"urn:uuid:{serial}"}, indent=1, ensure_ascii=False) + "\n"


def _component(name: str, package: Mapping[str, Any]) -> dict[str, Any]:
    licence = package.get("license", "")
    require_allowed(name, licence)
    purl = f"pkg:npm/{name.replace('@', '%40')}@{package['version']}"
    algorithm, _, digest = package["integrity"].partition("-")
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": package["version"],
        "licenses": [{"expression": licence}],
        "purl": purl,
        "hashes": [{"alg": algorithm.upper().replace("SHA", "SHA-"), "content": base64.b64decode(digest).hex()}],
    }
