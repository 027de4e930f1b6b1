"""Each step of smoke can fail, and its line says what was answered and what to do. The words of AWS are its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError

from scripts.smoke import before, deployment, end, faults, files, mail, money, people, removal
from scripts.smoke.refusals import CONCURRENCY_QUOTA
from scripts.smoke.runner import FAILED, OK, Result, run
from scripts.smoke.steps import STEPS
from scripts.smoke.world import Check, Step, World
from tests.scripts.smoke.worlds import LOCAL, NO_STACK, NOW, FakeStripe, Tools, answered, refusal, stubbed, world

STACK = {"StackName": "livello-smoke", "CreationTime": NOW, "StackId": "arn:aws:cloudformation:x:stack/livello-smoke/1"}
OURS = [{"Key": "livello-smoke", "Value": "yes"}]


def stacks(status: str, tags: list[dict[str, str]] | None = None) -> dict[str, Any]:
    return {"Stacks": [{**STACK, "StackStatus": status, "Tags": OURS if tags is None else tags}]}


def with_client(service: str, client: Any) -> World:
    """A world with a real client of one service."""
    made = world()
    other = made.aws
    made.aws = lambda asked: client if asked == service else other(asked)
    return made


def event(name: str, kind: str, status: str, reason: str, seconds: int = 0) -> dict[str, Any]:
    return {
        "StackId": STACK["StackId"],
        "EventId": name,
        "StackName": "livello-smoke",
        "LogicalResourceId": name,
        "ResourceType": kind,
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
        "Timestamp": NOW + timedelta(seconds=seconds),
    }


def tried(check: Check, in_world: World, number: int = 1) -> Result:
    """The result of one check as a step, without what the run says of what is left."""
    told: list[str] = []
    [result] = run((Step(number, "step", changes=True, checks=(check,)),), in_world, told.append)
    assert told[0] == result.line()
    assert "\n" not in result.line()
    return result


def failed(check: Check, in_world: World, said: str, remedy: str) -> None:
    """The check fails with these words in its line."""
    in_world.made.removed = True  # the stack's state is not asked for once more
    result = tried(check, in_world)
    assert result.status == FAILED, result.line()
    assert said in result.line(), result.line()
    assert remedy in result.line(), result.line()


# ---- 0 before ----


def test_before_fails_without_credentials() -> None:
    failed(
        before.caller,
        world({"sts.get_caller_identity": NoCredentialsError()}),
        "Unable to locate credentials",
        "--profile",
    )


@pytest.mark.parametrize(
    ("code", "message"),
    [
        # https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
        ("ExpiredToken", "The security token included in the request is expired"),
        ("InvalidClientTokenId", "The security token included in the request is invalid."),
    ],
)
def test_before_fails_with_credentials_that_aws_refuses(code: str, message: str) -> None:
    made = with_client("sts", stubbed("sts", ("get_caller_identity", (code, message))))

    failed(before.caller, made, f"GetCallerIdentity: {code}: {message}", "Log in again")


def test_before_refuses_the_root_user_and_names_nobody() -> None:
    who = {"Arn": "arn:aws:iam::123456789012:root", "Account": "123456789012", "UserId": "x"}
    failed(before.caller, world({"sts.get_caller_identity": who}), "root user", "Use a role")

    who["Arn"] = "arn:aws:iam::123456789012:user/ada.holm"
    assert tried(before.caller, world({"sts.get_caller_identity": who})).found == ["a user of account …9012"]


def test_before_refuses_a_region_that_is_not_checked() -> None:
    made = world()
    made.plan = made.plan.__class__(region="eu-south-2", sender="a@b.example")

    failed(before.region, made, "eu-south-2 is not checked", "eu-south-1")


def test_before_warns_of_the_quota_of_a_new_account() -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: new accounts have reduced quotas."""
    limits = {"AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}}
    client = stubbed("lambda", ("get_account_settings", limits))
    made = with_client("lambda", client)

    result = tried(before.concurrency, made)

    assert result.status == OK
    assert "WARNING: 10 concurrent executions, the workers alone may take 57" in result.line()
    assert CONCURRENCY_QUOTA in result.line()


SES = {
    "DedicatedIpAutoWarmupEnabled": False,
    "SendQuota": {"Max24HourSend": 200.0, "MaxSendRate": 1.0, "SentLast24Hours": 0.0},
}


def ses_world(account: Mapping[str, Any]) -> World:
    client = stubbed("sesv2", ("get_account", {**SES, **account}))
    return with_client("sesv2", client)


def test_before_warns_of_the_sandbox_of_ses() -> None:
    """https://docs.aws.amazon.com/ses/latest/dg/request-production-access.html: 200 mails a day."""
    sandbox = {"SendingEnabled": True, "EnforcementStatus": "HEALTHY", "ProductionAccessEnabled": False}

    line = tried(before.mail_account, ses_world(sandbox)).line()

    assert "WARNING: SES is in its sandbox, 200 mails a day" in line


def test_before_fails_if_ses_has_paused_the_account() -> None:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html: EnforcementStatus SHUTDOWN."""
    paused = {"SendingEnabled": False, "EnforcementStatus": "SHUTDOWN", "ProductionAccessEnabled": True}

    failed(before.mail_account, ses_world(paused), "SES does not send for this account: SHUTDOWN", "Support Center")


def test_before_fails_without_a_sender() -> None:
    made = world()
    made.plan = made.plan.__class__(region="eu-central-1")

    failed(before.identity, made, "There is no sender", "--sender")


def test_a_known_identity_is_not_made_again() -> None:
    made = world({"sesv2.get_email_identity": {"VerifiedForSendingStatus": True}})

    assert before.identity(made) == "the sender's domain is verified"
    assert deployment.parameters(made)["CreateSenderIdentity"] == "false"


def test_before_fails_if_somebody_elses_stack_has_the_name() -> None:
    made = world({"cloudformation.describe_stacks": stacks("UPDATE_COMPLETE", [])})

    failed(before.names_free, made, "smoke has not made it", "--stack")


def test_before_fails_after_a_run_that_left_its_stack() -> None:
    made = world({"cloudformation.describe_stacks": stacks("ROLLBACK_COMPLETE")})

    failed(before.names_free, made, "A former run has left the stack livello-smoke: ROLLBACK_COMPLETE", "--remove")


def test_before_fails_if_another_stack_has_the_stage() -> None:
    calls = {
        "events.describe_event_bus": {"Name": "livello-dev"},
        "sesv2.get_configuration_set": refusal("NotFoundException", "Configuration set <livello-dev> does not exist."),
        "sts.get_caller_identity": {"Account": "123456789012"},
        "cognito-idp.describe_user_pool_domain": {"DomainDescription": {}},
    }

    failed(before.names_free, world(calls), "the event bus livello-dev is there already", "--stage")


def test_before_fails_above_the_budget() -> None:
    made = world()
    made.plan = made.plan.__class__(region="eu-central-1", budget="0.01")

    failed(before.budget, made, "A run costs about $0.09", "--budget")


def test_before_changes_nothing() -> None:
    """Every call of the step is one that AWS's own names mark as reading."""
    seen: list[str] = []
    calls = {
        "sts.get_caller_identity": {"Arn": "arn:aws:iam::123456789012:user/x", "Account": "123456789012"},
        "lambda.get_account_settings": {"AccountLimit": {"ConcurrentExecutions": 1000}},
        "sesv2.get_account": {**SES, "SendingEnabled": True, "ProductionAccessEnabled": True},
        "sesv2.get_email_identity": {"VerifiedForSendingStatus": True},
        "sesv2.get_configuration_set": refusal("NotFoundException", "none"),
        "events.describe_event_bus": refusal("ResourceNotFoundException", "none"),
        "cognito-idp.describe_user_pool_domain": {"DomainDescription": {}},
    }
    made = world(calls, seen=seen, stripe=FakeStripe())

    [result] = run(STEPS[:1], made, lambda _: None)

    assert result.status == OK, result.line()
    assert not STEPS[0].changes
    assert all(each.partition(".")[2].startswith(("get_", "describe_", "list_")) for each in seen), seen


# ---- 1 deploy ----


def test_deploy_fails_with_the_reason_of_the_change_set() -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ChangeSetSummary.html"""
    reason = "Requires capabilities : [CAPABILITY_IAM]"
    summary = {"ChangeSetName": "samcli-deploy1", "Status": "FAILED", "StatusReason": reason}
    client = stubbed("cloudformation", ("list_change_sets", {"Summaries": [summary]}))
    made = world(sam=Tools({"change_set": "sam deploy: Error: Failed to create changeset"}))
    made.aws = lambda _: client

    result = tried(deployment.change_set, made)

    assert result.status == FAILED
    assert f"The change set failed: {reason} -> Deploy with --capabilities CAPABILITY_IAM" in result.line()


def test_deploy_fails_with_the_first_failed_event_of_a_roll_back() -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html: the newest is first, and
    later failures say only that they were cancelled."""
    cancelled = "Resource creation cancelled"
    alarm = "You have reached the maximum number of alarms. LimitExceeded"
    events = [
        event("livello-smoke", "AWS::CloudFormation::Stack", "ROLLBACK_COMPLETE", "", 9),
        event("Notify", "AWS::Lambda::Function", "CREATE_FAILED", cancelled, 5),
        event("MailIsLate", "AWS::CloudWatch::Alarm", "CREATE_FAILED", alarm, 4),
        event("Table", "AWS::DynamoDB::Table", "CREATE_COMPLETE", "", 1),
        event("Old", "AWS::SNS::Topic", "CREATE_FAILED", "of a run before", -3600),
    ]
    calls = {
        "cloudformation.describe_stacks": stacks("ROLLBACK_COMPLETE"),
        "cloudformation.describe_stack_events": {"StackEvents": events},
    }
    made = world(calls, sam=Tools({"deploy": "sam deploy: Waiter StackCreateComplete failed"}))

    result = tried(deployment.deploy, made)

    assert result.status == FAILED
    assert f"the stack is ROLLBACK_COMPLETE: MailIsLate (AWS::CloudWatch::Alarm): {alarm} -> A quota" in result.line()
    assert cancelled not in result.line()
    assert "of a run before" not in result.line()


def test_stripes_keys_go_into_two_secrets_and_never_into_a_line() -> None:
    put: list[Mapping[str, Any]] = []
    made = world({"secretsmanager.put_secret_value": put.append}, stripe=FakeStripe())

    said = deployment.keys(made)

    assert [(each["SecretId"][-4:], json.loads(each["SecretString"])) for each in put] == [
        (":api", dict(FakeStripe.keys)),
        ("hook", {"webhook_secret": "whsec_new"}),
    ]
    assert "sk_" not in said + repr(made.made)
    assert made.made.webhook


# ---- 2 origin ----


def cors(origin: str, preflight: int = 200) -> dict[tuple[str, str], Any]:
    return {
        ("OPTIONS", "/accounts"): answered(preflight, None, Access_Control_Allow_Origin=origin),
        ("GET", "/accounts"): answered(401, {"title": "Unauthorized"}, Access_Control_Allow_Origin=origin),
    }


def test_origin_fails_if_the_api_was_not_deployed_again() -> None:
    made = world(routes=cors("https://smoke.example"))

    failed(deployment.other_origin, made, "instead of https://other.example", "AlwaysDeploy")


def test_origin_fails_if_a_preflight_is_refused() -> None:
    failed(
        deployment.origin_is_answered,
        world(routes=cors("https://smoke.example", 403)),
        "A preflight and a request without a token gave [403, 401]",
        "They must give 200 and 401",
    )


def test_origin_fails_with_a_second_stage_of_the_api() -> None:
    found = {"item": [{"stageName": "v1"}, {"stageName": "Stage"}]}

    failed(deployment.one_stage, world({"apigateway.get_stages": found}), "['Stage', 'v1']", "Only v1 is throttled")


def test_a_second_stage_leaves_no_stack_also_if_its_change_set_fails() -> None:
    seen: list[str] = []
    states = iter([{}, {"StackStatus": "REVIEW_IN_PROGRESS"}])

    def described(_: Any) -> Any:
        if not (state := next(states, {})):
            raise NO_STACK["cloudformation.describe_stacks"]
        return {"Stacks": [state]}

    calls: dict[str, Any] = {
        "cloudformation.describe_stacks": described,
        "cloudformation.list_change_sets": {"Summaries": []},
        "cloudformation.delete_stack": {},
    }
    made = world(calls, sam=Tools({"change_set": "sam deploy: Error: no"}), seen=seen)

    failed(deployment.second_stage, made, "sam deploy: Error: no", "no remedy")
    assert "cloudformation.delete_stack" in seen


def test_a_stack_with_the_second_ones_name_is_left_alone() -> None:
    sam, seen = Tools(), list[str]()
    made = world({"cloudformation.describe_stacks": stacks("UPDATE_COMPLETE", [])}, sam=sam, seen=seen)

    result = tried(deployment.second_stage, made)

    assert result.not_here == ["there is a stack livello-smoke-second already"]
    assert sam.calls == []
    assert {each.partition(".")[2] for each in seen} == {"describe_stacks"}


# ---- 3 people ----


COGNITO: dict[str, Any] = {
    "cognito-idp.admin_create_user": {},
    "cognito-idp.admin_set_user_password": {},
    "cognito-idp.admin_add_user_to_group": {},
    "cognito-idp.admin_initiate_auth": {"AuthenticationResult": {"IdToken": "eyJa.b.c", "AccessToken": "eyJd.e.f"}},
}


def test_people_fails_if_staff_without_a_second_factor_have_rights() -> None:
    made = world(COGNITO, {("GET", "/catalogue"): answered(200, {"products": []})})

    failed(people.staff, made, "GET /catalogue gave 200 instead of 403", "fault of Livello")


def test_people_fails_with_cognitos_words() -> None:
    """https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html"""
    refused = refusal(
        "LimitExceededException", "Attempt limit exceeded, please try after some time.", "AdminInitiateAuth"
    )
    calls = {**COGNITO, "cognito-idp.admin_initiate_auth": refused}

    failed(people.staff, world(calls), "AdminInitiateAuth: LimitExceededException", "A quota of the account is used up")


def test_people_fails_if_no_code_comes() -> None:
    calls: dict[str, Any] = {"cognito-idp.forgot_password": {}}

    failed(people.first_admin, world(calls, place=LOCAL), "no code came by mail", "dead letters")


def test_people_fails_if_a_refusal_is_no_problem_document() -> None:
    routes = {("GET", "/billing"): answered(401, None, Content_Type="text/html")}

    failed(people.refusals, world(routes=routes), "401 without a problem document", "GatewayResponses")


def test_people_fails_if_nothing_is_throttled() -> None:
    routes = {("GET", "/openapi.json"): answered(200)}

    failed(people.throttled, world(routes=routes), f"{people.SENT} requests were all answered", "throttling")


# ---- 4 money ----


INVOICE = {"number": "LV-2026-000001", "status": "paid", "total": {"amount": 500, "currency": "EUR"}}


def test_money_fails_if_usage_is_counted_twice() -> None:
    machine = {"UserPoolClient": {"ClientId": "c", "ClientSecret": "s"}}
    routes = {
        ("POST", "/token"): answered(200, {"access_token": "eyJ"}),
        ("POST", "/usage"): answered(200, {"results": [{"outcome": "accepted"}] * 2}),
    }
    made = world({"cognito-idp.describe_user_pool_client": machine}, routes)

    failed(money.usage, made, "again ['accepted']", "RecordUsage")


def test_money_fails_if_no_invoice_comes() -> None:
    made = world({"sqs.send_message": {}}, {("GET", "/invoices"): answered(200, {"items": []})})

    failed(money.invoice, made, "no invoice is there", "dead letters of InvoicesDue")


def test_money_fails_if_stripe_has_two_charges() -> None:
    made = world(
        {"sqs.send_message": {}},
        {("GET", "/invoices"): answered(200, {"items": [INVOICE]})},
        stripe=FakeStripe([500, 500]),
    )

    failed(money.charge, made, "Stripe has the charges [500, 500]", "Refund what is too much")


# ---- 5 files ----


def redirected(link: str) -> Any:
    return answered(302, None, Location=link)


def test_files_fails_for_a_link_of_another_host() -> None:
    routes = {("GET", "/pdf"): redirected("https://bucket.s3.amazonaws.com/x?X-Amz-Signature=abc")}

    failed(files.redirect, world(routes=routes), "The link is for bucket.s3.amazonaws.com", "gateway to S3")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        # https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
        (answered(400, b"<Error><Code>AuthorizationHeaderMalformed</Code></Error>"), "gave 400 for the link"),
        (answered(200, b"%PDF-1.7"), "The bucket lets no page read the file"),
        (answered(200, b"<html>", Access_Control_Allow_Origin="*"), "The file is no PDF"),
    ],
)
def test_files_fails_if_the_link_cannot_be_read_by_a_page(answer: Any, said: str) -> None:
    host = "bucket.s3.eu-central-1.amazonaws.com"
    routes = {("GET", "/invoices/LV-2026-000001/pdf"): redirected(f"https://{host}/key"), ("GET", "/key"): answer}

    result = tried(files.redirect, world(routes=routes))

    assert result.status == FAILED
    assert said in result.line()


def test_files_does_not_run_without_an_invoice() -> None:
    made = world()
    made.made.invoice = ""

    assert tried(files.redirect, made).not_here == ["step 4 has made no invoice"]


# ---- 6 mail ----


def test_mail_fails_if_no_address_is_marked() -> None:
    routes = {
        ("PUT", "/users"): answered(200, {}),
        ("GET", "/events"): answered(200, {"items": [{"type": "user.added", "event": "1"}]}),
    }
    made = world(routes=routes)
    made.made.identity_is_verified = True

    failed(mail.marked, made, "the addresses are not marked", "dead letters of MailFeedback")


def test_mail_waits_for_the_persons_dns() -> None:
    result = tried(mail.marked, world())

    assert result.not_here == [mail.UNVERIFIED]


# ---- 7 faults ----


def queues() -> dict[str, Any]:
    url = "https://sqs.eu-central-1.amazonaws.com/123456789012/livello-smoke-NoticesDeadLetters-x"
    resource = {
        "LogicalResourceId": "NoticesDeadLetters",
        "ResourceType": "AWS::SQS::Queue",
        "PhysicalResourceId": url,
    }
    return {
        "cloudformation.list_stack_resources": {"StackResourceSummaries": [resource]},
        "sqs.get_queue_attributes": {"Attributes": {"QueueArn": "arn:aws:sqs:eu-central-1:123456789012:x"}},
        "sqs.send_message": {},
        "sqs.receive_message": {},
        "cloudwatch.describe_alarms": {"MetricAlarms": [{"StateValue": "OK"}]},
    }


def test_faults_fails_if_no_letter_comes() -> None:
    failed(faults.unreadable, world(queues()), "no letter is in", "log of the function")


def test_faults_fails_if_the_alarm_is_silent() -> None:
    failed(faults.alarm, world(queues()), "the alarm of the letters does not ring", "metric in CloudWatch")


def test_faults_puts_the_right_key_back_also_if_the_wrong_one_was_not_noticed() -> None:
    put: list[str] = []
    calls = {"secretsmanager.put_secret_value": lambda given: put.append(json.loads(given["SecretString"])["api_key"])}
    made = world(calls, {("POST", "/setup"): answered(201, {})}, stripe=FakeStripe())

    failed(faults.rubbish_key, made, "a wrong key is not noticed", "UpdatePaymentMethod")
    assert put == [faults.RUBBISH, "sk_test_x"]


# ---- 8 end ----


PREVIEW = {"preview": {"active_until": "2027-01-25", "charges": {"invoices": 1}}}


def test_end_fails_if_staff_can_cancel() -> None:
    routes = {("GET", "/cancellation"): answered(200, PREVIEW), ("POST", "/cancellation"): answered(201, {})}

    failed(end.cancelled, world(routes=routes), "/cancellation gave 201 instead of 403", "fault of Livello")


def test_end_fails_if_items_of_the_account_are_left() -> None:
    left = [{"sk": {"S": "UNDELIVERABLE#ada@vendor.example"}}, {"sk": {"S": "EVENT#1"}}, {"sk": {"S": "EVENT#2"}}]
    calls = {"sqs.send_message": {}, "dynamodb.query": {"Items": left}}
    made = world(calls, {("GET", "/billing"): answered(404, {})})
    made.made.log["purge_on"] = "2027-02-10"

    failed(end.deleted, made, "are left after 180 s: EVENT, UNDELIVERABLE.", "dead letters of EndsDue")


def archive(delete: Any) -> World:
    version = {"Key": "invoices/2026/LV-2026-000001/pdf", "VersionId": "1"}
    calls = {"s3.list_object_versions": {"Versions": [version]}, "s3.delete_object": delete}
    return world(calls, place=LOCAL)


def test_end_fails_if_an_archived_invoice_can_be_deleted() -> None:
    failed(end.locked, archive({}), "S3 deleted an archived invoice", "ObjectLockConfiguration")


def test_a_locked_invoice_is_refused_as_s3_documents() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html"""
    refused = refusal("AccessDenied", "Access Denied because object protected by object lock.", "DeleteObject")

    assert end.locked(archive(refused)) == "an archived invoice cannot be deleted"


# ---- 9 remove ----


def test_remove_fails_with_what_cannot_be_deleted() -> None:
    events = [event("Documents", "AWS::S3::Bucket", "DELETE_FAILED", "The bucket you tried to delete is not empty")]
    calls = {
        "cloudformation.describe_stacks": stacks("DELETE_FAILED"),
        "cloudformation.describe_stack_events": {"StackEvents": events},
    }
    told: list[str] = []
    made = world(calls, sam=Tools({"delete": "sam delete: Error"}))

    [result] = run((Step(9, "remove", changes=True, checks=(removal.removed,)),), made, told.append)

    assert result.status == FAILED
    assert "Documents (AWS::S3::Bucket): The bucket you tried to delete is not empty" in told[0]
    assert told[1].startswith("left: the stack livello-smoke (DELETE_FAILED)")
    assert "--remove deletes it" in told[1]


def test_remove_never_deletes_a_stack_that_smoke_has_not_made() -> None:
    sam = Tools()
    made = world({"cloudformation.describe_stacks": stacks("UPDATE_COMPLETE", [])}, sam=sam)

    failed(removal.removed, made, "was not made by smoke", "--stack")
    assert sam.calls == []


def test_remove_deletes_a_stack_of_which_only_a_change_set_was_made() -> None:
    """CloudFormation gives it no tags, and it holds nothing."""
    seen: list[str] = []
    sam = Tools()
    calls = {"cloudformation.describe_stacks": stacks("REVIEW_IN_PROGRESS", []), "cloudformation.delete_stack": {}}

    assert removal.removed(world(calls, sam=sam, seen=seen)) == "a stack that held nothing is deleted"
    assert seen[-1] == "cloudformation.delete_stack"
    assert sam.calls == []


def test_a_removal_without_a_stack_names_what_a_former_run_has_left() -> None:
    arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/livello-smoke-Table-1"
    pages = {"ResourceTagMappingList": [{"ResourceARN": arn, "Tags": OURS}]}
    told: list[str] = []

    run(
        (Step(9, "remove", changes=True, checks=(removal.removed,)),),
        world({"resourcegroupstaggingapi.get_resources": pages}),
        told.append,
    )

    assert "there is no stack" in told[0]
    assert told[1].endswith("dynamodb table/livello-smoke-Table-1")


def test_remove_names_what_stays_with_the_command_that_deletes_it() -> None:
    """A retained resource has the status DELETE_SKIPPED, under the id of the deleted stack."""
    kept = [
        ("Table", "AWS::DynamoDB::Table", "livello-smoke-Table-1", "DELETE_SKIPPED"),
        ("Logs", "AWS::Logs::LogGroup", "livello-smoke-Logs", "DELETE_COMPLETE"),
    ]
    names = ("LogicalResourceId", "ResourceType", "PhysicalResourceId", "ResourceStatus")
    summaries = [dict(zip(names, each, strict=True)) for each in kept]
    answers = iter([stacks("CREATE_COMPLETE")])

    def described(_: Any) -> Any:
        found = next(answers, None)
        if found is None:
            raise NO_STACK["cloudformation.describe_stacks"]
        return found

    asked: list[str] = []

    def listed(given: Mapping[str, Any]) -> Any:
        asked.append(given["StackName"])
        return {"StackResourceSummaries": summaries}

    calls = {"cloudformation.describe_stacks": described, "cloudformation.list_stack_resources": listed}
    told: list[str] = []

    [result] = run((Step(9, "remove", changes=True, checks=(removal.removed,)),), world(calls), told.append)

    assert result.status == OK, result.line()
    assert asked == [STACK["StackId"]]
    left = [each for each in told if each.startswith("left: ")]
    assert "delete-table --table-name livello-smoke-Table-1" in left[0]
    assert not any("Logs" in each for each in left)
    assert "aws-sam-cli-managed-default" in left[-1]


def test_a_change_that_must_fail_and_does_not_fails_the_step() -> None:
    failed(
        deployment.rolls_back,
        world({"dynamodb.scan": {"Count": 3}}),
        "A deployment that must fail did not",
        "issue",
    )


def test_a_change_that_fails_must_lose_nothing() -> None:
    counts = iter([3, 2])
    calls = {
        "dynamodb.scan": lambda _: {"Count": next(counts)},
        "cloudformation.describe_stacks": stacks("UPDATE_ROLLBACK_COMPLETE"),
    }

    failed(deployment.rolls_back, world(calls, sam=Tools({"deploy": "rolled back"})), "had 3 items", "issue")


def test_every_step_that_changes_something_comes_after_one_that_does_not() -> None:
    assert [each.changes for each in STEPS] == [False] + [True] * 9
    assert [each.number for each in STEPS] == list(range(10))
