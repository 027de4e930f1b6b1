"""POST /usage: the vendor's product reports usage. Each event is counted exactly once."""

import os
from datetime import timedelta
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Body
from billing.platform.http.answers import Documented, Response
from billing.platform.http.callers import MachineContext
from billing.platform.http.resolver import entrypoint, make_api
from billing.platform.retry import RetryBudget
from billing.usage.event_bodies import (
    BODY_CHARACTERS_MAX,
    MEDIA_TYPES,
    EventBody,
    Reported,
    UsageResultsView,
    UsageResultView,
    read_events,
)
from billing.usage.record_usage import record_usage
from billing.wiring import Backlog, Usage

BUDGET_SECONDS = 3.0
"""How long a request waits for busy counters before its events are queued."""

Reports = Response[
    Annotated[
        UsageResultView | UsageResultsView,
        Documented(200, schema="ReportedUsageView"),
        Documented(202, schema="UsageResultView"),  # a single event
        Documented(207, schema="UsageResultsView"),  # a batch
    ]
]

app = make_api(read_events)


@app.post("/usage")
def report_usage(
    body: Annotated[EventBody, Body()], context: MachineContext, store: Usage, backlog: Backlog
) -> Reports:
    """Report usage: one CloudEvent, or a batch of them."""
    reported = Reported(body)
    results = record_usage(
        reported.reports,
        context=context,
        reported_within=timedelta(days=int(os.environ["USAGE_REPORTED_WITHIN_DAYS"])),
        budget=RetryBudget(BUDGET_SECONDS),
        store=store,
        backlog=backlog,
    )
    return reported.answer(results)


handler = entrypoint(app, media_types=MEDIA_TYPES, characters_max=BODY_CHARACTERS_MAX)
