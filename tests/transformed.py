"""template.yaml as CloudFormation gets it, resolved for one set of parameters.

What only AWS knows stays unresolved: references to resources and their attributes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.template import ROOT

Template = dict[str, Any]
Resources = dict[str, dict[str, Any]]

CLOUD_PYTHON = ROOT / ".venvs" / "cloud" / "bin" / "python"
"""The environment with SAM's translator, which `make test` installs from the lock."""

TEMPLATE = Path(os.environ.get("LIVELLO_TEMPLATE", ROOT / "template.yaml"))
"""Another template to judge, such as that of an older release. Only for a person who compares."""

GIVEN = {
    "SenderAddress": "billing@example.com",
    "SellerName": "Seller",
    "SellerAddress": "Street 1",
    "SellerCity": "City",
    "SellerCountry": "DK",
    "InvoiceArchiveYears": "10",
    "AllowedOrigin": "https://billing.example.com",
}
"""The parameters without a default."""

PSEUDO = {
    "AWS::Region": "eu-central-1",
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "livello",
    "AWS::StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/livello/1",
}
STAGES = ("dev", "prod")
NOTHING = object()
NAMED_IN_SUB = re.compile(r"\$\{([A-Za-z0-9:]+)\}")


@cache
def _of_stages() -> Sequence[Template]:
    """The template transformed for each stage. SAM resolves nothing by any other parameter."""
    return transform([{"Stage": stage} for stage in STAGES])


def transform(runs: Sequence[Mapping[str, str]]) -> list[Template]:
    """The template transformed by SAM for each set of parameters, each a second after the one before. One process."""
    given = [
        {"template": str(TEMPLATE), "parameters": {**GIVEN, **parameters}, "time": 1_800_000_000 + second}
        for second, parameters in enumerate(runs)
    ]
    assert CLOUD_PYTHON.exists(), "make .venvs/cloud/.synced installs SAM's translator"
    finished = subprocess.run(
        [CLOUD_PYTHON, ROOT / "tests" / "sam_transform.py"],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    answers: list[Template] = json.loads(finished.stdout)
    return answers


def whole() -> Template:
    """The transformed template for the first stage, unresolved."""
    return _of_stages()[0]


def declared() -> dict[str, dict[str, Any]]:
    """The parameters of the template, with their types and limits."""
    parameters: dict[str, dict[str, Any]] = whole()["Parameters"]
    return parameters


def values(given: Mapping[str, str]) -> dict[str, str]:
    """The value of each parameter: as given, else its default."""
    defaults = {name: str(each["Default"]) for name, each in declared().items() if "Default" in each}
    return {**defaults, **GIVEN, **given}


def references(node: Any) -> Iterator[str]:
    """The names that a part of the template refers to: parameters, conditions, resources."""
    if isinstance(node, list):
        for each in node:
            yield from references(each)
    elif isinstance(node, dict):
        for name, about in node.items():
            if name in {"Ref", "Condition"} and isinstance(about, str):
                yield about
            elif name == "Fn::If":
                yield about[0]
                yield from references(about[1:])
            elif name == "Fn::Sub":
                text, own = (about, {}) if isinstance(about, str) else about
                yield from (each for each in NAMED_IN_SUB.findall(text) if each not in own)
                yield from references(own)
            else:
                yield from references(about)


def parameters_in(node: Any) -> set[str]:
    """The parameters that a part of the template depends on, also through conditions."""
    conditions = whole().get("Conditions", {})
    found: set[str] = set()
    waiting = [node]
    while waiting:
        for name in references(waiting.pop()):
            if name in conditions:
                waiting.append(conditions[name])
            elif name in declared():
                found.add(name)
    return found


def resolved(given: Mapping[str, str]) -> Resources:
    """The resources that exist with these parameters; each condition, mapping and parameter is resolved."""
    known = {**PSEUDO, **values(given)}
    template = _of_stages()[STAGES.index(known["Stage"])]
    return {
        name: {**each, "Properties": _Resolver(template, known).value(each.get("Properties", {}))}
        for name, each in template["Resources"].items()
        if "Condition" not in each or _Resolver(template, known).holds(each["Condition"])
    }


class _Resolver:
    """Resolves CloudFormation's functions for one set of parameters."""

    def __init__(self, template: Template, known: Mapping[str, str]) -> None:
        self._template, self._known = template, known

    def holds(self, condition: Any) -> bool:
        if isinstance(condition, str):
            return self.holds(self._template["Conditions"][condition])
        [(name, about)] = condition.items()
        match name:
            case "Condition":
                return self.holds(about)
            case "Fn::Equals":
                return str(self.value(about[0])) == str(self.value(about[1]))
            case "Fn::Not":
                return not self.holds(about[0])
            case "Fn::And":
                return all(map(self.holds, about))
            case "Fn::Or":
                return any(map(self.holds, about))
        raise NotImplementedError(name)

    def value(self, node: Any) -> Any:
        if isinstance(node, list):
            return [each for each in map(self.value, node) if each is not NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            [(name, about)] = node.items()
            match name:
                case "Ref":
                    return NOTHING if about == "AWS::NoValue" else self._known.get(about, node)
                case "Fn::If":
                    return self.value(about[1] if self.holds(about[0]) else about[2])
                case "Fn::FindInMap":
                    first, second, third = map(self.value, about)
                    return self._template["Mappings"][first][str(second)][third]
                case "Fn::Select":
                    index, of = about[0], self.value(about[1])
                    return of[int(index)] if isinstance(of, list) else {name: [index, of]}
                case "Fn::Split":
                    of = self.value(about[1])
                    return of.split(about[0]) if isinstance(of, str) else {name: [about[0], of]}
                case "Fn::Sub":
                    return self._substituted(about)
        return {key: found for key, each in node.items() if (found := self.value(each)) is not NOTHING}

    def _substituted(self, about: Any) -> str:
        text, own = (about, {}) if isinstance(about, str) else (about[0], self.value(about[1]))
        known = {**self._known, **{name: each for name, each in own.items() if isinstance(each, str)}}
        return NAMED_IN_SUB.sub(lambda found: str(known.get(found[1], found[0])), text)
