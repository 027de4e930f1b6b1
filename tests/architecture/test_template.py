"""template.yaml agrees with the code, and sets what the emulator does not enforce."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from billing.accounts.admission import Permits
from billing.correspondence.notify import CLAIM
from billing.kernel.permissions import STAFF_GROUP, Role, may
from billing.kernel.schedules import SCHEDULES, Job
from billing.platform.dynamodb import keys
from billing.platform.http.bodies import FILE_TYPES
from billing.platform.http.judge import judges_of
from billing.platform.http.media_types import XLSX

from local.sign_in_words import WORDS
from scripts.event_schemas import committed, schemas
from scripts.openapi import document, resolvers, text
from tests.template import ROOT, resources, template

FUNCTIONS = {
    name: resource["Properties"]
    for name, resource in resources().items()
    if resource["Type"] == "AWS::Serverless::Function"
}
ROUTES = {
    (event["Properties"]["Method"], event["Properties"]["Path"]): (name, event["Properties"])
    for name, properties in FUNCTIONS.items()
    for event in properties["Events"].values()
    if event["Type"] == "Api"
}
SIGNED = {("POST", "/webhooks/stripe")}
"""Routes whose requests carry a signature instead of a token."""
PUBLIC = {("GET", "/openapi.json"), *SIGNED}


def statements(function: str) -> list[dict[str, Any]]:
    granted = [statement for policy in FUNCTIONS[function].get("Policies", []) for statement in policy["Statement"]]
    # A statement that depends on a setting is checked as if the setting were on.
    return [statement["Fn::If"][1] if "Fn::If" in statement else statement for statement in granted]


def test_the_template_has_the_routes_of_the_code_and_no_others() -> None:
    documented = {(method.upper(), path) for path, item in document()["paths"].items() for method in item}

    assert set(ROUTES) == documented | PUBLIC


def test_the_committed_openapi_document_is_current() -> None:
    assert (ROOT / "functions" / "describe_api" / "openapi.json").read_text(encoding="utf-8") == text()


def test_each_function_has_its_folder_and_each_folder_its_function() -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}

    assert {properties["CodeUri"] for properties in FUNCTIONS.values()} == {f"functions/{name}" for name in folders}


def test_each_route_leads_to_the_function_that_implements_it() -> None:
    """A route of the template that leads to another function would answer 404."""
    implemented = {
        (route.method, route.openapi_path, name)
        for name, resolver in resolvers().items()
        for route in (*resolver._static_routes, *resolver._dynamic_routes)
    }
    wired = {
        (method, path, FUNCTIONS[name]["CodeUri"].removeprefix("functions/"))
        for (method, path), (name, _) in ROUTES.items()
        if (method, path) not in PUBLIC
    }
    assert wired == implemented


def test_only_the_openapi_document_and_the_webhook_have_no_authorizer() -> None:
    open_routes = {
        route for route, (_, properties) in ROUTES.items() if properties.get("Auth", {}).get("Authorizer") == "NONE"
    }
    assert open_routes == PUBLIC
    assert resources()["Api"]["Properties"]["Auth"]["DefaultAuthorizer"] == "People"


def test_no_route_accepts_every_method() -> None:
    assert all(method in {"GET", "PUT", "POST", "DELETE"} for method, _ in ROUTES)


def test_a_machines_token_needs_the_usage_scope() -> None:
    authorizers = resources()["Api"]["Properties"]["Auth"]["Authorizers"]

    assert authorizers["Product"]["AuthorizationScopes"] == ["livello/usage"]
    assert resources()["ProductClient"]["Properties"]["AllowedOAuthScopes"] == ["livello/usage"]


def test_people_are_invited_and_never_sign_up() -> None:
    people = resources()["People"]["Properties"]

    assert people["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}


def test_the_page_logs_in_by_code_and_takes_no_password_of_its_own_in_the_cloud() -> None:
    page = resources()["BillingPageClient"]["Properties"]

    assert page["GenerateSecret"] is False
    assert page["AllowedOAuthFlows"] == ["code"]
    assert {"openid", "email"} <= {*page["AllowedOAuthScopes"]}, "the API reads the ID token's address"
    home = {"Fn::If": ["HasPortalDomain", {"Fn::Sub": "https://${PortalDomain}/"}, {"Fn::Sub": "${AllowedOrigin}/"}]}
    assert page["CallbackURLs"] == page["LogoutURLs"] == [home]
    assert page["PreventUserExistenceErrors"] == "ENABLED"
    local_only = {"Fn::If": ["IsCloud", {"Ref": "AWS::NoValue"}, "ALLOW_USER_PASSWORD_AUTH"]}
    assert [each for each in page["ExplicitAuthFlows"] if "ALLOW_USER_PASSWORD_AUTH" in str(each)] == [local_only]


def test_the_log_in_pages_name_the_pools_rules_of_passwords() -> None:
    policy = resources()["People"]["Properties"]["Policies"]["PasswordPolicy"]
    kinds = [each for each in ("Lowercase", "Numbers", "Symbols", "Uppercase") if policy[f"Require{each}"]]

    assert kinds == ["Lowercase", "Numbers", "Uppercase"], "the words of local/sign_in_words.py"
    for words in WORDS.values():
        assert f" {policy['MinimumLength']} " in words.password_rules


def test_a_changed_address_counts_once_it_is_verified() -> None:
    """People are invited by address: an unverified address could take another person's invitation."""
    people = resources()["People"]["Properties"]

    assert people["UserAttributeUpdateSettings"] == {"AttributesRequireVerificationBeforeUpdate": ["email"]}
    assert resources()["StaffGroup"]["Properties"]["GroupName"] == STAFF_GROUP


def test_the_table_can_be_restored_and_survives_the_stack() -> None:
    table = resources()["Table"]

    # Not RetainExceptOnCreate: a failed first deployment would delete it, and its protection refuses.
    assert table["DeletionPolicy"] == "Retain"
    assert resources()["People"]["DeletionPolicy"] == "Retain"
    assert table["UpdateReplacePolicy"] == "Retain"
    assert table["Properties"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["Properties"]["DeletionProtectionEnabled"] == {"Fn::If": ["IsProtected", True, False]}
    assert table["Properties"]["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert table["Properties"]["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert [each["IndexName"] for each in table["Properties"]["GlobalSecondaryIndexes"]] == ["gsi1", "gsi2"]


def test_workbooks_and_files_of_bank_statements_are_the_only_binary_bodies() -> None:
    """With all types, the gateway would fail each CORS pre-flight (aws/serverless-application-model, issue 553). A
    statement may be in any encoding: as a text, the gateway would replace what is no UTF-8."""
    media_types = resources()["Api"]["Properties"]["BinaryMediaTypes"]

    assert [each.replace("~1", "/") for each in media_types] == [XLSX, *FILE_TYPES]


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_no_function_has_wildcard_permissions_or_scans(function: str) -> None:
    for statement in statements(function):
        assert not any("*" in action for action in statement["Action"])
        assert "dynamodb:Scan" not in statement["Action"]
        # SES's sandbox asks about the recipient's identity too, so mail is limited by its sender instead.
        assert statement["Resource"] != "*" or "ses:FromAddress" in json.dumps(statement["Condition"])


@pytest.mark.parametrize(
    "function", ["GetBilling", "GetDeletions", "GetEvents", "GetInvoices", "GetUsage", "ListAccounts"]
)
def test_functions_that_read_cannot_write(function: str) -> None:
    """A person's first request sets a mark: a statement whose condition allows no other attribute (test_policies)."""
    marks = [statement for statement in statements(function) if "Condition" in statement]
    reads = [statement for statement in statements(function) if statement not in marks]

    assert {action for each in reads for action in each["Action"]} <= {
        "dynamodb:BatchGetItem",
        "dynamodb:GetItem",
        "dynamodb:Query",
    }
    assert all(
        each["Condition"]["ForAllValues:StringLike"]
        == {"dynamodb:Attributes": ["pk", "sk", "logged_in#*", "used_since"]}
        for each in marks
    )


@pytest.mark.parametrize("function", sorted({name for name, _ in ROUTES.values()}))
def test_a_function_of_an_account_may_judge_its_callers(function: str) -> None:
    """Judging a caller needs a get of the account. Naming its admins to a member, of what only they may do, needs a
    query of its users."""
    resolver = resolvers().get(FUNCTIONS[function]["CodeUri"].removeprefix("functions/"))
    routes = [] if resolver is None else [*resolver._static_routes, *resolver._dynamic_routes]
    permissions = {
        judge.permission for route in routes for judge in judges_of(route.func) if isinstance(judge, Permits)
    }
    if not permissions:
        return
    names_admins = any(may(Role.ADMIN, each) and not may(Role.MEMBER, each) for each in permissions)
    table = {"Fn::GetAtt": "Table.Arn"}
    of_table = [each for each in statements(function) if each["Resource"] == table or table in [*each["Resource"]]]

    needed = {"dynamodb:GetItem", *(["dynamodb:Query"] if names_admins else [])}
    assert {action for each in of_table for action in each["Action"]} >= needed


def test_the_public_webhook_cannot_read_the_api_keys() -> None:
    opened = {
        name: [each["Resource"] for each in statements(name) if each["Action"] == ["secretsmanager:GetSecretValue"]]
        for name in FUNCTIONS
    }

    assert opened["ReceivePaymentNotice"] == [{"Fn::GetAtt": "StripeSecret.Id"}]
    both = [{"Fn::GetAtt": "StripeApiSecret.Id"}, {"Fn::GetAtt": "StripeSecret.Id"}]
    assert {name for name, resource in opened.items() if resource == [both]} >= {"CollectPayments", "EndAccount"}
    assert "STRIPE_SECRET" not in variables("ReceivePaymentNotice")


def test_an_upgrade_does_not_overwrite_the_keys_that_an_operator_has_filled_in() -> None:
    """A changed SecretString would be written over them. It is that of the first release for ever."""
    assert resources()["StripeSecret"]["Properties"] == {
        "Description": "Stripe: api_key, publishable_key and webhook_secret.",
        "SecretString": '{"api_key": "", "publishable_key": "", "webhook_secret": ""}',
    }


def test_functions_time_out_before_the_gateway() -> None:
    gateway_seconds = 29
    default = template()["Globals"]["Function"]["Timeout"]
    timeouts = [FUNCTIONS[name].get("Timeout", default) for name, _ in ROUTES.values()]

    assert max(timeouts) < gateway_seconds


def test_the_stream_passes_only_events_and_loses_none() -> None:
    stream = FUNCTIONS["PublishEvents"]["Events"]["Written"]["Properties"]
    [pattern] = [json.loads(each["Pattern"]) for each in stream["FilterCriteria"]["Filters"]]

    assert pattern == {"eventName": ["INSERT"], "dynamodb": {"Keys": {"sk": {"S": [{"prefix": keys.EVENT}]}}}}
    assert stream["StartingPosition"] == "TRIM_HORIZON"
    assert stream["BisectBatchOnFunctionError"]
    assert stream["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": "DeadLetters.Arn"}
    # The stream keeps a record for a day. A letter about a batch must come while its records can still be read.
    assert stream["MaximumRecordAgeInSeconds"] == 12 * 60 * 60
    assert stream["MaximumRetryAttempts"] == 1000


WORKERS = {
    "Notify": ("Published", "Notices"),
    "NoteMailFeedback": ("Told", "MailFeedback"),
    "RecordQueuedUsage": ("Waiting", "UsageBacklog"),
    "TakeReportedUsage": ("Sent", "ReportedUsage"),
    "ScaleAccount": ("Due", "AutoscalingDue"),
    "NotePaymentNotice": ("Told", "PaymentNotices"),
    "DetachReplacedMethods": ("Changed", "ChangedMethods"),
    "WarnExpiringCard": ("Due", "CardExpiryDue"),
    "IssueInvoices": ("Due", "InvoicesDue"),
    "CheckVatNumber": ("Due", "VatNumbersDue"),
    "ReconcileBooks": ("Due", "BooksDue"),
    "RenderDocuments": ("Issued", "Issued"),
    "PrepareDownload": ("Asked", "DownloadsAsked"),
    "AdvanceTestClock": ("UnderWay", "ClocksUnderWay"),
    "EndAccount": ("Due", "EndsDue"),
    "CollectPayments": ("Due", "PaymentsDue"),
}
"""The functions that a queue invokes: the names of the event and of the queue."""


@pytest.mark.parametrize("function", sorted(WORKERS))
def test_a_message_is_retried_until_it_is_processed_or_a_dead_letter(function: str) -> None:
    event, queue = WORKERS[function]
    driven = FUNCTIONS[function]["Events"][event]["Properties"]
    properties = resources()[queue]["Properties"]
    seconds = FUNCTIONS[function].get("Timeout", template()["Globals"]["Function"]["Timeout"])

    assert driven["Queue"] == {"Fn::GetAtt": f"{queue}.Arn"}
    assert driven["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert properties["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": f"{queue}DeadLetters.Arn"}
    # AWS recommends six timeouts: a shorter one delivers a message again while it is being processed.
    assert properties["VisibilityTimeout"] >= 6 * seconds


@pytest.mark.parametrize("function", sorted(WORKERS))
def test_a_worker_may_delay_the_messages_of_its_own_queue(function: str) -> None:
    _, queue = WORKERS[function]
    granted = [
        statement["Resource"]
        for policy in FUNCTIONS[function]["Policies"]
        for statement in policy.get("Statement", [])
        if "sqs:ChangeMessageVisibility" in statement.get("Action", [])
    ]

    assert FUNCTIONS[function]["Environment"]["Variables"]["QUEUE_URL"] == {"Ref": queue}
    assert granted == [{"Fn::GetAtt": f"{queue}.Arn"}]


def test_a_claim_on_a_mail_outlives_the_invocation_that_holds_it() -> None:
    assert FUNCTIONS["Notify"]["Timeout"] < CLAIM.total_seconds()


def test_every_queue_that_invokes_a_function_is_in_the_list_and_has_dead_letters() -> None:
    driven = {
        event["Properties"]["Queue"]["Fn::GetAtt"]
        for function in FUNCTIONS.values()
        for event in function["Events"].values()
        if event["Type"] == "SQS"
    }

    assert driven == {f"{queue}.Arn" for _, queue in WORKERS.values()}
    assert all("RedrivePolicy" in resources()[name.partition(".")[0]]["Properties"] for name in driven)


def test_a_queue_and_all_that_fills_and_empties_it_are_in_one_area() -> None:
    """A chain of work is in one place: planner or rule, queue, policy, dead letters, worker."""
    area_of = areas()
    apart = {(each, queue) for each, queue in users_of_queues() if area_of[each] != area_of[queue]}

    assert set(area_of) == set(resources())
    assert apart == set()


def areas() -> dict[str, str]:
    """The area of each resource: the heading above it in template.yaml."""
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    area, by_resource = "", {}
    for line in text.partition("\nResources:\n")[2].partition("\nOutputs:\n")[0].splitlines():
        if heading := re.fullmatch(r"  # ---- (.+?) -+", line):
            area = heading[1]
        elif resource := re.match(r"  (\w+):", line):
            assert area, f"{resource[1]} has no heading"
            by_resource[resource[1]] = area
    return by_resource


def users_of_queues() -> list[tuple[str, str]]:
    """Each resource that exists for one queue, with that queue."""
    users = []
    for name, resource in resources().items():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::SQS::Queue" if "RedrivePolicy" in properties:
                users.append((name, properties["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"].partition(".")[0]))
            case "AWS::SQS::QueuePolicy":
                users += [(name, queue["Ref"]) for queue in properties["Queues"]]
            case "AWS::Events::Rule":
                users += [(name, target["Arn"]["Fn::GetAtt"].partition(".")[0]) for target in properties["Targets"]]
            case "AWS::Serverless::Function":
                variables = properties.get("Environment", {}).get("Variables", {})
                users += [(name, variables[key]["Ref"]) for key in ("QUEUE_URL", "WORK_QUEUE_URL") if key in variables]
                users += [
                    (name, event["Properties"]["Queue"]["Fn::GetAtt"].partition(".")[0])
                    for event in properties["Events"].values()
                    if event["Type"] == "SQS"
                ]
    return users


@pytest.mark.parametrize(
    "queue", sorted(name for name, each in resources().items() if each["Type"] == "AWS::SQS::Queue")
)
def test_queued_messages_are_encrypted_and_kept_for_two_weeks(queue: str) -> None:
    properties = resources()[queue]["Properties"]

    assert properties["SqsManagedSseEnabled"] is True
    assert properties["MessageRetentionPeriod"] == 14 * 24 * 60 * 60


def alarms(metric: str) -> dict[str, dict[str, Any]]:
    """The alarms on a metric, by the resource whose metric it is."""
    return {
        each["Properties"]["Dimensions"][0]["Value"].get("Ref")
        or each["Properties"]["Dimensions"][0]["Value"]["Fn::GetAtt"].partition(".")[0]: each["Properties"]
        for each in resources().values()
        if each["Type"] == "AWS::CloudWatch::Alarm" and each["Properties"].get("MetricName") == metric
    }


def test_every_queue_of_dead_letters_has_an_alarm_of_its_own() -> None:
    """CloudWatch takes at most ten metrics in one alarm."""
    dead = {name for name, each in resources().items() if each["Type"] == "AWS::SQS::Queue" and "DeadLetters" in name}
    watched = alarms("ApproximateNumberOfMessagesVisible")

    assert watched.keys() == dead
    assert all((each["Threshold"], each["TreatMissingData"]) == (0, "ignore") for each in watched.values())


def test_every_planner_leaves_a_letter_and_has_an_alarm_if_it_fails_or_does_not_run() -> None:
    planners = {name for name, each in FUNCTIONS.items() if each["CodeUri"] == "functions/plan_due_work"}
    scheduled = {
        name
        for name, each in FUNCTIONS.items()
        if any(event["Type"] == "ScheduleV2" for event in each.get("Events", {}).values())
    }
    [failing] = resources()["PlannersFail"]["Properties"]["Metrics"][0:1]
    watched = [
        metric["MetricStat"]["Metric"]["Dimensions"][0]["Value"]["Ref"]
        for metric in resources()["PlannersFail"]["Properties"]["Metrics"][1:]
    ]

    assert planners < set(watched) < scheduled
    for name in scheduled:
        destination = FUNCTIONS[name]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
        assert destination == {"Type": "SQS", "Destination": {"Fn::GetAtt": "DeadLetters.Arn"}}
    assert "METRICS()" in failing["Expression"]
    assert len(watched) == len(set(watched))
    assert alarms("Invocations").keys() == scheduled
    assert scheduled - set(watched) <= alarms("Errors").keys()
    assert all(each["TreatMissingData"] == "breaching" for each in alarms("Invocations").values())


def test_a_test_clock_runs_each_job_when_its_schedule_does() -> None:
    minutes: dict[tuple[int, ...], str] = {(0, 15, 30, 45): "0/15"}
    scheduled = {}
    for name, each in FUNCTIONS.items():
        if each["CodeUri"] == "functions/plan_due_work":
            [event] = each["Events"].values()
            scheduled[Job(variables(name)["JOB"])] = event["Properties"]["ScheduleExpression"]

    assert scheduled == {
        job: f"cron({minutes.get(each.minutes) or each.minutes[0]} {'*' if each.hour is None else each.hour} * * ? *)"
        for job, each in SCHEDULES.items()
    }


@pytest.mark.parametrize("metric", ["LateMail", "LateWork"])
def test_what_is_late_is_counted_from_the_log_lines_of_the_workers(metric: str) -> None:
    filtered = resources()[metric]["Properties"]

    assert "$.late IS TRUE" in filtered["FilterPattern"]
    assert '"not sent"' in filtered["FilterPattern"]  # functions/notify names its failures so
    assert 'failed="not sent"' in (ROOT / "functions" / "notify" / "app.py").read_text("utf-8")
    assert filtered["MetricTransformations"][0]["MetricName"] == metric


def test_the_workers_concurrency_is_what_the_documentation_adds_up() -> None:
    """A new AWS account may have only 10 concurrent executions. Each queue takes two at least."""
    limits = [
        event["Properties"]["ScalingConfig"]["MaximumConcurrency"]
        for function in FUNCTIONS.values()
        for event in function["Events"].values()
        if event["Type"] == "SQS"
    ]
    defaults = [template()["Parameters"][each["Ref"]]["Default"] if isinstance(each, dict) else each for each in limits]
    page = (ROOT / "docs" / "deploy.md").read_text("utf-8")

    assert len(limits) == len(WORKERS)
    assert f"{sum(defaults)} concurrent executions" in page
    assert f"{2 * len(limits)} at least" in page
    assert all(f"`{each['Ref']}`" in page for each in limits if isinstance(each, dict))


def variables(function: str) -> dict[str, Any]:
    found: dict[str, Any] = FUNCTIONS[function].get("Environment", {}).get("Variables", {})
    return found


def test_the_functions_that_decide_on_a_tax_know_what_an_unconfirmed_vat_number_does() -> None:
    """One that lacks the variable would never hold an invoice, and never charge the tax of a refused number.

    These are all that know where the seller is: the page, the cancellation and the mails show what will be charged.
    """
    having = {name for name in FUNCTIONS if "UNCONFIRMED_VAT_NUMBER" in variables(name)}
    of_tax = {name for name in FUNCTIONS if "SELLER_COUNTRY" in variables(name)}

    assert having == of_tax | {"AdministerVatNumbers"}
    assert of_tax >= {"IssueInvoices", "GetInvoices", "GetBilling", "AdministerCancellation", "EndAccount"}
    assert of_tax >= {"AdministerReactivation", "CollectPayments", "ReleaseInvoicing", "WarnExpiringCard"}
    off_by_default = {"Fn::If": ["ChecksVatNumbers", {"Ref": "UnconfirmedVatNumber"}, ""]}
    assert all(variables(name)["UNCONFIRMED_VAT_NUMBER"] == off_by_default for name in having)
    assert template()["Parameters"]["VatNumberCheck"]["Default"] == "off"


def test_every_function_that_uses_the_settings_of_invoices_has_all_of_their_variables() -> None:
    """One that lacks a variable fails with its first request, and no other test has the deployed environment."""
    source = (ROOT / "layers/shared/billing/wiring.py").read_text(encoding="utf-8")
    read = set()
    for constructor in ("invoicing_settings", "seller", "seller_address"):
        body = source.partition(f"\ndef {constructor}()")[2].partition("\n\n\n")[0]
        read |= set(re.findall(r'os\.environ\["(\w+)"\]', body))
    assert {"SELLER_CURRENCY", "SELLER_NAME", "SELLER_COUNTRY", "SELLER_TIME_ZONE"} <= read
    users = {
        name
        for name, each in FUNCTIONS.items()
        if re.search(r"DeployedSettings|invoicing_settings\(", (ROOT / each["CodeUri"] / "app.py").read_text("utf-8"))
    }

    assert users >= {"IssueInvoices", "CollectPayments", "UpdatePaymentMethod", "AdministerReactivation"}
    assert {name: sorted(read - variables(name).keys()) for name in users if read - variables(name).keys()} == {}


def test_vies_is_asked_by_one_function_and_only_where_the_deployment_says_so() -> None:
    schedule = FUNCTIONS["PlanVatNumbers"]["Events"]["Often"]["Properties"]

    assert {name for name in FUNCTIONS if "VIES_API_BASE" in variables(name)} == {"CheckVatNumber"}
    assert schedule["State"] == {"Fn::If": ["ChecksVatNumbers", "ENABLED", "DISABLED"]}
    asked_for = {name for name in FUNCTIONS if "VAT_NUMBER_CHECK" in variables(name)}
    assert asked_for == {"AdministerUsers", "ProvisionAccount", "UpdateBillingInformation"}


def test_files_are_private_encrypted_versioned_and_kept() -> None:
    bucket = resources()["Documents"]

    assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"
    assert all(bucket["Properties"]["PublicAccessBlockConfiguration"].values())
    assert bucket["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    assert "BucketEncryption" in bucket["Properties"]
    [denied] = resources()["DocumentsOverTlsOnly"]["Properties"]["PolicyDocument"]["Statement"]
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_in_the_cloud_mail_is_sent_only_from_our_own_addresses() -> None:
    [allowed] = [each for each in statements("Notify") if each["Action"] == ["ses:SendRawEmail"]]
    condition, cloud, emulator = allowed["Condition"]["Fn::If"]

    assert (condition, emulator) == ("IsCloud", {"Ref": "AWS::NoValue"})
    assert cloud == {"StringEquals": {"ses:FromAddress": {"Ref": "SenderAddress"}}}


def test_ses_reports_deliveries_bounces_and_complaints() -> None:
    destination = resources()["MailFeedbackDestination"]["Properties"]["EventDestination"]

    assert destination["Enabled"] is True
    assert destination["MatchingEventTypes"] == ["send", "bounce", "complaint"]
    assert resources()["MailFeedbackSubscription"]["Properties"]["RawMessageDelivery"] is True


def test_the_committed_event_schemas_are_current() -> None:
    assert committed() == schemas()


def test_the_gateways_own_errors_are_problem_documents() -> None:
    answers = resources()["Api"]["Properties"]["GatewayResponses"]

    assert {"UNAUTHORIZED", "ACCESS_DENIED", "THROTTLED", "DEFAULT_4XX", "DEFAULT_5XX"} <= set(answers)
    for answer in answers.values():
        assert answer["ResponseParameters"]["Headers"]["Content-Type"] == "'application/problem+json'"
        problem = json.loads(
            answer["ResponseTemplates"]["application/json"].replace("$context.error.messageString", '"x"')
        )
        assert {"type", "title", "detail"} <= set(problem)
        assert problem.get("status") == answer.get("StatusCode")


def test_the_sample_events_are_those_of_the_functions() -> None:
    events = {path.stem for path in (ROOT / "events").glob("*.json")}

    assert events == {properties["CodeUri"].removeprefix("functions/") for properties in FUNCTIONS.values()}
