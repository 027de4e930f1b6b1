"""The command of smoke: what it needs to be told, what it runs, and how it calls SAM and Stripe."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks import prices
from scripts.smoke import __main__ as smoke
from scripts.smoke.before import ESTIMATE, checked_regions
from scripts.smoke.deployment import MUST_FAIL, parameters
from scripts.smoke.refusals import Refused
from scripts.smoke.steps import REMOVE, STEPS
from scripts.smoke.tools import SamCli, StripeTestMode
from scripts.smoke.world import World
from tests.scripts.smoke.worlds import Tools, world
from tests.template import template


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The steps that a command runs; nothing is run."""
    steps: list[Any] = []

    def record(chosen: Any, in_world: World, tell: Any) -> list[Any]:
        steps.extend(chosen)
        return []

    monkeypatch.setattr(smoke, "run", record)
    return steps


AWS_PLACE = ["--region", "eu-central-1", "--sender", "smoke@vendor.example"]


def test_without_yes_it_only_looks(ran: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert smoke.main(AWS_PLACE) == 0
    assert ran == list(STEPS[:1])
    assert "Nothing was made" in capsys.readouterr().out


def test_with_yes_it_runs_all_steps(ran: list[Any]) -> None:
    assert smoke.main([*AWS_PLACE, "--yes"]) == 0
    assert ran == list(STEPS)


def test_a_removal_needs_yes_too(ran: list[Any]) -> None:
    assert smoke.main([*AWS_PLACE, "--remove"]) == 0
    assert ran == list(STEPS[:1])
    ran.clear()
    assert smoke.main([*AWS_PLACE, "--remove", "--yes"]) == 0
    assert ran == list(REMOVE)


def test_the_place_must_be_named() -> None:
    with pytest.raises(SystemExit):
        smoke.main([])


def test_a_bad_budget_is_refused() -> None:
    with pytest.raises(SystemExit):
        smoke.main([*AWS_PLACE, "--budget", "a lot"])


def test_a_live_key_of_stripe_is_refused_before_anything_is_asked(
    ran: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(smoke.STRIPE_KEY, "sk_live_secret")
    monkeypatch.setenv(smoke.STRIPE_PUBLISHABLE_KEY, "pk_test_x")

    assert smoke.main([*AWS_PLACE, "--yes"]) == 1
    assert ran == []
    said = capsys.readouterr().err
    assert "sk_test_" not in said or "begin with" in said
    assert "sk_live_secret" not in said


def test_a_key_is_not_in_its_holders_text() -> None:
    assert "sk_test_x" not in repr(StripeTestMode("sk_test_x", "pk_test_y"))


def test_an_unknown_profile_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert smoke.main([*AWS_PLACE, "--profile", "nobody"]) == 1
    assert capsys.readouterr().err == (
        "ProfileNotFound: The config profile (nobody) could not be found Name a profile of yours with --profile.\n"
    )


def test_the_file_holds_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke, "_world", lambda _: world())

    assert smoke.main([*AWS_PLACE, "--json", str(tmp_path / "run.json")]) == 1

    written = json.loads((tmp_path / "run.json").read_text("utf-8"))
    assert written["region"] == "eu-central-1"
    assert [each["status"] for each in written["steps"]] == ["FAILED"]


# ---- SAM ----

ECHO = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ['LAYER_PYTHON']])); sys.exit({status})"


def sam(folder: Path, status: int = 0) -> SamCli:
    (folder / "build").mkdir(exist_ok=True)
    (folder / "build" / "template.yaml").write_text(
        "Description: x\nResources:\n  Bus: {Type: AWS::Events::EventBus}\n"
    )
    return SamCli("eu-south-1", "me", folder, [sys.executable, "-c", ECHO.format(status=status)])


def arguments_of(said: str) -> list[str]:
    given: list[str] = json.loads(said)[0]
    return given


def test_sam_is_called_with_region_profile_tag_and_parameters(tmp_path: Path) -> None:
    given = arguments_of(sam(tmp_path).deploy("livello-smoke", parameters(world())))

    assert given[0] == "deploy"
    for option, value in (
        ("--region", "eu-south-1"),
        ("--profile", "me"),
        ("--tags", "livello-smoke=yes"),
        ("--stack-name", "livello-smoke"),
        ("--capabilities", "CAPABILITY_IAM"),
    ):
        assert given[given.index(option) + 1] == value
    assert 'SellerAddress="Teststrasse 1"' in given
    assert "--no-confirm-changeset" in given


def test_the_parameters_of_a_run_are_those_of_the_template() -> None:
    declared = template()["Parameters"]
    required = {name for name, each in declared.items() if "Default" not in each}

    assert required <= set(parameters(world())) <= set(declared)
    assert parameters(world())["InvoiceArchiveYears"] == "0", "nobody can delete an archive before its year is over"


def test_a_change_set_is_not_executed(tmp_path: Path) -> None:
    assert "--no-execute-changeset" in arguments_of(sam(tmp_path).change_set("x", {}))


def test_the_failing_template_has_one_more_resource(tmp_path: Path) -> None:
    given = arguments_of(sam(tmp_path).deploy("x", {}, MUST_FAIL))

    file = Path(given[given.index("--template-file") + 1])
    assert file.name == "failing.yaml"
    assert set(yaml.safe_load(file.read_text("utf-8"))["Resources"]) == {"MustFail", "Bus"}


def test_a_failing_sam_is_refused_and_its_log_has_no_secret(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"^sam delete: "):
        sam(tmp_path, 1).delete("x@vendor.example")
    assert "<address>" in (tmp_path / "delete.log").read_text("utf-8")


def test_sam_gets_no_key_of_stripe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(smoke.STRIPE_KEY, "sk_test_x")
    program = f"import os, sys; sys.exit({smoke.STRIPE_KEY!r} in os.environ)"

    SamCli("eu-south-1", None, tmp_path, [sys.executable, "-c", program]).build()


def test_a_missing_sam_says_how_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="make all"):
        SamCli("eu-south-1", None, tmp_path, [tmp_path / "none"]).build()


# ---- Figures ----


def test_the_estimate_of_a_run_is_above_its_prices() -> None:
    """An hour of the stack, and generous counts of what the steps do."""
    hour = 2 * prices.SECRET.of(1) / 720 + 60 * prices.ALARM.of(1) / 720 + prices.QUEUE_REQUEST.of(15 * 900)
    requests = prices.API_REQUEST.of(3000) + prices.WRITE_UNIT.of(20_000) + prices.LAMBDA_SECOND.of(1500)

    assert hour <= ESTIMATE["secrets, alarms and polls of an hour"] + 0
    assert requests <= ESTIMATE["requests, units, messages"]
    assert sum(ESTIMATE.values()) < 1


def test_the_regions_are_those_of_cfn_lint() -> None:
    assert {"us-east-1", "eu-south-1"} <= set(checked_regions())


def test_tools_of_tests_fail_as_told() -> None:
    with pytest.raises(Refused):
        Tools({"build": "no"}).build()
    assert os.environ.get(smoke.STRIPE_KEY) is None
