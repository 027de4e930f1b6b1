"""Runs a customer's story with the Python client that openapi-python-client generates from our OpenAPI document.

`make test-clients` makes the environment for it.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.api_gateway import MACHINE, STAFF
from tests.clients.http_gateway import served
from tests.company import Company
from tests.contract import document
from tests.samples import ACCOUNT
from tests.template import ROOT
from tests.usage import cloud_event

PYTHON = ROOT / ".venvs" / "clients" / "bin" / "python"
DOCUMENT = ROOT / "functions" / "describe_api" / "openapi.json"
RUNNER = Path(__file__).parent / "run_story.py"

pytestmark = pytest.mark.clients


@dataclass(frozen=True)
class Step:
    """A call of the client, and the expected status of its answer."""

    name: str
    operation: str
    status: int
    token: str = "admin"
    body: Any = None
    path: dict[str, str] = field(default_factory=dict)
    """Path parameters besides the account."""
    headers: dict[str, str] = field(default_factory=dict)
    of_account: bool = True

    def request(self, company: Company) -> dict[str, Any]:
        account = {"account": company.account} if self.of_account else {}
        arguments = {**account, **self.path, **self.headers}
        return {
            "operation": self.operation,
            "tag": tag_of(self.operation),
            "token": self.token,
            "body": self.body,
            "arguments": arguments,
        }


def tag_of(operation: str) -> str:
    """The tag of an operation, which is the generated client's package."""
    operations = (each for path in document()["paths"].values() for each in path.values())
    tag: str = next(each["tags"][0] for each in operations if each["operationId"] == operation)
    return tag


COLLEAGUE = {"email": "cy@nordlys.example", "name": "Cy", "role": "member"}
WHY = {"reason": "other", "text": "We close the shop.", "confirmed": True, "active_until": "2026-07-15"}
SECOND = {"if_match": '"1"'}
EVENTS = [cloud_event("batch-1"), cloud_event("batch-2")]
IN_PART = [*EVENTS, cloud_event("batch-3", store="no-such-store")]

STORY = [
    Step("accounts", "list_accounts", 200, of_account=False),
    Step("catalogue", "get_catalogue", 200, "staff", of_account=False),
    Step("billing page", "get_billing", 200),
    Step("subscription", "get_subscription", 200),
    Step("company", "get_company", 200),
    Step("change the company", "put_company", 200, body={**ACCOUNT["company"], "name": "Nordlys A/S"}, headers=SECOND),
    Step("change an older version", "put_company", 412, body=ACCOUNT["company"], headers=SECOND),
    Step("change the billing address", "put_billing_details", 200, body=ACCOUNT["billing"], headers=SECOND),
    Step("change the contact", "put_contact", 200, body=ACCOUNT["contact"], headers=SECOND),
    Step("users", "get_users", 200),
    Step("add a user", "put_user", 200, body=COLLEAGUE),
    Step("remove an unknown user", "delete_user", 404, path={"user": "nobody"}),
    Step("payment details", "get_payment_details", 200),
    Step("agree on bank transfers", "put_bank_transfer", 200, "staff"),
    Step(
        "one event of usage",
        "report_usage",
        202,
        "machine",
        cloud_event("single"),
        of_account=False,
    ),
    Step("a repeated event of usage", "report_usage", 200, "machine", cloud_event("single"), of_account=False),
    Step("a batch of usage", "report_usage", 200, "machine", EVENTS, of_account=False),
    Step(
        "a batch of usage accepted in part",
        "report_usage",
        207,
        "machine",
        IN_PART,
        of_account=False,
    ),
    Step("usage", "get_usage", 200),
    Step("reduction", "get_reduction", 200),
    Step("invoices", "get_invoices", 200),
    Step("the next invoice", "get_upcoming_invoice", 200),
    Step("an unknown invoice", "get_invoice", 404, path={"number": "LV-2026-000001"}),
    Step("autoscaling decisions", "get_autoscaling", 200),
    Step("events", "get_events", 200),
    Step("reviews", "get_reviews", 200),
    Step("staff cannot cancel", "post_cancellation", 403, "staff", WHY),
    Step("preview a cancellation", "get_cancellation", 200),
    Step("cancel", "post_cancellation", 201, body=WHY),
    Step("withdraw the cancellation", "delete_cancellation", 204),
    Step("accounts without a token", "list_accounts", 401, "nobody", of_account=False),
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the generated package."""
    assert PYTHON.exists(), "run make test-clients, which makes the environment"
    folder = tmp_path_factory.mktemp("client") / "livello"
    command = [PYTHON, "-m", "openapi_python_client", "generate", "--path", DOCUMENT, "--output-path", folder]
    environment = {**os.environ, "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}"}
    generated = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, env=environment)
    said = generated.stdout + generated.stderr
    assert (generated.returncode, "warning" in said.lower()) == (0, False), said
    return folder


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Any]:
    """The result of each step by name. The first test runs the whole story and fills it."""
    return {}


def run_story(company: Company, client: Path) -> dict[str, Any]:
    """Runs all steps in one process of the client's environment. Returns the result of each step by name."""
    claims = {"admin": company.admin, "staff": STAFF, "machine": MACHINE}
    steps = [step.request(company) for step in STORY]
    with served(claims) as address:
        finished = subprocess.run(
            [PYTHON, RUNNER],
            env={**os.environ, "PYTHONPATH": str(client)},
            input=json.dumps({"address": address, "steps": steps}),
            capture_output=True,
            text=True,
            check=False,
        )
    assert finished.returncode == 0, finished.stderr
    return dict(zip((step.name for step in STORY), json.loads(finished.stdout), strict=True))


@pytest.mark.parametrize("step", STORY, ids=[step.name for step in STORY])
def test_the_generated_client_reads_every_answer(
    step: Step, outcomes: dict[str, Any], company: Company, client: Path
) -> None:
    if not outcomes:
        outcomes.update(run_story(company, client))
    outcome = outcomes[step.name]

    assert "failure" not in outcome, outcome
    assert outcome["status"] == step.status, outcome
    assert (outcome["parsed"] == "Problem") == (step.status >= 400), outcome
