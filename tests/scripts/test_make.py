"""`make help` lists every target, and .ci/run reports for every test target whether it ran."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

from tests.template import ROOT


def printed(command: list[str], environment: dict[str, str] | None = None) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    run = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**own, **(environment or {})}
    )
    assert run.returncode in {0, 1}, run.stderr
    return run.stdout


def test_help_has_one_line_for_each_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [phony] = re.findall(r"^\.PHONY: (.*?[^\\])$", makefile, re.MULTILINE | re.DOTALL)
    targets = phony.replace("\\", "").split()

    lines = printed(["make", "--silent", "help"]).splitlines()

    assert [line.split()[0] for line in lines] == re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE)
    assert {line.split()[0] for line in lines} == set(targets)
    assert all(len(line.split()) > 2 for line in lines)


def test_ci_reports_which_test_targets_ran(tmp_path: Path) -> None:
    """With a fake make: it prints the help, and fails for one target."""
    fake = tmp_path / "make"
    help_lines = "\\n".join(f"  {name:16}x" for name in ("test", "test-stack", "test-template", "test-deep", "bench"))
    fake.write_text(f'#!/bin/sh\ncase "$*" in *help*) printf "{help_lines}\\n";; test-deep) exit 1;; esac\n')
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)

    report = printed([str(ROOT / ".ci" / "run"), "test", "test-deep"], {"PATH": f"{tmp_path}:{os.environ['PATH']}"})

    assert re.sub(r"\d+ s", "1 s", report).split("\n") == [
        "",
        "test            ran, 1 s",
        "test-stack      a part of test",
        "test-template   a part of test",
        "test-deep       FAILED, 1 s",
        "",
    ]
