"""docs/deploy.md: its commands for staff work word by word, its figures are those of the template and the prices."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore import xform_name
from moto import mock_aws

from benchmarks.aws_limits import PAGE, written
from benchmarks.costs import DAYS, idle, runs_a_month, tables, total
from benchmarks.held import concurrency, largest
from benchmarks.prices import Price
from scripts.smoke.before import WORKERS
from scripts.smoke.removal import STACK_COSTS
from tests.template import ROOT
from tests.transformed import resolved

EMAIL, PASSWORD = "you@company.example", "A-password-of-staff-1"
PLACEHOLDER = re.compile(r"<(\w+)>")
REGION = "eu-central-1"


@pytest.fixture
def cognito() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("cognito-idp", REGION, aws_access_key_id="test", aws_secret_access_key="test")


@pytest.fixture
def known(cognito: Any) -> dict[str, str]:
    """The values of the page's placeholders: a pool and a client with the flows that the template has in the cloud."""
    pool = cognito.create_user_pool(
        PoolName="people", UsernameAttributes=["email"], AutoVerifiedAttributes=["email"], MfaConfiguration="OFF"
    )["UserPool"]["Id"]
    cognito.set_user_pool_mfa_config(
        UserPoolId=pool, SoftwareTokenMfaConfiguration={"Enabled": True}, MfaConfiguration="OPTIONAL"
    )
    flows = resolved({})["BillingPageClient"]["Properties"]["ExplicitAuthFlows"]
    client = cognito.create_user_pool_client(UserPoolId=pool, ClientName="page", ExplicitAuthFlows=flows)
    cognito.create_group(UserPoolId=pool, GroupName="staff")
    return {
        "UserPoolId": pool,
        "BillingPageClientId": client["UserPoolClient"]["ClientId"],
        "code": "123456",
        "password": PASSWORD,
    }


def commands() -> list[list[str]]:
    """The page's commands of Cognito, in order."""
    text = PAGE.read_text("utf-8").replace("\\\n", " ")
    return [shlex.split(line)[2:] for line in text.splitlines() if line.startswith("    aws cognito-idp ")]


def run(cognito: Any, command: list[str], known: dict[str, str]) -> Any:
    """Runs a command with the library under the AWS CLI, and remembers what the next ones need of its answer."""
    operation, *rest = command
    model = cognito.meta.service_model
    [name] = [each for each in model.operation_names if xform_name(each, "-") == operation]
    members = model.operation_model(name).input_shape.members
    by_option = {xform_name(each, "-"): each for each in members}
    given: dict[str, Any] = {}
    option = ""
    for word in rest:
        value = PLACEHOLDER.sub(lambda found: known[found[1]], word)
        if word.startswith("--"):
            option = by_option[word[2:]]
            given[option] = True
        else:
            _add(given, option, value, members[option])
    answer = getattr(cognito, xform_name(name))(**given)
    known.update({key: value for key, value in answer.items() if isinstance(value, str)})
    known.update(answer.get("AuthenticationResult") or {})
    return answer


def _add(given: dict[str, Any], option: str, value: str, shape: Any) -> None:
    """A value of an option in the CLI's shorthand."""
    if shape.type_name == "list":
        pairs = dict(each.split("=", 1) for each in value.split(","))
        given[option] = [*(given[option] if isinstance(given[option], list) else []), pairs]
    elif shape.type_name in {"map", "structure"}:
        pairs = dict(each.split("=", 1) for each in value.split(","))
        given[option] = {key: {"true": True, "false": False}.get(each, each) for key, each in pairs.items()}
    else:
        given[option] = value


STAFF = [
    "admin-create-user",
    "admin-set-user-password",
    "admin-initiate-auth",
    "admin-respond-to-auth-challenge",  # with a temporary password
    "associate-software-token",
    "verify-software-token",
    "set-user-mfa-preference",
    "admin-add-user-to-group",
    "admin-initiate-auth",
    "admin-respond-to-auth-challenge",
    "admin-remove-user-from-group",
    "admin-set-user-mfa-preference",
    "admin-user-global-sign-out",
]


def test_the_first_member_of_staff_logs_in_by_the_documented_commands(cognito: Any, known: dict[str, str]) -> None:
    page = commands()
    assert [each[0] for each in page if each[0] != "delete-user-pool"] == STAFF

    answers = [run(cognito, each, known) for each in page[:3] + page[4:10]]

    assert "AccessToken" in answers[2]["AuthenticationResult"], "the password is no temporary one"
    assert answers[-2]["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    assert answers[-1]["AuthenticationResult"]["IdToken"]
    groups = cognito.admin_list_groups_for_user(UserPoolId=known["UserPoolId"], Username=EMAIL)["Groups"]
    assert [each["GroupName"] for each in groups] == ["staff"]


def test_a_temporary_password_is_answered_by_the_documented_command(cognito: Any, known: dict[str, str]) -> None:
    page = commands()
    run(cognito, [*page[0], "--temporary-password", "Temporary-1-of-Cognito"], known)
    asked = run(cognito, page[2], {**known, "password": "Temporary-1-of-Cognito"})
    assert asked["ChallengeName"] == "NEW_PASSWORD_REQUIRED"

    answer = run(cognito, page[3], {**known, "Session": asked["Session"]})

    assert answer["AuthenticationResult"]["IdToken"]
    assert run(cognito, page[2], known)["AuthenticationResult"]["IdToken"]


def test_who_lost_a_phone_logs_in_without_a_factor_again(cognito: Any, known: dict[str, str]) -> None:
    page = commands()
    for each in page[:3] + page[4:8] + page[10:13]:
        run(cognito, each, known)

    assert run(cognito, page[2], known)["AuthenticationResult"]["IdToken"]
    assert cognito.admin_list_groups_for_user(UserPoolId=known["UserPoolId"], Username=EMAIL)["Groups"] == []


def test_the_page_names_the_flows_of_the_template() -> None:
    flows = resolved({})["BillingPageClient"]["Properties"]["ExplicitAuthFlows"]

    assert {f"`{each.removeprefix('ALLOW_')}`" for each in flows} <= set(
        re.findall(r"`[A-Z_]+`", PAGE.read_text("utf-8"))
    )


def test_the_tables_are_those_of_the_template_and_the_prices() -> None:
    page = PAGE.read_text("utf-8")

    assert page == written(page, tables()), "make aws-limits writes them"


def test_the_concurrency_of_the_workers_is_that_of_the_template() -> None:
    most, least = concurrency(largest())
    page = " ".join(PAGE.read_text("utf-8").split())

    assert f"take {most} concurrent executions at most with the defaults, {least} at least" in page
    assert most == WORKERS


def test_the_readme_has_the_price_of_an_idle_month() -> None:
    [dollars] = re.findall(r"about \$(\d+) a month at idle", (ROOT / "README.md").read_text("utf-8"))

    assert int(dollars) == round(total(idle()))
    assert f"about {round(total(idle()) / DAYS, 1) * 100:.0f} US cents a day" in STACK_COSTS


def test_a_page_without_the_place_of_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="0 places for the table idle"):
        written("# Deploy it\n", {"idle": "| a |"})


def test_a_table_is_written_over_the_former_one() -> None:
    page = "words\n\n<!-- computed: x -->\n| old |\n| --- |\n\nmore\n"

    once = written(page, {"x": "| new |"})

    assert once == "words\n\n<!-- computed: x -->\n| new |\n\nmore\n"
    assert written(once, {"x": "| new |"}) == once


@pytest.mark.parametrize(
    ("expression", "runs"),
    [
        ("cron(5 * * * ? *)", 720),
        ("cron(0/15 * * * ? *)", 2880),
        ("cron(20 3 * * ? *)", 30),
        ("cron(0 6,18 * * ? *)", 60),
    ],
)
def test_the_runs_of_a_schedule_are_counted(expression: str, runs: int) -> None:
    assert runs_a_month(expression) == runs


def test_a_schedule_of_another_form_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="MON"):
        runs_a_month("cron(0 6 ? * MON *)")


def test_a_price_is_for_its_units() -> None:
    assert str(Price("0.40", 1_000_000, "requests", "").of(2_500_000)) == "1.00"
