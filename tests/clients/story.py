"""The story of a customer that every generated client tells, and what is expected of each answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.company import Company
from tests.contract import document, resolved
from tests.samples import ACCOUNT
from tests.usage import cloud_event

JSON = "application/json"
CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True)
class Step:
    """A call of the client, and the expected answer."""

    name: str
    operation: str
    status: int
    token: str = "admin"
    body: Any = None
    path: dict[str, str] = field(default_factory=dict)
    """Parameters besides the account."""
    of_account: bool = True
    accept: str = JSON
    reads: tuple[str, str] | None = None
    """A member of the typed body, and its value as text; a table's first column."""

    def request(self, company: Company, number: str) -> dict[str, Any]:
        """The step as the clients' programs read it. `number` is that of the company's invoice."""
        account = {"account": company.account} if self.of_account else {}
        parameters = {name: value.replace("{issued}", number) for name, value in self.path.items()}
        return {
            "operation": self.operation,
            "tag": described(self.operation)["tags"][0],
            "token": self.token,
            "accept": self.accept,
            "body": self.body,
            "arguments": {**account, **parameters},
            "reads": self.reads and self.reads[0],
        }

    def faults(self, outcome: Mapping[str, Any]) -> list[str]:
        """What is wrong with a client's outcome of this step."""
        if "failure" in outcome:
            return [f"{self.name}: {outcome['failure']}"]
        answer = resolved(described(self.operation)["responses"][str(self.status)])
        expected = {
            "status": self.status,
            "headers": sorted(answer.get("headers", {})),
            "parsed": "text" if self.accept == CSV else self._schema(answer),
            "read": self.reads and self.reads[1],
        }
        found = {**outcome, "headers": sorted(name for name, value in outcome["headers"].items() if value)}
        return [
            f"{self.name}: {key} is {found.get(key)!r} and not {value!r}: {outcome}"
            for key, value in expected.items()
            if found.get(key) != value
        ]

    def _schema(self, answer: Mapping[str, Any]) -> str | None:
        """The name of the type of the answer's body: of a problem, of a view, or none."""
        if "content" not in answer:
            return None
        [schema] = [each["schema"] for media_type, each in answer["content"].items() if media_type not in {CSV, XLSX}]
        name: str = schema["$ref"].rpartition("/")[2]
        union = document()["components"]["schemas"][name].get("anyOf", ())
        members = [each["$ref"].rpartition("/")[2] for each in union]
        return members[isinstance(self.body, list)] if members else name


def described(operation: str) -> dict[str, Any]:
    """An operation of the document."""
    operations = (each for path in document()["paths"].values() for each in path.values())
    found: dict[str, Any] = next(each for each in operations if each["operationId"] == operation)
    return found


def check(outcomes: Sequence[Mapping[str, Any]], *more: Step) -> None:
    """A client has told the whole story, and has understood every answer."""
    found = [each for step, outcome in zip((*STORY, *more), outcomes, strict=True) for each in step.faults(outcome)]
    assert not found, "\n".join(found)


COLLEAGUE = {"email": "cy@nordlys.example", "name": "Cy", "role": "member"}
WHY = {"reason": "other", "text": "We close the shop.", "confirmed": True, "active_until": "2026-07-15"}
FIRST = {"if_match": '"1"'}
ISSUED = {"number": "{issued}"}
SINGLE = cloud_event("single")
BATCH = [cloud_event("batch-1"), cloud_event("batch-2")]
IN_PART = [*BATCH, cloud_event("batch-3", store="no-such-store")]
COMPANY = {**ACCOUNT["company"], "name": "Nordlys A/S"}
PROBLEM = "urn:livello:problem:"
STALE = f"{PROBLEM}stale-version"

STORY = [
    Step("accounts", "list_accounts", 200, of_account=False, reads=("items.0.account", "nordlys-kaffe")),
    Step("catalogue", "get_catalogue", 200, "staff", of_account=False, reads=("version", "1")),
    Step("billing page", "get_billing", 200, reads=("status", "active")),
    Step("subscription", "get_subscription", 200, reads=("catalogue_version", "1")),
    Step("company", "get_company", 200, reads=("name", "Nordlys Kaffe ApS")),
    Step("change the company", "put_company", 200, body=COMPANY, path=FIRST, reads=("name", "Nordlys A/S")),
    Step("change an older version", "put_company", 412, body=ACCOUNT["company"], path=FIRST, reads=("type", STALE)),
    Step("billing address", "put_billing_details", 200, body=ACCOUNT["billing"], path=FIRST, reads=("language", "en")),
    Step("contact", "put_contact", 200, body=ACCOUNT["contact"], path=FIRST, reads=("name", "Ada Holm")),
    Step("users", "get_users", 200),
    Step("add a user", "put_user", 200, body=COLLEAGUE, reads=("role", "member")),
    Step("remove an unknown user", "delete_user", 404, path={"user": "nobody"}, reads=("type", f"{PROBLEM}not-found")),
    Step("payment details", "get_payment_details", 200, reads=("interval_months", "3")),
    Step("agree on bank transfers", "put_bank_transfer", 200, "staff", reads=("method", "bank_transfer")),
    Step("usage", "report_usage", 202, "machine", SINGLE, of_account=False, reads=("outcome", "accepted")),
    Step("repeated usage", "report_usage", 200, "machine", SINGLE, of_account=False, reads=("outcome", "duplicate")),
    Step("a batch of usage", "report_usage", 200, "machine", BATCH, of_account=False, reads=("accepted", "2")),
    Step("a batch in part", "report_usage", 207, "machine", IN_PART, of_account=False, reads=("rejected", "1")),
    Step("reported usage", "get_usage", 200, reads=("by", "day")),
    Step("reported usage as a table", "get_usage", 200, accept=CSV, reads=("", "period")),
    Step("reduction", "get_reduction", 200, reads=("products.0.product", "search")),
    Step("invoices", "get_invoices", 200, reads=("items.0.total.amount", "36328")),
    Step("invoices as a table", "get_invoices", 200, accept=CSV, reads=("", "number")),
    Step("the next invoice", "get_upcoming_invoice", 200, reads=("net.currency", "EUR")),
    Step("an invoice", "get_invoice", 200, path=ISSUED, reads=("occasion", "period")),
    Step(
        "an unknown invoice",
        "get_invoice",
        404,
        path={"number": "LV-2026-999999"},
        reads=("type", f"{PROBLEM}not-found"),
    ),
    Step("a link to the PDF", "get_pdf", 200, path=ISSUED, reads=("status", "ready")),
    Step("a file to come", "get_xml", 202, path={**ISSUED, "syntax": "ubl"}, reads=("status", "preparing")),
    Step("autoscaling decisions", "get_autoscaling", 200, reads=("items", "[]")),
    Step("events", "get_events", 200),
    Step("reviews", "get_reviews", 200, reads=("items", "[]")),
    Step("ask for the export", "post_export", 202, reads=("status", "preparing")),
    Step("staff cannot cancel", "post_cancellation", 403, "staff", WHY, reads=("type", f"{PROBLEM}forbidden")),
    Step("preview a cancellation", "get_cancellation", 200, reads=("status", "active")),
    Step("cancel", "post_cancellation", 201, body=WHY, reads=("reason", "other")),
    Step("withdraw the cancellation", "delete_cancellation", 204),
    Step(
        "without a token", "list_accounts", 401, "nobody", of_account=False, reads=("type", f"{PROBLEM}unauthenticated")
    ),
]

UNKNOWN_FIELD = Step(
    "a field that nobody knows",
    "put_contact",
    422,
    body={**ACCOUNT["contact"], "fax": "1"},
    path=FIRST,
    reads=("errors.0.pointer", "#/fax"),
)
"""For clients whose types can be got round: a client of another release may send what this one does not know."""
