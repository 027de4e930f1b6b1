"""Asks for the known vulnerabilities of the packages in the layer: by pip-audit, of PyPI and then of OSV.

A service that does not answer is no finding, and no all-clear either: the packages that nobody was asked about are
named. The exit status is 1 for a finding only. It uses the standard library, and pip-audit as a program.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

REQUIREMENTS = Path(__file__).parent.parent / "layers" / "shared" / "requirements.txt"
SERVICES = ("pypi", "osv")
"""OSV is asked about what PyPI did not answer."""

TIMEOUT_SECONDS = 300

Ask = Callable[[str], Sequence[Mapping[str, Any]]]
"""Asks one service. Returns pip-audit's entries of the packages; none if the service does not answer."""


def ask(service: str) -> Sequence[Mapping[str, Any]]:
    """pip-audit's answer of one service. pip-audit fails in the same way for a finding and for a silent service."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--requirement"]
    options = ["--format", "json", "--progress-spinner", "off", "--vulnerability-service", service]
    try:
        finished = subprocess.run(
            [*command, str(REQUIREMENTS), *options], capture_output=True, check=False, timeout=TIMEOUT_SECONDS
        )
        dependencies: list[dict[str, Any]] = json.loads(finished.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return []
    return dependencies


def audit(required: Mapping[str, str], ask: Ask) -> tuple[int, list[str]]:
    """The number of findings, and the report: a line for each, and what was checked. `required`: versions by name."""
    answers: dict[str, Sequence[Mapping[str, Any]]] = {}
    for service in SERVICES:
        if required.keys() - answers.keys():
            # pip-audit leaves out, with a reason, what the service does not know: that is not checked.
            answers |= {each["name"]: each["vulns"] for each in ask(service) if "vulns" in each} | answers
    findings = [line for name in sorted(required.keys() & answers.keys()) for line in _findings(name, answers[name])]
    missing = sorted(required.keys() - answers.keys())
    report = [*findings, f"{len(required) - len(missing)} of {len(required)} packages of the layer were checked."]
    if missing:
        report.append(
            "NOT checked, because no service answered for them: "
            + ", ".join(f"{name} {required[name]}" for name in missing)
        )
        report.append("Run it again where PyPI or OSV can be reached.")
    return len(findings), report


def _findings(name: str, vulnerabilities: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for each in vulnerabilities:
        mended = ", ".join(each.get("fix_versions") or ()) or "no version yet"
        yield f"FOUND {name}: {each['id']}, mended in {mended}"


def required_packages() -> dict[str, str]:
    """The packages of the layer, with their versions."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", REQUIREMENTS.read_text("utf-8"), re.MULTILINE))


def main() -> int:
    found, report = audit(required_packages(), ask)
    print("\n".join(report))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
