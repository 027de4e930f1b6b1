"""The public workflows can do no harm, and check what people check."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.template import ROOT, template

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
CHECK = ROOT / ".github" / "workflows" / "check.yml"


def read(name: str) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return parsed


workflows = pytest.mark.parametrize("workflow", [path.relative_to(ROOT).as_posix() for path in WORKFLOWS])


def test_there_is_a_workflow() -> None:
    assert CHECK in WORKFLOWS


@workflows
def test_each_action_is_pinned_to_a_commit_and_says_its_version(workflow: str) -> None:
    """A tag can be moved to other code, a commit cannot."""
    lines = [line for line in (ROOT / workflow).read_text(encoding="utf-8").splitlines() if "uses:" in line]

    assert lines
    for line in lines:
        assert re.fullmatch(r" *(- )?uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


@workflows
def test_a_workflow_may_only_read_the_code(workflow: str) -> None:
    parsed = read(workflow)

    assert parsed["permissions"] == {}
    assert all(job["permissions"] == {"contents": "read"} for job in parsed["jobs"].values())


@workflows
def test_a_workflow_has_no_secret_and_leaves_no_credentials_or_cache(workflow: str) -> None:
    text = (ROOT / workflow).read_text(encoding="utf-8")
    steps = [step for job in read(workflow)["jobs"].values() for step in job["steps"]]

    assert "secrets." not in text
    # It would run a fork's code with the rights of this repository.
    assert "pull_request_target" not in text
    assert not any("cache" in step.get("uses", "") or "cache" in step.get("with", {}) for step in steps)
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@workflows
def test_a_run_ends(workflow: str) -> None:
    assert "concurrency" in read(workflow)
    assert all(job["timeout-minutes"] <= 60 for job in read(workflow)["jobs"].values())


def test_the_check_runs_what_people_run() -> None:
    [job] = read(".github/workflows/check.yml")["jobs"].values()

    assert [step["run"] for step in job["steps"] if "run" in step] == ["bash .ci/run"]


def test_the_check_runs_on_each_python_of_the_functions() -> None:
    [job] = read(".github/workflows/check.yml")["jobs"].values()
    allowed = template()["Parameters"]["Runtime"]["AllowedValues"]

    assert [f"python{version}" for version in job["strategy"]["matrix"]["python"]] == allowed


def test_the_hook_before_a_commit_is_make_check() -> None:
    [repository] = read(".pre-commit-config.yaml")["repos"]
    [hook] = repository["hooks"]

    assert (repository["repo"], hook["entry"], hook["pass_filenames"]) == ("local", "make check", False)
