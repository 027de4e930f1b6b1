"""What smoke prints and writes is safe to paste into an issue, and its remedies are for AWS's own words."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ConnectTimeoutError, ProfileNotFound

from scripts.smoke.redaction import redacted
from scripts.smoke.refusals import REFUSALS, UNKNOWN, Refused, explained, remedy_for
from scripts.smoke.runner import Result, document, run
from scripts.smoke.world import Step, World, new_password, problem_of, totp
from tests.scripts.smoke.worlds import answered, refusal, world

TOKEN = "eyJraWQiOiJ4In0.eyJzdWIiOiJ5In0.c2lnbmF0dXJl"
SECRETS = {
    "sk_test_51AbcDEF": "key sk_test_51AbcDEF is wrong",
    "rk_live_9Zz": "rk_live_9Zz",
    "whsec_abc+/=": "secret whsec_abc+/=",
    "seti_1_secret_2": "client secret seti_1_secret_2",
    TOKEN: f"Authorization: Bearer {TOKEN}",
    "AKIAIOSFODNN7EXAMPLE": "AKIAIOSFODNN7EXAMPLE",
    "fe5f80f77d5fa3": "https://b.s3.amazonaws.com/k?X-Amz-Signature=fe5f80f77d5fa3&X-Amz-Date=1",
    "hunter2": '{"Password": "hunter2"}',
    "JBSWY3DPEHPK3PXP": "SecretCode: JBSWY3DPEHPK3PXP",
    "ada@vendor.example": "no user ada@vendor.example",
    "ada.holm": "User: arn:aws:iam::123456789012:user/ada.holm is not authorized",
    "123456789012": "arn:aws:iam::123456789012:role/x",
}


@pytest.mark.parametrize(("secret", "text"), SECRETS.items())
def test_no_secret_and_no_person_is_in_a_line_or_in_the_file(secret: str, text: str) -> None:
    def leaks(_: World) -> str:
        raise Refused(text, text)

    told: list[str] = []
    made = world()

    results = run([Step(3, "people", changes=True, checks=(lambda _: text, leaks))], made, told.append)

    assert secret not in "\n".join(told)
    assert secret not in json.dumps(document(results, made, "commit"))


def test_what_an_issue_needs_is_left() -> None:
    text = "GET /accounts/{account}/billing gave 502 [2bb3df28-b847-447c-8425-35c0e818125c], LV-2026-000001"

    assert redacted(text) == text


def test_a_line_has_number_name_status_time_and_request() -> None:
    result = Result(4, "money", "2026-11-28T09:00:00+00:00", "ok", 12.34, "request-1", ["charged once"], ["no keys"])

    assert result.line() == "4 money   ok          12.3 s  charged once; not here: no keys  [request-1]"


def test_the_body_of_an_answer_is_never_told_unless_it_is_a_problem_document() -> None:
    assert problem_of(answered(500, b"<html>ada</html>")) == "no problem document"
    assert problem_of(answered(200, {"name": "Ada"})) == "no problem document"
    problem = {"title": "Invalid", "detail": "Mend it.", "errors": [{"code": "too-long", "detail": "Ada"}]}
    assert problem_of(answered(422, problem)) == "Invalid: Mend it. too-long"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        # https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html
        (
            "MessageRejected: Email address is not verified. The following identities failed the check in region X: y",
            "DkimRecords",
        ),
        ("AccountSendingPausedException: Email sending is disabled", "Support Center"),
        # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
        (
            "Specified concurrency decreases account's UnreservedConcurrentExecution below its minimum value of [10].",
            "L-B99A9384",
        ),
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html
        ("LimitExceededException: The quota for the resource has already been reached.", "Service Quotas"),
        ("Requires capabilities : [CAPABILITY_IAM]", "CAPABILITY_IAM"),
        ("livello-dev already exists in stack arn:aws:cloudformation:x", "--stage"),
        ("Stack:arn is in ROLLBACK_COMPLETE state and can not be updated.", "--remove"),
        ("Stack:arn is in UPDATE_ROLLBACK_FAILED state", "continue-update-rollback"),
        ("AccessDenied: User is not authorized to perform: iam:CreateRole", "administrator"),
        ("ThrottlingException: Rate exceeded", "Wait a minute"),
        ("OptInRequired: You are not subscribed to this service", "not activated"),
        ("ExpiredToken: The security token included in the request is expired", "Log in again"),
        ("SomethingNew: of AWS", "issue"),
    ],
)
def test_the_words_of_aws_have_their_remedy(said: str, words: str) -> None:
    assert words in remedy_for(said)
    assert words in explained(refusal(said.partition(":")[0], said)).remedy


def test_every_remedy_has_a_source_of_aws() -> None:
    assert all(each.source.startswith("https://docs.aws.amazon.com/") for each in REFUSALS)
    assert UNKNOWN not in {each.remedy for each in REFUSALS}


def test_a_network_and_a_profile_have_their_own_remedies() -> None:
    assert "--profile" in explained(ProfileNotFound(profile="me")).remedy
    assert "network" in explained(ConnectTimeoutError(endpoint_url="https://x")).remedy
    assert "network" in explained(ConnectionRefusedError(111, "refused")).remedy
    assert "fault" in explained(KeyError("subscription")).remedy


def test_the_codes_of_an_authenticator_app_are_those_of_rfc_6238() -> None:
    """Appendix B, the last six of its eight digits."""
    secret = base64.b32encode(b"12345678901234567890").decode()

    for seconds, code in ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")):
        assert totp(secret, datetime.fromtimestamp(seconds, UTC)) == code


def test_a_password_is_what_the_pool_takes_and_new_each_time() -> None:
    one, other = new_password(), new_password()

    assert one != other
    assert len(one) >= 12
    assert any(each.isupper() for each in one)
    assert any(each.islower() for each in one)
    assert any(each.isdigit() for each in one)
