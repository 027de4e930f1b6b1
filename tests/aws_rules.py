"""What AWS refuses, or does differently from the emulator, as rules over the transformed template.

Each rule names the types of resources that it is about, and its source. A rule yields one line per fault. A resource
type without a rule fails a test, so a new type is looked up in AWS's documents before it is deployed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.transformed import PSEUDO, Resources

Check = Callable[[Resources], Iterable[str]]
AWS = "https://docs.aws.amazon.com"
SQS_GUIDE = f"{AWS}/AWSSimpleQueueService/latest/SQSDeveloperGuide"

ALARM = "AWS::CloudWatch::Alarm"
BUCKET = "AWS::S3::Bucket"
BUS = "AWS::Events::EventBus"
CLIENT = "AWS::Cognito::UserPoolClient"
DASHBOARD = "AWS::CloudWatch::Dashboard"
DEPLOYMENT = "AWS::ApiGateway::Deployment"
FUNCTION = "AWS::Lambda::Function"
IDENTITY = "AWS::SES::EmailIdentity"
LAYER = "AWS::Lambda::LayerVersion"
INVOKE_CONFIG = "AWS::Lambda::EventInvokeConfig"
MAPPING = "AWS::Lambda::EventSourceMapping"
METRIC_FILTER = "AWS::Logs::MetricFilter"
POOL = "AWS::Cognito::UserPool"
QUEUE = "AWS::SQS::Queue"
QUEUE_POLICY = "AWS::SQS::QueuePolicy"
REST_API = "AWS::ApiGateway::RestApi"
ROLE = "AWS::IAM::Role"
RULE = "AWS::Events::Rule"
SCHEDULE = "AWS::Scheduler::Schedule"
SECRET = "AWS::SecretsManager::Secret"
STAGE = "AWS::ApiGateway::Stage"
TABLE = "AWS::DynamoDB::Table"
TOPIC = "AWS::SNS::Topic"

STREAM_HOURS = 24
"""How long a stream of DynamoDB keeps a record."""

STREAM_SECONDS_MAX = STREAM_HOURS * 3600 // 2
"""A letter about a batch then comes while half a day is left to read its records."""

RESOURCES_MAX, PARAMETERS_MAX, OUTPUTS_MAX, TEMPLATE_BYTES_MAX = 500, 200, 200, 1_000_000
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""

ENVIRONMENT_BYTES_MAX = 4096
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


@dataclass(frozen=True)
class Rule:
    """A rule, the types it is about, and where AWS, or a user of AWS, says so."""

    name: str
    types: frozenset[str]
    source: str
    check: Check


RULES: list[Rule] = []


def rule(source: str, *types: str) -> Callable[[Check], Check]:
    def add(check: Check) -> Check:
        RULES.append(Rule(check.__name__, frozenset(types), source, check))
        return check

    return add


def of_type(resources: Resources, kind: str) -> dict[str, dict[str, Any]]:
    """The properties of the resources of a type, by logical id."""
    return {name: each["Properties"] for name, each in resources.items() if each["Type"] == kind}


def target(node: Any) -> str:
    """The logical id that a Ref or GetAtt names; empty for anything else."""
    if isinstance(node, dict) and len(node) == 1:
        [(name, about)] = node.items()
        if name == "Ref":
            return str(about)
        if name == "Fn::GetAtt":
            return str(about[0] if isinstance(about, list) else about.partition(".")[0])
    return ""


def metrics_of_alarms(r: Resources) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each metric that an alarm watches, with the alarm's logical id."""
    for name, alarm in of_type(r, ALARM).items():
        if "MetricName" in alarm:
            yield name, alarm
        yield from ((name, each["MetricStat"]["Metric"]) for each in alarm.get("Metrics", []) if "MetricStat" in each)


def listed(node: Any) -> list[Any]:
    return node if isinstance(node, list) else [node]


def statements(role: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The statements of a role's inline policies."""
    for policy in role.get("Policies", []):
        yield from policy["PolicyDocument"]["Statement"]


def reads_stream(mapping: dict[str, Any]) -> bool:
    return "StreamArn" in json.dumps(mapping["EventSourceArn"])


def size(node: Any) -> int:
    """Characters of a document, white space not counted, as IAM counts."""
    return len(re.sub(r"\s", "", json.dumps(node)))


# ---- Quotas: a number per type ----


@dataclass(frozen=True)
class Quota:
    """The least and the most of something that a resource of a type has."""

    kind: str
    what: str
    of: Callable[[dict[str, Any]], float]
    least: float
    most: float
    source: str


def _routes(api: dict[str, Any]) -> int:
    """Resources of a REST API: each path, and each of its parents."""
    paths = {
        "/".join(path.split("/")[: depth + 1]) for path in api["Body"]["paths"] for depth in range(path.count("/") + 1)
    }
    return len(paths)


LAMBDA_QUOTAS = f"{AWS}/lambda/latest/dg/gettingstarted-limits.html"
SQS_QUOTAS = f"{SQS_GUIDE}/quotas-messages.html"
API_QUOTAS = f"{AWS}/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html"
COGNITO_QUOTAS = f"{AWS}/cognito/latest/developerguide/quotas.html"
SCHEDULER_API = f"{AWS}/scheduler/latest/APIReference/API_RetryPolicy.html"
EVENTS_QUOTAS = f"{AWS}/eventbridge/latest/userguide/eb-quota.html"
S3_API = f"{AWS}/AmazonS3/latest/API"
ALARM_API = f"{AWS}/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"
LOGS_QUOTAS = f"{AWS}/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"

QUOTAS = [
    Quota(FUNCTION, "timeout", lambda p: p.get("Timeout", 3), 1, 900, LAMBDA_QUOTAS),
    Quota(FUNCTION, "memory", lambda p: p.get("MemorySize", 128), 128, 10_240, LAMBDA_QUOTAS),
    Quota(FUNCTION, "layers", lambda p: len(p.get("Layers", [])), 0, 5, LAMBDA_QUOTAS),
    Quota(
        FUNCTION,
        "temporary files",
        lambda p: p.get("EphemeralStorage", {}).get("Size", 512),
        512,
        10_240,
        LAMBDA_QUOTAS,
    ),
    Quota(QUEUE, "retention", lambda p: p["MessageRetentionPeriod"], 60, 1_209_600, SQS_QUOTAS),
    Quota(QUEUE, "visibility", lambda p: p.get("VisibilityTimeout", 30), 0, 43_200, SQS_QUOTAS),
    Quota(QUEUE, "receives", lambda p: p.get("RedrivePolicy", {}).get("maxReceiveCount", 1), 1, 1000, SQS_QUOTAS),
    Quota(REST_API, "resources", _routes, 1, 300, API_QUOTAS),
    Quota(REST_API, "authorizers", lambda p: len(p["Body"].get("securityDefinitions", {})), 0, 10, API_QUOTAS),
    Quota(SCHEDULE, "retries", lambda p: p["Target"]["RetryPolicy"]["MaximumRetryAttempts"], 0, 185, SCHEDULER_API),
    Quota(SCHEDULE, "age", lambda p: p["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"], 60, 86_400, SCHEDULER_API),
    Quota(RULE, "targets", lambda p: len(p["Targets"]), 1, 5, EVENTS_QUOTAS),
    Quota(RULE, "pattern", lambda p: size(p["EventPattern"]), 1, 2048, EVENTS_QUOTAS),
    Quota(BUS, "name", lambda p: len(p["Name"]), 1, 256, EVENTS_QUOTAS),
    Quota(
        INVOKE_CONFIG,
        "retries",
        lambda p: p["MaximumRetryAttempts"],
        0,
        2,
        f"{AWS}/lambda/latest/api/API_PutFunctionEventInvokeConfig.html",
    ),
    Quota(
        INVOKE_CONFIG,
        "age",
        lambda p: p["MaximumEventAgeInSeconds"],
        60,
        21_600,
        f"{AWS}/lambda/latest/api/API_PutFunctionEventInvokeConfig.html",
    ),
    Quota(
        ROLE,
        "inline policies",
        lambda p: sum(size(each["PolicyDocument"]) for each in p.get("Policies", [])),
        0,
        10_240,
        f"{AWS}/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    Quota(
        "AWS::IAM::Policy",
        "inline policy",
        lambda p: size(p["PolicyDocument"]),
        1,
        10_240,
        f"{AWS}/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    Quota(
        ROLE,
        "managed policies",
        lambda p: len(p.get("ManagedPolicyArns", [])),
        0,
        10,
        f"{AWS}/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    Quota(
        BUCKET,
        "lifecycle rules",
        lambda p: len(p.get("LifecycleConfiguration", {}).get("Rules", [])),
        0,
        1000,
        f"{S3_API}/API_PutBucketLifecycleConfiguration.html",
    ),
    Quota(
        "AWS::S3::BucketPolicy",
        "policy",
        lambda p: size(p["PolicyDocument"]),
        1,
        20_480,
        f"{AWS}/AmazonS3/latest/userguide/bucket-policies.html",
    ),
    Quota(
        QUEUE_POLICY,
        "policy",
        lambda p: size(p["PolicyDocument"]),
        1,
        8192,
        f"{SQS_GUIDE}/quotas-policies.html",
    ),
    Quota(
        TABLE,
        "indexes",
        lambda p: len(p["GlobalSecondaryIndexes"]),
        0,
        20,
        f"{AWS}/amazondynamodb/latest/developerguide/ServiceQuotas.html",
    ),
    Quota(CLIENT, "access token minutes", lambda p: p["AccessTokenValidity"], 5, 1440, COGNITO_QUOTAS),
    Quota(CLIENT, "ID token minutes", lambda p: p.get("IdTokenValidity", 60), 5, 1440, COGNITO_QUOTAS),
    Quota(CLIENT, "refresh token days", lambda p: p.get("RefreshTokenValidity", 30), 1, 3650, COGNITO_QUOTAS),
    Quota(POOL, "password", lambda p: p["Policies"]["PasswordPolicy"]["MinimumLength"], 6, 99, COGNITO_QUOTAS),
    Quota("AWS::Cognito::UserPoolGroup", "name", lambda p: len(p["GroupName"]), 1, 128, COGNITO_QUOTAS),
    Quota("AWS::Cognito::UserPoolResourceServer", "scopes", lambda p: len(p["Scopes"]), 1, 100, COGNITO_QUOTAS),
    Quota(
        SECRET,
        "value",
        lambda p: len(p["SecretString"]),
        1,
        65_536,
        f"{AWS}/secretsmanager/latest/userguide/reference_limits.html",
    ),
    Quota(
        "AWS::SES::ConfigurationSet",
        "name",
        lambda p: len(p["Name"]),
        1,
        64,
        f"{AWS}/ses/latest/APIReference-V2/API_CreateConfigurationSet.html",
    ),
    Quota(
        "AWS::SES::ConfigurationSetEventDestination",
        "name",
        lambda p: len(p["EventDestination"]["Name"]),
        1,
        64,
        f"{AWS}/ses/latest/APIReference-V2/API_CreateConfigurationSetEventDestination.html",
    ),
    Quota(
        "AWS::SNS::TopicPolicy",
        "policy",
        lambda p: size(p["PolicyDocument"]),
        1,
        30_720,
        f"{AWS}/general/latest/gr/sns.html",
    ),
    Quota(METRIC_FILTER, "pattern", lambda p: len(p["FilterPattern"]), 0, 1024, LOGS_QUOTAS),
    Quota(METRIC_FILTER, "transformations", lambda p: len(p["MetricTransformations"]), 1, 1, LOGS_QUOTAS),
    Quota(ALARM, "description", lambda p: len(p.get("AlarmDescription", "")), 1, 1024, ALARM_API),
    Quota(ALARM, "actions", lambda p: len(p.get("AlarmActions", [])), 1, 5, ALARM_API),
]


@rule("the table QUOTAS", *{each.kind for each in QUOTAS})
def every_number_is_within_its_quota(r: Resources) -> Iterator[str]:
    for quota in QUOTAS:
        for name, properties in of_type(r, quota.kind).items():
            if not quota.least <= (found := quota.of(properties)) <= quota.most:
                yield f"{name}: {quota.what} is {found}, and {quota.least} to {quota.most} at {quota.source}"


# ---- Alarms ----


@rule(f"{AWS}/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html", ALARM)
def an_alarm_has_ten_metrics_at_most(r: Resources) -> Iterator[str]:
    for name, alarm in of_type(r, ALARM).items():
        found = sum("MetricStat" in each for each in alarm.get("Metrics", []))
        if found > 10:
            yield f"{name} has {found}"
        if alarm.get("Metrics") and sum(each.get("ReturnData", True) for each in alarm["Metrics"]) != 1:
            yield f"{name} must return one time series"


@rule(f"{ALARM_API}: a day at most, a week if a period has an hour or more", ALARM)
def an_alarm_looks_back_no_further_than_it_may(r: Resources) -> Iterator[str]:
    for name, alarm in of_type(r, ALARM).items():
        periods = (
            [alarm["Period"]]
            if "Period" in alarm
            else [each["MetricStat"]["Period"] for each in alarm["Metrics"] if "MetricStat" in each]
        )
        window, most = max(periods) * alarm["EvaluationPeriods"], 604_800 if min(periods) >= 3600 else 86_400
        if window > most:
            yield f"{name}: {window} seconds"


@rule(
    f"{SQS_GUIDE}/sqs-available-cloudwatch-metrics.html: the age of the oldest "
    "message leaves out those received three times",
    ALARM,
    QUEUE,
)
def the_age_of_a_message_that_is_retried_is_no_metric(r: Resources) -> Iterator[str]:
    """It tells of messages that no worker receives. A metric filter of the log counts those that fail."""
    if any("$.late" in each["FilterPattern"] for each in of_type(r, METRIC_FILTER).values()):
        return
    queues = of_type(r, QUEUE)
    for name, metric in metrics_of_alarms(r):
        if metric.get("MetricName") == "ApproximateAgeOfOldestMessage":
            queue = queues[target(metric["Dimensions"][0]["Value"])]
            if queue.get("RedrivePolicy", {}).get("maxReceiveCount", 0) > 3:
                yield f"{name} never rings for what is tried again"


@rule(
    f"{SQS_GUIDE}/monitoring-using-cloudwatch.html: a queue has no metrics after six hours without any use",
    ALARM,
)
def the_age_of_a_message_rings_while_there_is_a_figure(r: Resources) -> Iterator[str]:
    for name, metric in metrics_of_alarms(r):
        if metric.get("MetricName") == "ApproximateAgeOfOldestMessage" and r[name]["Properties"]["Threshold"] >= 21_600:
            yield name


@rule(
    f"{AWS}/amazondynamodb/latest/developerguide/metrics-dimensions.html: the figures of a table leave out its indexes",
    TABLE,
    ALARM,
)
def who_watches_a_tables_throttles_watches_those_of_its_indexes(r: Resources) -> Iterator[str]:
    kinds = ("ReadThrottleEvents", "WriteThrottleEvents")
    watched = {
        (metric["MetricName"], *(each["Value"] for each in metric["Dimensions"] if "Index" in each["Name"]))
        for _, metric in metrics_of_alarms(r)
        if metric.get("MetricName") in kinds
    }
    if not watched:
        return
    for name, table in of_type(r, TABLE).items():
        for index in table.get("GlobalSecondaryIndexes", []):
            for kind in kinds:
                if (kind, index["IndexName"]) not in watched:
                    yield f"{kind} of {name}, {index['IndexName']}"


@rule(
    f"{SQS_GUIDE}/monitoring-using-cloudwatch.html: a queue that nobody uses for "
    "six hours has no metrics, whatever is in it",
    ALARM,
    QUEUE,
)
def a_queue_without_metrics_is_not_taken_for_an_empty_one(r: Resources) -> Iterator[str]:
    for name, alarm in of_type(r, ALARM).items():
        if "ApproximateNumberOfMessagesVisible" in json.dumps(alarm) and alarm.get("TreatMissingData") != "ignore":
            yield name


@rule("every queue of dead letters is watched", ALARM, QUEUE)
def every_queue_of_dead_letters_has_an_alarm(r: Resources) -> Iterator[str]:
    watched = {
        target(dimension["Value"])
        for alarm in of_type(r, ALARM).values()
        for metric in (alarm, *(each.get("MetricStat", {}).get("Metric", {}) for each in alarm.get("Metrics", [])))
        for dimension in metric.get("Dimensions", [])
    }
    yield from {name for name in of_type(r, QUEUE) if "DeadLetters" in name} - watched


@rule(f"{AWS}/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html", METRIC_FILTER, ALARM)
def what_a_metric_filter_counts_is_watched(r: Resources) -> Iterator[str]:
    counted = {
        (each["MetricNamespace"], each["MetricName"])
        for properties in of_type(r, METRIC_FILTER).values()
        for each in properties["MetricTransformations"]
    }
    own = {
        (alarm["Namespace"], alarm["MetricName"])
        for alarm in of_type(r, ALARM).values()
        if not alarm.get("Namespace", "AWS/").startswith("AWS/")
    }
    yield from (f"{namespace} {metric}: counted or watched, not both" for namespace, metric in counted ^ own)


@rule(
    f"{AWS}/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html: names, dashboards are of all regions; "
    f"{AWS}/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html: 500 widgets, 500 metrics in each, 2,500 in all",
    DASHBOARD,
)
def cloudwatch_takes_the_dashboard_beside_those_of_other_regions(r: Resources) -> Iterator[str]:
    for name, dashboard in of_type(r, DASHBOARD).items():
        called = dashboard["DashboardName"]
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", called) or PSEUDO["AWS::Region"] not in called:
            yield f"{name} is called {called}"
        widgets = json.loads(dashboard["DashboardBody"])["widgets"]
        metrics = [len(each["properties"].get("metrics", [])) for each in widgets]
        if len(widgets) > 500 or max(metrics) > 500 or sum(metrics) > 2500:
            yield f"{name}: {len(widgets)} widgets, {sum(metrics)} metrics"


@rule(f"{AWS}/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html", "AWS::Logs::LogGroup")
def logs_are_kept_for_a_time_that_cloudwatch_knows(r: Resources) -> Iterator[str]:
    known = {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
    for name, group in of_type(r, "AWS::Logs::LogGroup").items():
        if int(group["RetentionInDays"]) not in known:
            yield name


# ---- Mail ----


@rule(
    "https://github.com/GSA/data.gov/issues/3810: in SES's sandbox the recipient's identity is asked about as well; "
    f"{AWS}/ses/latest/dg/control-user-access.html",
    ROLE,
)
def mail_may_go_to_a_verified_recipient_and_comes_from_our_own_address(r: Resources) -> Iterator[str]:
    for name, role in of_type(r, ROLE).items():
        for statement in statements(role):
            if "ses:SendRawEmail" in listed(statement["Action"]) and (
                statement["Resource"] != "*" or "ses:FromAddress" not in json.dumps(statement.get("Condition", {}))
            ):
                yield name


@rule(f"{AWS}/ses/latest/dg/creating-identities.html: only its owner's DNS verifies an identity again", IDENTITY)
def an_identity_outlives_the_stack(r: Resources) -> Iterator[str]:
    for name, each in r.items():
        kept = "Retain" in each.get("DeletionPolicy", "") and each.get("UpdateReplacePolicy") == "Retain"
        if each["Type"] == IDENTITY and not kept:
            yield name


@rule(
    f"{AWS}/ses/latest/dg/event-publishing-add-event-destination-sns.html",
    "AWS::SES::ConfigurationSetEventDestination",
    "AWS::SNS::TopicPolicy",
    "AWS::SNS::Subscription",
    TOPIC,
)
def ses_may_publish_and_its_queue_hears_it(r: Resources) -> Iterator[str]:
    policies = [*of_type(r, "AWS::SNS::TopicPolicy").values()]
    heard = {
        target(each["TopicArn"]): target(each["Endpoint"]) for each in of_type(r, "AWS::SNS::Subscription").values()
    }
    for name, each in of_type(r, "AWS::SES::ConfigurationSetEventDestination").items():
        topic = target(each["EventDestination"]["SnsDestination"]["TopicARN"])
        if not any(
            topic in map(target, each["Topics"]) and "ses.amazonaws.com" in json.dumps(each) for each in policies
        ):
            yield f"{name}: SES may not publish to {topic}"
        if heard.get(topic) not in of_type(r, QUEUE):
            yield f"{topic} has no queue"


# ---- Streams and queues ----


@rule(f"{AWS}/amazondynamodb/latest/developerguide/Streams.html: two readers per shard", MAPPING, TABLE)
def a_stream_has_two_readers_at_most(r: Resources) -> Iterator[str]:
    readers = Counter(json.dumps(each["EventSourceArn"]) for each in of_type(r, MAPPING).values() if reads_stream(each))
    yield from (f"{stream}: {count}" for stream, count in readers.items() if count > 2)


@rule(f"{AWS}/lambda/latest/dg/services-ddb-params.html: the defaults are the stream's age, and no limit", MAPPING)
def a_record_that_fails_leaves_the_stream_while_it_can_be_read(r: Resources) -> Iterator[str]:
    for name, each in of_type(r, MAPPING).items():
        if not reads_stream(each):
            continue
        if "DestinationConfig" in each and not 60 <= each.get("MaximumRecordAgeInSeconds", -1) <= STREAM_SECONDS_MAX:
            yield f"{name}: the letter comes when the record is gone"
        if not 0 <= each.get("MaximumRetryAttempts", -1) <= 10_000:
            yield f"{name}: a poisoned record holds its shard"
        if not each.get("BisectBatchOnFunctionError"):
            yield f"{name}: a poisoned record holds its batch"


@rule(f"{AWS}/lambda/latest/dg/monitoring-metrics-types.html: IteratorAge", MAPPING, ALARM)
def a_stream_whose_records_must_not_be_lost_has_an_alarm_on_its_age(r: Resources) -> Iterator[str]:
    watched = {
        target(alarm["Dimensions"][0]["Value"])
        for alarm in of_type(r, ALARM).values()
        if alarm.get("MetricName") == "IteratorAge"
    }
    for name, each in of_type(r, MAPPING).items():
        if reads_stream(each) and "DestinationConfig" in each and target(each["FunctionName"]) not in watched:
            yield name


@rule(f"{AWS}/lambda/latest/dg/services-sqs-parameters.html", MAPPING, QUEUE)
def queues_and_their_functions_agree(r: Resources) -> Iterator[str]:
    queues, functions = of_type(r, QUEUE), of_type(r, FUNCTION)
    for name, each in of_type(r, MAPPING).items():
        queue = queues.get(target(each["EventSourceArn"]))
        if queue is None:
            continue
        if queue.get("VisibilityTimeout", 30) < 6 * functions[target(each["FunctionName"])].get("Timeout", 3):
            yield f"{name}: visible again too soon"
        if each.get("BatchSize", 10) > 10 and not each.get("MaximumBatchingWindowInSeconds"):
            yield f"{name}: a batch of more than 10 needs a window"
        if not 2 <= int(each.get("ScalingConfig", {}).get("MaximumConcurrency", 0)) <= 1000:
            yield f"{name}: it may take every concurrent execution of the account"
        if not queue.get("RedrivePolicy"):
            yield f"{name}: nothing becomes a dead letter"


@rule(
    f"{SQS_GUIDE}/sqs-dead-letter-queues.html: a letter keeps the age that it had in its queue",
    QUEUE,
)
def dead_letters_are_kept_no_shorter_than_their_queues_messages(r: Resources) -> Iterator[str]:
    queues = of_type(r, QUEUE)
    for name, queue in queues.items():
        if "RedrivePolicy" in queue:
            letters = queues[target(queue["RedrivePolicy"]["deadLetterTargetArn"])]
            if letters["MessageRetentionPeriod"] < queue["MessageRetentionPeriod"]:
                yield name


@rule(f"{AWS}/lambda/latest/dg/invocation-recursion.html: a chain of 16 invocations is stopped", FUNCTION, MAPPING)
def a_function_that_sends_to_its_own_queue_allows_it(r: Resources) -> Iterator[str]:
    roles, functions = of_type(r, ROLE), of_type(r, FUNCTION)
    for each in of_type(r, MAPPING).values():
        function = functions[target(each["FunctionName"])]
        for statement in statements(roles[target(function["Role"])]):
            sends = "sqs:SendMessage" in listed(statement["Action"])
            if (
                sends
                and each["EventSourceArn"] in listed(statement["Resource"])
                and function.get("RecursiveLoop") != "Allow"
            ):
                yield target(each["FunctionName"])


@rule(f"{AWS}/lambda/latest/dg/with-eventbridge-scheduler.html: invoked asynchronously", SCHEDULE, INVOKE_CONFIG)
def a_schedule_that_fails_leaves_a_letter(r: Resources) -> Iterator[str]:
    told = {
        target(each["FunctionName"])
        for each in of_type(r, INVOKE_CONFIG).values()
        if "OnFailure" in each.get("DestinationConfig", {})
    }
    for name, each in of_type(r, SCHEDULE).items():
        if (function := target(each["Target"]["Arn"])) not in told:
            yield f"{function}: fails three times without a trace ({name})"


@rule(f"{AWS}/lambda/latest/dg/monitoring-metrics-types.html: Errors, Invocations", SCHEDULE, ALARM)
def a_planner_that_fails_or_does_not_run_rings(r: Resources) -> Iterator[str]:
    watched = {
        (metric["MetricName"], target(metric["Dimensions"][0]["Value"]))
        for alarm in of_type(r, ALARM).values()
        for metric in (alarm, *(each.get("MetricStat", {}).get("Metric", {}) for each in alarm.get("Metrics", [])))
        if metric.get("MetricName") in {"Errors", "Invocations"}
    }
    for each in of_type(r, SCHEDULE).values():
        wanted = ["Errors"] if each.get("State") == "DISABLED" else ["Errors", "Invocations"]
        function = target(each["Target"]["Arn"])
        yield from (f"{function}: {metric}" for metric in wanted if (metric, function) not in watched)


@rule(f"{AWS}/eventbridge/latest/userguide/eb-rule-dlq.html", RULE, QUEUE_POLICY)
def a_rule_may_write_to_its_queues(r: Resources) -> Iterator[str]:
    allowed = {
        (target(resource), target(statement["Condition"]["ArnEquals"]["aws:SourceArn"]))
        for policy in of_type(r, QUEUE_POLICY).values()
        for statement in policy["PolicyDocument"]["Statement"]
        if "Condition" in statement  # another one lets a role send
        for resource in listed(statement["Resource"])
    }
    for name, each in of_type(r, RULE).items():
        for aim in each["Targets"]:
            for arn in (aim["Arn"], aim["DeadLetterConfig"]["Arn"]):
                if (target(arn), name) not in allowed:
                    yield f"{name} may not write to {target(arn)}"


@rule("https://github.com/aws/serverless-application-model/issues/3109", SCHEDULE, LAYER)
def no_name_is_the_logical_id(r: Resources) -> Iterator[str]:
    for name, each in r.items():
        given = {each["Properties"].get("Name"), each["Properties"].get("LayerName")}
        if each["Type"] in {SCHEDULE, LAYER} and given & {name, "Shared"}:
            yield name


# ---- API, people, functions ----


@rule("https://github.com/aws/serverless-application-model/issues/191", DEPLOYMENT, STAGE)
def the_api_has_one_stage_which_is_limited(r: Resources) -> Iterator[str]:
    stages = of_type(r, STAGE)
    names = {each["StageName"] for each in stages.values()}
    for name, each in of_type(r, DEPLOYMENT).items():
        if each.get("StageName") and each["StageName"] not in names:
            yield f"{name} opens a stage {each['StageName']!r} without limits"
    for name, each in stages.items():
        if not any("ThrottlingRateLimit" in settings for settings in each["MethodSettings"]):
            yield f"{name} has no limits"


@rule(f"{AWS}/AmazonS3/latest/userguide/cors.html: the API redirects browsers to this bucket", BUCKET)
def browsers_may_read_what_the_api_links_to(r: Resources) -> Iterator[str]:
    allowed = r["Documents"]["Properties"].get("CorsConfiguration", {}).get("CorsRules", [])
    # A browser's redirected request has the origin "null", which only "*" allows for every page.
    if not any("GET" in each["AllowedMethods"] and "*" in each["AllowedOrigins"] for each in allowed):
        yield "Documents"


@rule(f"{AWS}/AmazonS3/latest/userguide/access-control-block-public-access.html", BUCKET, "AWS::S3::BucketPolicy")
def a_bucket_is_private_and_opens_to_our_own_distribution_alone(r: Resources) -> Iterator[str]:
    for name, bucket in of_type(r, BUCKET).items():
        if not all(bucket["PublicAccessBlockConfiguration"].values()):
            yield name
    for name, policy in of_type(r, "AWS::S3::BucketPolicy").items():
        for each in policy["PolicyDocument"]["Statement"]:
            if each["Effect"] == "Deny":
                continue
            readers, only = each["Principal"], each.get("Condition", {}).get("StringEquals", {})
            # Without the second, any distribution of anybody could read it ("confused deputy").
            if readers != {"Service": "cloudfront.amazonaws.com"} or set(only) != {"aws:SourceArn"}:
                yield name
            if each["Action"] != "s3:GetObject":
                yield name


CLOUDFRONT = f"{AWS}/AmazonCloudFront/latest/DeveloperGuide"
DISTRIBUTION = "AWS::CloudFront::Distribution"


@rule(f"{CLOUDFRONT}/cnames-and-https-requirements.html: an alias needs a certificate of us-east-1", DISTRIBUTION)
def an_alias_has_a_certificate(r: Resources) -> Iterator[str]:
    for name, each in of_type(r, DISTRIBUTION).items():
        configuration = each["DistributionConfig"]
        certificate = configuration["ViewerCertificate"].get("AcmCertificateArn", "")
        if bool(configuration.get("Aliases")) != certificate.startswith("arn:aws:acm:us-east-1:"):
            yield name


@rule(
    f"{CLOUDFRONT}/private-content-restricting-access-to-s3.html", DISTRIBUTION, "AWS::CloudFront::OriginAccessControl"
)
def a_distribution_reads_its_bucket_by_signed_requests(r: Resources) -> Iterator[str]:
    for name, each in of_type(r, DISTRIBUTION).items():
        for origin in each["DistributionConfig"]["Origins"]:
            if "S3OriginConfig" in origin and target(origin.get("OriginAccessControlId")) not in r:
                yield f"{name}: {origin['Id']}"
    for name, each in of_type(r, "AWS::CloudFront::OriginAccessControl").items():
        if each["OriginAccessControlConfig"]["SigningBehavior"] != "always":
            yield name


@rule(
    f"{CLOUDFRONT}/controlling-origin-requests.html: CloudFront forwards Authorization only by a policy that names all "
    "headers, and API Gateway refuses another Host",
    DISTRIBUTION,
)
def the_api_behind_a_distribution_gets_the_token_and_is_never_cached(r: Resources) -> Iterator[str]:
    caching_disabled, all_but_host = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "b689b0a8-53d0-40ab-baf2-68738e2966ac"
    for name, each in of_type(r, DISTRIBUTION).items():
        behaviours = each["DistributionConfig"]["CacheBehaviors"]
        if [(b["PathPattern"], b["CachePolicyId"], b["OriginRequestPolicyId"]) for b in behaviours] != [
            ("/v1/*", caching_disabled, all_but_host)
        ]:
            yield name
        if {*behaviours[0]["AllowedMethods"]} != {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"}:
            yield f"{name}: CloudFront knows these seven methods as a whole only"


@rule(
    f"{CLOUDFRONT}/HTTPStatusCodes.html, {CLOUDFRONT}/custom-error-pages-expiration.html: errors are cached for 10 "
    "seconds by their path alone; no-store prevents that for 404, 410, 414 and 501 only",
    DISTRIBUTION,
)
def an_error_of_one_caller_is_not_answered_to_others(r: Resources) -> Iterator[str]:
    for name, each in of_type(r, DISTRIBUTION).items():
        answers = {one["ErrorCode"]: one for one in each["DistributionConfig"].get("CustomErrorResponses", [])}
        if not {404, 500, 502, 503, 504} <= {code for code, one in answers.items() if one["ErrorCachingMinTTL"] == 0}:
            yield name
        # A page in place of an answer would be one in place of the API's problems, too.
        if any("ResponsePagePath" in one for one in answers.values()):
            yield name


@rule(
    f"{AWS}/AmazonCloudFront/latest/APIReference/API_ResponseHeadersPolicyContentSecurityPolicy.html; "
    "https://www.w3.org/TR/CSP3/",
    "AWS::CloudFront::ResponseHeadersPolicy",
)
def the_page_runs_no_script_of_others(r: Resources) -> Iterator[str]:
    for name, each in of_type(r, "AWS::CloudFront::ResponseHeadersPolicy").items():
        headers = each["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
        policy = json.dumps(headers["ContentSecurityPolicy"]["ContentSecurityPolicy"])
        if "unsafe-" in policy or "default-src 'none'" not in policy or "\\n" in policy:
            yield name


@rule(
    f"{AWS}/cognito/latest/developerguide/managed-login-branding.html: a domain of version 2 has no page for a client "
    "without a style",
    "AWS::Cognito::ManagedLoginBranding",
)
def managed_login_has_a_style_for_the_page(r: Resources) -> Iterator[str]:
    versions = {each.get("ManagedLoginVersion") for each in of_type(r, "AWS::Cognito::UserPoolDomain").values()}
    styled = {target(each["ClientId"]) for each in of_type(r, "AWS::Cognito::ManagedLoginBranding").values()}
    if versions == {2} and styled != {"BillingPageClient"}:
        yield "LogInStyle"


@rule(
    f"{AWS}/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html: RetainExceptOnCreate deletes what a "
    "failed first deployment made",
    TABLE,
    POOL,
)
def a_first_deployment_that_fails_can_be_rolled_back(r: Resources) -> Iterator[str]:
    for name, each in r.items():
        properties = each["Properties"]
        refuses = (
            properties.get("DeletionProtectionEnabled") is True or properties.get("DeletionProtection") == "ACTIVE"
        )
        if each.get("DeletionPolicy") == "RetainExceptOnCreate" and refuses:
            yield f"{name} refuses to be deleted"


@rule(f"{AWS}/cognito/latest/developerguide/user-pool-email.html", POOL)
def a_pool_that_sends_through_ses_names_its_identity(r: Resources) -> Iterator[str]:
    for name, pool in of_type(r, POOL).items():
        sender = pool["EmailConfiguration"]
        if sender["EmailSendingAccount"] == "DEVELOPER" and not {"From", "SourceArn"} <= sender.keys():
            yield name


@rule(
    f"{AWS}/cognito/latest/developerguide/cognito-user-pools-assign-domain-prefix.html", "AWS::Cognito::UserPoolDomain"
)
def a_log_in_domain_has_a_name_that_cognito_takes(r: Resources) -> Iterator[str]:
    for name, each in of_type(r, "AWS::Cognito::UserPoolDomain").items():
        domain = each["Domain"]
        if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", domain) or re.search("aws|amazon|cognito", domain):
            yield name


@rule(f"{LAMBDA_QUOTAS}: 20 KB of policy for a function, about 400 bytes for a permission", "AWS::Lambda::Permission")
def a_functions_own_policy_is_small_enough(r: Resources) -> Iterator[str]:
    granted = Counter(target(each["FunctionName"]) for each in of_type(r, "AWS::Lambda::Permission").values())
    yield from (f"{function}: {count}" for function, count in granted.items() if count * 400 > 20_480)


@rule(LAMBDA_QUOTAS, FUNCTION)
def a_functions_environment_is_small_enough(r: Resources) -> Iterator[str]:
    arn = 130  # bytes of an ARN or URL that AWS makes
    for name, function in of_type(r, FUNCTION).items():
        variables = function.get("Environment", {}).get("Variables", {})
        found = sum(
            len(key.encode()) + (len(value.encode()) if isinstance(value, str) else arn)
            for key, value in variables.items()
        )
        if found > ENVIRONMENT_BYTES_MAX:
            yield f"{name}: {found}"


@rule(f"{AWS}/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html")
def a_stack_has_few_enough_resources(r: Resources) -> Iterator[str]:
    if len(r) > RESOURCES_MAX:
        yield str(len(r))
