"""POST /usage: the vendor's product reports usage. Each event is counted exactly once."""

import os
from datetime import timedelta
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Body
from billing.platform.http.answers import Documented, Response
from billing.platform.http.callers import MachineContext
from billing.platform.http.preferences import Prefer, prefers_strict
from billing.platform.http.resolver import entrypoint, make_api
from billing.platform.retry import RetryBudget
from billing.usage.event_bodies import (
    BODY_CHARACTERS_MAX,
    MEDIA_TYPES,
    EventBody,
    Reported,
    UsageResultsView,
    UsageResultView,
    is_binary,
    read_events,
)
from billing.usage.record_usage import record_usage
from billing.usage.rejected_usage import note_rejected
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
    body: Annotated[EventBody, Body()],
    context: MachineContext,
    store: Usage,
    backlog: Backlog,
    prefer: Prefer = None,
) -> Reports:
    """Report usage: one CloudEvent, or a batch of them."""
    reported = Reported(body, strict=prefers_strict(prefer))
    results = record_usage(
        reported.reports,
        context=context,
        reported_within=timedelta(days=int(os.environ["USAGE_REPORTED_WITHIN_DAYS"])),
        budget=RetryBudget(BUDGET_SECONDS),
        store=store,
        backlog=backlog,
        whole=reported.is_to_be_whole,
        spoiled=reported.is_spoiled,
    )
    note_rejected(reported.codes(results), context=context, store=store)
    return reported.answer(results)


handler = entrypoint(app, media_types=MEDIA_TYPES, takes=is_binary, characters_max=BODY_CHARACTERS_MAX)
