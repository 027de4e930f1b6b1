"""The documents agree with the code: citations exist, routes are documented, commands exist, the example runs."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import tokenize
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from scripts.openapi import document
from tests.api_gateway import MACHINE, answer, request
from tests.architecture.test_template import PUBLIC
from tests.company import Company
from tests.template import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("local/**/*.md")])
RECORDS = sorted(ROOT.glob("docs/decisions/[0-9]*.md"))
PACKAGE = ROOT / "layers" / "shared" / "billing"
SOURCES = ("benchmarks", "docs", "functions", "layers", "local", "scripts", "tests")
SUFFIXES = {".md", ".py", ".toml", ".yaml"}

CITED = re.compile(r"DESIGN (\d+(?:\.\d+)*(?:(?:, | and )\d+(?:\.\d+)*)*)")
NAMED = re.compile(r"docs/[\w./-]+\.md|docs/decisions/\d{4}")
ANCHOR = re.compile(r'<a id="([^"]+)"></a>')
MODULE = re.compile(r"(?<![\w./-])billing(?:\.[a-zA-Z_]\w*)+")
DEFINED = re.compile(r"((?:`[\w.]+`(?:, )?)+) in `([\w/]+\.py)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
ROUTE = re.compile(r"`(GET|PUT|POST|DELETE) (/\S+)`")
EXAMPLE = re.compile(r"<!-- example: report usage -->\n```sh\n(.*?)```", re.DOTALL)

SECTIONS = ("Why", "Decided", "Figures", "Weighed", "Corrections")
ALWAYS = {"Why", "Decided", "Weighed"}
STATUS = re.compile(r"- \*\*Status:\*\* (proposed|accepted|superseded by \[\d{4}\]\S+)(;.*)?")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def sources() -> Iterator[tuple[str, str]]:
    """The files that may cite a document, as (name, text)."""
    paths = [path for folder in SOURCES for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    for path in [*ROOT.glob("*.*"), *paths, ROOT / "Makefile"]:
        is_ours = "node_modules" not in path.parts and path != Path(__file__)
        if is_ours and path.is_file() and (path.suffix in SUFFIXES or path.name == "Makefile"):
            yield relative(path), path.read_text(encoding="utf-8")


def anchors(path: Path) -> set[str]:
    """The valid fragments of links to a document: its anchors, and its headings in the form that forges give them."""
    text = path.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", text), re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
    return slugs | {*ANCHOR.findall(text)}


def test_every_cited_rule_is_in_the_design() -> None:
    rules = anchors(ROOT / "docs" / "design.md")
    cited = [
        (name, rule)
        for name, text in sources()
        for numbers in CITED.findall(text)
        for rule in re.split(r", | and ", numbers)
    ]

    assert [each for each in cited if each[1] not in rules] == []
    assert {rule for _, rule in cited} >= {"3.1", "3.2", "3.3", "3.4"}


def test_every_anchor_of_the_design_is_unique_and_equals_the_printed_number() -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    ids = ANCHOR.findall(text)

    assert len(ids) == len({*ids})
    assert set(re.findall(r"^#+ (\d+(?:\.\d+)*)\b", text, re.MULTILINE)) <= {*ids}
    assert re.findall(r'<a id="([\d.]+)"></a>\*\*', text) == re.findall(r'"></a>\*\*([\d.]+)', text)


def test_every_cited_document_exists() -> None:
    existing = {relative(path) for path in DOCUMENTS} | {
        relative(path)[: len("docs/decisions/0000")] for path in RECORDS
    }
    missing = [(name, each) for name, text in sources() for each in NAMED.findall(text) if each not in existing]

    assert missing == []


def prose(name: str, text: str) -> str:
    """A file's text; of Python, the docstrings and comments alone."""
    if not name.endswith(".py"):
        return text
    comments = [
        each.string
        for each in tokenize.generate_tokens(iter(text.splitlines(keepends=True)).__next__)
        if each.type == tokenize.COMMENT
    ]
    strings = [
        node.value.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]
    return "\n".join([*comments, *strings])


def defines(dotted: str) -> bool:
    """Whether a dotted name is a module of the shared package, or a name in one."""
    steps = dotted.split(".")
    for length in range(len(steps), 0, -1):
        path = PACKAGE.parent.joinpath(*steps[:length])
        module = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if module.exists():
            text = module.read_text(encoding="utf-8")
            return all(re.search(rf"\b{name}\b", text) for name in steps[length:])
    return False


def test_every_module_that_the_prose_names_exists() -> None:
    named = [(name, each) for name, text in sources() for each in MODULE.findall(prose(name, text))]

    assert [each for each in named if not defines(each[1])] == []
    assert len(named) > 50


def test_every_name_in_the_glossary_is_in_the_module_that_it_gives() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    given = [
        f"billing.{module.removesuffix('.py').replace('/', '.')}.{name}"
        for names, module in DEFINED.findall(glossary)
        for name in re.findall(r"`([\w.]+)`", names)
    ]
    files = re.findall(r"`(\w+(?:/\w+)*\.py)`", glossary)
    families = re.findall(r"`([A-Z]+#?)`", glossary)
    keys = (PACKAGE / "platform" / "dynamodb" / "keys.py").read_text(encoding="utf-8")

    assert [each for each in given if not defines(each)] == []
    assert [each for each in files if not (PACKAGE / each).exists()] == []
    assert [
        each for each in families if f'"{each}' not in keys and not re.search(rf"^{each} =", keys, re.MULTILINE)
    ] == []
    assert len(given) > 40


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_every_link_has_a_target(path: Path) -> None:
    broken = []
    for link in LINK.findall(CODE.sub("", path.read_text(encoding="utf-8"))):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.exists() or (parts.fragment and parts.fragment not in anchors(target)):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("path", RECORDS, ids=relative)
def test_a_decision_record_has_the_sections_of_the_form(path: Path) -> None:
    title, _, date, status, *_ = lines = path.read_text(encoding="utf-8").splitlines()
    sections = [line.removeprefix("## ") for line in lines if line.startswith("## ")]

    assert title.startswith(f"# {path.name[:4]}: ")
    assert re.fullmatch(r"- \*\*Date:\*\* \d{4}-\d\d-\d\d", date)
    assert STATUS.fullmatch(status)
    assert sections == [each for each in SECTIONS if each in sections]
    assert {*sections} >= ALWAYS


def test_the_index_lists_every_decision_record_in_order() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    titles = [path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ").split(": ", 1) for path in RECORDS]

    assert re.findall(r"^\| \[(\d{4})\]\((\S+)\) \| (.+?) \|", index, re.MULTILINE) == [
        (number, path.name, title) for (number, title), path in zip(titles, RECORDS, strict=True)
    ]
    assert [number for number, _ in titles] == [f"{number:04}" for number in range(1, len(RECORDS) + 1)]


def test_every_route_is_documented() -> None:
    documented = {*ROUTE.findall((ROOT / "docs" / "api.md").read_text(encoding="utf-8"))}
    routes = {(method.upper(), path) for path, methods in document()["paths"].items() for method in methods}

    assert documented == routes | PUBLIC


@pytest.mark.parametrize("path", [ROOT / "README.md", *ROOT.glob("docs/*.md")], ids=relative)
def test_every_documented_command_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

    assert {*re.findall(r"(?:^    |`)make ([a-z-]+)", text, re.MULTILINE)} <= {*targets}
    for script in re.findall(r"-m scripts\.(\w+)", text):
        assert any((ROOT / "scripts" / each).exists() for each in (f"{script}.py", f"{script}/__main__.py")), script


def test_the_example_of_reporting_usage_works_as_printed(company: Company, tmp_path: Path) -> None:
    """A shell runs the example with a curl of ours, which prints its arguments. The function answers that request."""
    from functions.record_usage.app import handler

    example = EXAMPLE.search((ROOT / "docs" / "api.md").read_text(encoding="utf-8"))
    assert example is not None
    (tmp_path / "curl").write_text('#!/bin/sh\nprintf "%s\\0" "$@"\n', encoding="utf-8")
    (tmp_path / "curl").chmod(0o700)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ran = subprocess.run(["sh", "-euc", example[1]], env=environment, check=True, capture_output=True, text=True)
    _, address, *options = ran.stdout.removesuffix("\0").split("\0")
    arguments = dict(zip(options[::2], options[1::2], strict=True))  # of two -H, the second is the content type
    [event] = json.loads(arguments["-d"])
    route = urlsplit(address).path.removeprefix("/v1")

    counted = answer(
        handler,
        request(
            "POST",
            route,
            claims=MACHINE,
            body=arguments["-d"],
            headers=dict([arguments["-H"].split(": ")]),
            now=datetime.fromisoformat(event["time"]) + timedelta(seconds=1),
        ),
    )

    assert ("POST", route) in {(method.upper(), path) for path, item in document()["paths"].items() for method in item}
    assert event["subject"].split("/")[0] == company.account
    assert counted.status == 200, counted
    assert [each["outcome"] for each in counted.body["results"]] == ["accepted"]
