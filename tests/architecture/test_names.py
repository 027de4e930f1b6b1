"""One name for one thing: a reader who meets a class name needs no import line to know which one is meant."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from tests.template import ROOT

PACKAGE = ROOT / "layers" / "shared" / "billing"


def classes(path: Path) -> list[ast.ClassDef]:
    return [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.ClassDef)]


def test_no_class_name_is_used_twice_in_the_package() -> None:
    modules = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for found in classes(path):
            modules[found.name].append(path.relative_to(PACKAGE).as_posix())

    assert len(modules) > 300
    assert {name: paths for name, paths in modules.items() if len(paths) > 1} == {}


def test_an_object_calls_its_own_id_id() -> None:
    """A field named like its class would read `account.account`; the API and stored items keep that name."""
    named_like_their_class = [
        f"{path.relative_to(PACKAGE).as_posix()}: {found.name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for found in classes(path)
        for field in found.body
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and field.target.id.replace("_", "") == found.name.lower()
    ]

    assert named_like_their_class == []
