"""The public workflows have minimal permissions, and run the checks that people run."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml

from local.settings import RUNTIME_MINORS
from tests.template import ROOT, template

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
CHECK = ROOT / ".github" / "workflows" / "check.yml"


def read_yaml(name: str) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return parsed


workflows = pytest.mark.parametrize("workflow", [path.relative_to(ROOT).as_posix() for path in WORKFLOWS])


def test_the_check_is_a_workflow() -> None:
    assert CHECK in WORKFLOWS


@workflows
def test_each_action_is_pinned_to_a_commit_with_its_version_beside_it(workflow: str) -> None:
    """A tag can move to other code, a commit cannot."""
    lines = [line for line in (ROOT / workflow).read_text(encoding="utf-8").splitlines() if "uses:" in line]

    assert lines
    for line in lines:
        assert re.fullmatch(r" *(- )?uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


@workflows
def test_a_workflow_may_only_read_the_code(workflow: str) -> None:
    parsed = read_yaml(workflow)

    assert parsed["permissions"] == {}
    assert all(job["permissions"] == {"contents": "read"} for job in parsed["jobs"].values())


@workflows
def test_a_workflow_uses_no_secrets_credentials_or_caches(workflow: str) -> None:
    text = (ROOT / workflow).read_text(encoding="utf-8")
    steps = [step for job in read_yaml(workflow)["jobs"].values() for step in job["steps"]]

    assert "secrets." not in text
    # This trigger runs a fork's code with the rights of this repository.
    assert "pull_request_target" not in text
    assert not any("cache" in step.get("uses", "") or "cache" in step.get("with", {}) for step in steps)
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@workflows
def test_a_run_has_a_time_limit_and_replaces_older_runs(workflow: str) -> None:
    assert "concurrency" in read_yaml(workflow)
    assert all(job["timeout-minutes"] <= 60 for job in read_yaml(workflow)["jobs"].values())


def test_the_check_runs_the_same_script_as_people() -> None:
    [job] = read_yaml(".github/workflows/check.yml")["jobs"].values()

    assert [step["run"] for step in job["steps"] if "run" in step] == ["bash .ci/run"]


def test_the_check_runs_on_each_runtime_of_the_functions_and_on_the_oldest_python_of_a_laptop() -> None:
    """Python 3.11 is too old for the functions; a machine that develops and runs the stack may have it."""
    [job] = read_yaml(".github/workflows/check.yml")["jobs"].values()
    allowed = template()["Parameters"]["Runtime"]["AllowedValues"]
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    machine = f"python{oldest.removeprefix('>=')}"

    checked = [f"python{version}" for version in job["strategy"]["matrix"]["python"]]
    assert checked == sorted({machine, *allowed})
    assert allowed == [f"python3.{minor}" for minor in RUNTIME_MINORS]


def test_the_pre_commit_hook_is_make_check() -> None:
    [repository] = read_yaml(".pre-commit-config.yaml")["repos"]
    [hook] = repository["hooks"]

    assert (repository["repo"], hook["entry"], hook["pass_filenames"]) == ("local", "make check", False)
