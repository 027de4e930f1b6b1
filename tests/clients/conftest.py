"""The account of the customer's story: the sample company, and an invoice of it with all its files but one."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from billing.platform.events.mapping import event_body

from functions.render_documents.app import handler as render
from tests.api_gateway import NOW
from tests.aws import DOCUMENTS, REGION
from tests.company import Company
from tests.functions.ending import Context, events_of, fire, record


@pytest.fixture
def issued(
    company: Company, buckets: Any, stripe_account: Any, work_queue: Any, monkeypatch: pytest.MonkeyPatch
) -> str:
    """The number of the company's invoice, whose UBL is not written yet."""
    fire(NOW, work_queue, monkeypatch, "renewal")
    event = events_of("invoice.issued")[0]
    detail = json.dumps({"detail": json.loads(event_body(event))})
    assert render({"Records": [record(detail)]}, Context()) == {"batchItemFailures": []}
    written = [*boto3.resource("s3", region_name=REGION).Bucket(DOCUMENTS).objects.all()]
    [ubl] = [each for each in written if "ubl" in each.key]
    ubl.delete()
    return str((event.after or {})["number"])
