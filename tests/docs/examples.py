"""Reads the examples of README.md and docs/*.md: the indented and fenced blocks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.template import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("aws", "curl", "git", "make", "sam", "uv")
PYTHON = ".venv/bin/python"
SHELL_LANGUAGES = {"bash", "console", "sh", "shell"}

RECORDER = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["RECORD"], "a", encoding="utf-8") as record:
    record.write(json.dumps([os.path.relpath(sys.argv[0], os.environ["PROGRAMS"]), *sys.argv[1:]]) + "\\n")
"""
"""A program that records its own call as a line of JSON."""


@dataclass(frozen=True)
class Example:
    """A code block of a document, with its first line and its language, if the fence names one."""

    document: str
    line: int
    language: str
    text: str

    @property
    def id(self) -> str:
        return f"{self.document}:{self.line}"

    @property
    def is_shell(self) -> bool:
        """Whether a reader may paste it into a shell."""
        if self.language:
            return self.language in SHELL_LANGUAGES
        return self.text.split(maxsplit=1)[0] in {*PROGRAMS, PYTHON, "./.ci/run", ".ci/run", "cd", "export"}

    @property
    def is_json(self) -> bool:
        return self.language == "json" or (not self.language and self.text.lstrip().startswith(("{", "[")))


def examples() -> list[Example]:
    """The examples of all documents."""
    return [example for document in DOCUMENTS for example in examples_of(document)]


def examples_of(document: Path, root: Path = ROOT) -> Iterator[Example]:
    """The fenced blocks, and blocks indented by four spaces after an empty line and outside a list."""
    name = str(document.relative_to(root))
    lines = [*document.read_text(encoding="utf-8").splitlines(), ""]
    number, in_list, after_blank = 0, False, True
    while number < len(lines):
        line = lines[number]
        if fence := re.match(r"\s*(`{3,}|~{3,})\s*(\w*)", line):
            first = number + 1
            number = next(n for n in range(first, len(lines)) if lines[n].strip().startswith(fence[1]))
            yield Example(name, first + 1, fence[2].lower(), "\n".join(lines[first:number]))
        elif line.startswith("    ") and after_blank and not in_list:
            first = number
            while number + 1 < len(lines) and (lines[number + 1].startswith("    ") or _goes_on(lines, number + 1)):
                number += 1
            yield Example(name, first + 1, "", "\n".join(each[4:] for each in lines[first : number + 1]))
        elif line.strip():
            in_list = bool(re.match(r"\s*([-*+]|\d+[.)])\s", line)) or (in_list and line.startswith(" "))
        after_blank = not line.strip()
        number += 1


def _goes_on(lines: list[str], number: int) -> bool:
    """Whether an empty line is within an indented block."""
    return not lines[number] and number + 1 < len(lines) and lines[number + 1].startswith("    ")


def calls(example: Example, folder: Path, environment: Mapping[str, str]) -> list[list[str]]:
    """Returns the calls that a shell makes for an example: each is the program and its arguments. No program runs.

    A placeholder such as <id> gets a value, and an optional part such as [--max 10] is included.
    """
    record, programs = folder / "calls", folder / "programs"
    for name in (*PROGRAMS, PYTHON):
        program = programs / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(RECORDER, encoding="utf-8")
        program.chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    finished = subprocess.run(
        ["sh", "-e", "-u", "-c", filled_in(example.text)],
        cwd=programs,
        env={**environment, "PATH": path, "PROGRAMS": str(programs), "RECORD": str(record)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]


def filled_in(text: str) -> str:
    """The text with values for placeholders, with optional parts, and without prompts."""
    text = re.sub(r"<[A-Za-z][\w ]*>", "filled-in", text)
    while (shorter := re.sub(r"\[(-[^\[\]]*)\]", r"\1", text)) != text:
        text = shorter
    return re.sub(r"^\$ ", "", text, flags=re.MULTILINE)
