"""What a deployment takes of AWS's quotas: counted in the transformed template, in its largest form.

`make aws-limits` writes the table into docs/deploy.md, and a test compares the two. tests/aws_rules.py judges each
single resource; here is what they are together. A default quota is AWS's in a new account: docs/deploy.md says which
ones to raise.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.architecture.test_layer import SIZE_MAX
from tests.aws_rules import (
    ALARM,
    API_QUOTAS,
    AWS,
    BUCKET,
    ENVIRONMENT_BYTES_MAX,
    EVENTS_QUOTAS,
    FUNCTION,
    LAMBDA_QUOTAS,
    LOGS_QUOTAS,
    MAPPING,
    METRIC_FILTER,
    OUTPUTS_MAX,
    PARAMETERS_MAX,
    QUEUE,
    RESOURCES_MAX,
    REST_API,
    ROLE,
    RULE,
    SCHEDULE,
    SECRET,
    SQS_GUIDE,
    TABLE,
    TEMPLATE_BYTES_MAX,
    TOPIC,
    of_type,
    reads_stream,
)
from tests.transformed import Resources, resolved, whole

LARGEST = {
    "Stage": "prod",
    "InvoiceArchiveYears": "10",
    "StaffAddress": "staff@example.com",
    "ReplyToAddress": "help@example.com",
    "VatNumberCheck": "on",
    "CreateSenderIdentity": "true",
    "LogInCodesThroughSes": "true",
}
"""The parameters with which everything exists."""

CLOUDFORMATION_QUOTAS = f"{AWS}/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"
ALARM_QUOTAS = f"{AWS}/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"
BUCKET_QUOTAS = f"{AWS}/AmazonS3/latest/userguide/BucketRestrictions.html"
SCHEDULER_QUOTAS = f"{AWS}/scheduler/latest/UserGuide/scheduler-quotas.html"
SECRET_QUOTAS = f"{AWS}/secretsmanager/latest/userguide/reference_limits.html"
STREAM_QUOTAS = f"{AWS}/amazondynamodb/latest/developerguide/Streams.html"
TABLE_QUOTAS = f"{AWS}/amazondynamodb/latest/developerguide/ServiceQuotas.html"
IAM_QUOTAS = f"{AWS}/IAM/latest/UserGuide/reference_iam-quotas.html"
MEGABYTE = 1_000_000

QUEUE_CONCURRENCY_MIN = 2
"""The least concurrency that Lambda takes for a queue:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html"""


@dataclass(frozen=True, slots=True)
class Row:
    """How much there is of something, AWS's quota, and where AWS says so. `most` None: AWS names no quota."""

    what: str
    count: float
    most: float | None
    source: str


def largest() -> Resources:
    """The resources of the deployment in which everything exists."""
    return resolved(LARGEST)


def concurrency(resources: Resources) -> tuple[int, int]:
    """How many executions the queues' workers take at most: with the defaults, and with the least that AWS allows."""
    queues = [each for each in of_type(resources, MAPPING).values() if not reads_stream(each)]
    limits = [int(each["ScalingConfig"]["MaximumConcurrency"]) for each in queues]
    return sum(limits), QUEUE_CONCURRENCY_MIN * len(limits)


def watched_metrics(alarm: Mapping[str, Any]) -> int:
    """How many metrics an alarm watches: CloudWatch bills each."""
    return sum("MetricStat" in each for each in alarm.get("Metrics", [])) or 1


def rows() -> list[Row]:
    """Every count with its quota. Transforms the template, which takes about two seconds."""
    template, resources = whole(), largest()
    kinds = Counter(each["Type"] for each in resources.values())
    mappings = of_type(resources, MAPPING)
    streams = sum(map(reads_stream, mappings.values()))
    functions = of_type(resources, FUNCTION).values()
    environments = [len(json.dumps(each.get("Environment", {}).get("Variables", {}))) for each in functions]
    [api] = of_type(resources, REST_API).values()
    [table] = of_type(resources, TABLE).values()
    workers, _ = concurrency(resources)
    megabytes = round(len(json.dumps(template)) / MEGABYTE, 2)
    return [
        Row("resources of the stack", len(resources), RESOURCES_MAX, CLOUDFORMATION_QUOTAS),
        Row("parameters", len(template["Parameters"]), PARAMETERS_MAX, CLOUDFORMATION_QUOTAS),
        Row("outputs", len(template["Outputs"]), OUTPUTS_MAX, CLOUDFORMATION_QUOTAS),
        Row("template, MB", megabytes, TEMPLATE_BYTES_MAX / MEGABYTE, CLOUDFORMATION_QUOTAS),
        Row("layer unpacked, MB at most", SIZE_MAX // 1024**2, 250, LAMBDA_QUOTAS),
        Row("largest environment of a function, bytes", max(environments), ENVIRONMENT_BYTES_MAX, LAMBDA_QUOTAS),
        Row("concurrent executions of the queues' workers", workers, 1000, LAMBDA_QUOTAS),
        Row("functions", kinds[FUNCTION], None, LAMBDA_QUOTAS),
        Row("event source mappings of queues", len(mappings) - streams, None, LAMBDA_QUOTAS),
        Row("readers of the table's stream", streams, 2, STREAM_QUOTAS),
        Row("indexes of the table", len(table["GlobalSecondaryIndexes"]), 20, TABLE_QUOTAS),
        Row(
            "operations of the API, with those of CORS", sum(map(len, api["Body"]["paths"].values())), None, API_QUOTAS
        ),
        Row("roles, of an account", kinds[ROLE], 1000, IAM_QUOTAS),
        Row("queues", kinds[QUEUE], None, f"{SQS_GUIDE}/quotas-queues.html"),
        Row("rules of the bus", kinds[RULE], 300, EVENTS_QUOTAS),
        Row("schedules, of an account", kinds[SCHEDULE], 1_000_000, SCHEDULER_QUOTAS),
        Row("alarms, of a region", kinds[ALARM], 5000, ALARM_QUOTAS),
        Row("metric filters of the log group", kinds[METRIC_FILTER], 100, LOGS_QUOTAS),
        Row("topics, of an account", kinds[TOPIC], 100_000, f"{AWS}/general/latest/gr/sns.html"),
        Row("buckets, of an account", kinds[BUCKET], 10_000, BUCKET_QUOTAS),
        Row("secrets, of a region", kinds[SECRET], 500_000, SECRET_QUOTAS),
    ]


def table() -> str:
    """The rows as a table of Markdown."""
    lines = ["| | here | quota |", "| --- | --- | --- |"]
    lines += [
        f"| {each.what} | {each.count:,} | "
        + ("none" if each.most is None else f"[{each.most:,.0f}]({each.source})")
        + " |"
        for each in rows()
    ]
    return "\n".join(lines)
