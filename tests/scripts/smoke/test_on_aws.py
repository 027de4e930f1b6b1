"""What smoke does on AWS alone, when all goes well. Every call is checked against AWS's own model (worlds.py)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from local.api_client import Answer
from scripts.smoke import deployment, faults, mail, people
from scripts.smoke.world import World, totp
from tests.scripts.smoke.test_steps import COGNITO, queues, stacks
from tests.scripts.smoke.worlds import NOW, FakeStripe, Tools, answered, world

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


def one_after_the_other(*answers: Any) -> Callable[[Any], Any]:
    """An answer for each call; the last one stays."""
    given: Iterator[Any] = iter(answers)
    last: list[Any] = []

    def answer(_: Any) -> Any:
        last[:] = [next(given, *last)]
        if isinstance(last[0], Exception):
            raise last[0]
        return last[0]

    return answer


def with_answers(made: World, *answers: Answer) -> list[str]:
    """The answers of HTTP in order. Returns the list of what is asked."""
    asked: list[str] = []
    given = iter(answers)

    def http(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        asked.append(f"{method} {url.partition('/v1')[2]}")
        return next(given)

    made.http = http
    return asked


def test_a_change_set_is_counted_and_deleted() -> None:
    seen: list[str] = []
    change_set = {
        "ChangeSetId": "arn:aws:cloudformation:x:changeSet/y/1",
        "CreationTime": NOW,
        "Status": "CREATE_COMPLETE",
    }
    calls = {
        "cloudformation.list_change_sets": {"Summaries": [change_set]},
        "cloudformation.describe_change_set": {"Changes": [{}] * 335},
        "cloudformation.delete_change_set": {},
    }
    sam = Tools()
    made = world(calls, sam=sam, seen=seen)

    assert deployment.change_set(made) == "a change set of 335 resources"
    assert seen[-1] == "cloudformation.delete_change_set"

    assert deployment.second_stage(made) == "a second stage would be 335 resources"
    name, (stack, parameters) = sam.calls[-1]
    assert (name, stack) == ("change_set", "livello-smoke-second")
    assert (parameters["Stage"], parameters["CreateSenderIdentity"]) == ("prod", "false")


def test_a_deployment_gives_the_outputs() -> None:
    stack = stacks("CREATE_COMPLETE")
    stack["Stacks"][0]["Outputs"] = [{"OutputKey": "ApiId", "OutputValue": "new"}]
    made = world({"cloudformation.describe_stacks": stack})

    assert deployment.deploy(made).startswith("CREATE_COMPLETE")
    assert made.output("ApiId") == "new"


def test_another_origin_is_deployed_and_answered() -> None:
    sam = Tools()
    origin = {"Access_Control_Allow_Origin": deployment.OTHER_ORIGIN}
    made = world(sam=sam)
    with_answers(made, *[answered(200, None, **origin), answered(401, None, **origin)] * 2)

    assert "other.example is named" in deployment.other_origin(made)
    assert sam.calls[0][1][1]["AllowedOrigin"] == deployment.OTHER_ORIGIN
    assert made.made.origin == deployment.OTHER_ORIGIN


def test_one_stage_is_there_and_no_other_answers() -> None:
    made = world({"apigateway.get_stages": {"item": [{"stageName": "v1"}]}})
    with_answers(made, answered(403, {"message": "Forbidden"}))

    assert deployment.one_stage(made) == "v1 is the only stage"


def test_staff_have_no_rights_before_their_second_factor_and_have_them_after() -> None:
    codes: list[str] = []
    tokens = COGNITO["cognito-idp.admin_initiate_auth"]
    challenge = {"ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": "session-of-twenty-characters"}

    def responded(given: Mapping[str, Any]) -> Any:
        codes.append(given["ChallengeResponses"]["SOFTWARE_TOKEN_MFA_CODE"])
        return tokens

    calls = {
        **COGNITO,
        "cognito-idp.admin_initiate_auth": one_after_the_other(tokens, tokens, challenge),
        "cognito-idp.associate_software_token": {"SecretCode": SECRET},
        "cognito-idp.verify_software_token": lambda given: codes.append(given["UserCode"]),
        "cognito-idp.set_user_mfa_preference": {},
        "cognito-idp.admin_respond_to_auth_challenge": responded,
    }
    made = world(calls)
    waited: list[float] = []

    def wait(condition: Callable[[], bool], seconds: float) -> bool:
        waited.append(seconds)
        return condition()

    made.wait = wait
    refused = answered(403, {"type": "urn:livello:problem:second-factor-missing", "title": "Forbidden"})
    asked = with_answers(made, refused, answered(404, None))

    assert people.staff(made) == "staff log in with a second factor, and have no rights without it"
    assert asked == ["GET /catalogue", "GET /catalogue"]
    assert codes[0] == totp(SECRET, NOW)
    assert waited, "Cognito takes a code once"
    assert made.made.staff_token == tokens["AuthenticationResult"]["IdToken"]


def test_throttled_requests_get_our_body() -> None:
    made = world()
    problem = answered(429, {"status": 429, "title": "Too Many Requests"}, Retry_After="1")
    with_answers(made, *[answered(200, {})] * 50, *[problem] * people.SENT)

    assert "got our 429" in people.throttled(made)


def test_ses_reports_a_mail_and_marks_two_addresses() -> None:
    calls = {
        "cloudformation.describe_stack_resource": {"StackResourceDetail": {"PhysicalResourceId": "livello-smoke-Logs"}},
        "logs.filter_log_events": {"events": [{"message": "{}"}]},
    }
    made = world(calls)
    made.made.identity_is_verified = True
    with_answers(made, answered(200, {"name": "Ada"}, ETag='"1"'), answered(200, {}))
    assert mail.delivered(made) == "a change is mailed, and SES reports it"

    marked = [{"type": "address.undeliverable", "event": str(number)} for number in range(2)]
    with_answers(made, answered(200, {}), answered(200, {}), answered(200, {"items": marked}))
    assert mail.marked(made) == "2 undeliverable addresses marked"


def test_an_alarm_rings() -> None:
    calls = {**queues(), "cloudwatch.describe_alarms": {"MetricAlarms": [{"StateValue": "ALARM"}]}}

    assert faults.alarm(world(calls)) == "its alarm rings"


def test_a_wrong_key_is_noticed_and_the_right_one_works_again() -> None:
    put: list[str] = []
    calls = {"secretsmanager.put_secret_value": lambda given: put.append(json.loads(given["SecretString"])["api_key"])}
    made = world(calls, stripe=FakeStripe())
    with_answers(made, answered(502, {}), answered(201, {}))

    assert faults.rubbish_key(made) == "a wrong key gives 502, the right one works again"
    assert put == [faults.RUBBISH, "sk_test_x"]


def test_a_change_that_fails_is_rolled_back_with_the_data() -> None:
    calls = {
        "dynamodb.scan": {"Count": 7},
        "cloudformation.describe_stacks": stacks("UPDATE_ROLLBACK_COMPLETE"),
    }
    sam = Tools({"deploy": "UPDATE_ROLLBACK_COMPLETE"})
    made = world(calls, sam=sam)
    with_answers(made, answered(200, {}))

    assert deployment.rolls_back(made) == "a change that fails is rolled back, with 7 items in the table"
    assert sam.calls[0][1][2] == deployment.MUST_FAIL


def test_the_person_at_the_terminal_gives_the_code() -> None:
    calls = {**COGNITO, "cognito-idp.forgot_password": {}, "cognito-idp.confirm_forgot_password": {}}
    made = world(calls)
    made.plan = made.plan.__class__(mailbox="you@vendor.example", region="eu-central-1")
    made.code_for = lambda _: "123456"

    assert people.first_admin(made) == "the first admin logs in, by a mailed code"
