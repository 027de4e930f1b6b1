"""Bodies of POST /usage: CloudEvents 1.0 (https://github.com/cloudevents/spec) in structured JSON, one or many."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core.core_schema import any_schema

from billing.kernel import money
from billing.kernel.errors import Conflict, Violation
from billing.kernel.quantities import QUANTITY_DECIMALS_MAX, QUANTITY_MAX
from billing.platform.http.answers import JSON, Response
from billing.platform.http.models import ACCOUNT_PATTERN, IDENTIFIER_PATTERN, Amount, Body, Currency, Text, View
from billing.platform.http.problems import Rejected, TooLarge, field_problem, violation_problem
from billing.platform.http.resolver import read_json
from billing.usage.record_usage import IngestResult, Result, UsageReport
from billing.usage.rules import CONVERSIONS_MAX

MEDIA_TYPES = ("application/cloudevents-batch+json", "application/cloudevents+json", JSON)
"""The media types of CloudEvents, and plain JSON for clients that can send nothing else."""

EVENTS_MAX = 1000
BODY_CHARACTERS_MAX = 2 * 1024 * 1024
ID_LENGTH_MAX = 256

_TYPE_PREFIX = "usage."
_EXTENSION = re.compile(r"[a-z0-9]{1,20}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_QUANTITY = re.compile(r"\d{1,10}(\.\d{1,10})?", re.ASCII)
_INTEGER_DIGITS_MAX = 20
_STEP = Decimal(1).scaleb(-QUANTITY_DECIMALS_MAX)


def _quantity(value: object) -> Decimal:
    """Takes a JSON number, or a decimal as text for clients whose numbers are floats. Raises ValueError."""
    if isinstance(value, str) and _QUANTITY.fullmatch(value):
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError('must be a decimal number, such as 0.2 or "0.2"')  # noqa: TRY004 - pydantic reports only this
    quantity = Decimal(value)
    if not quantity.is_finite() or not 0 <= quantity <= QUANTITY_MAX:
        raise ValueError(f"must be between 0 and {QUANTITY_MAX:,}")
    exact = quantity.quantize(_STEP)
    if exact != quantity:
        raise ValueError(f"must have no more than {QUANTITY_DECIMALS_MAX} decimals")
    return exact.normalize()


def _time(value: object) -> object:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError("must be an RFC 3339 time with its offset, such as 2026-11-27T08:30:00Z")
    return value


Quantity = Annotated[
    Decimal,
    BeforeValidator(_quantity),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": int(QUANTITY_MAX)},
                {"type": "string", "pattern": f"^{_QUANTITY.pattern}$", "examples": ["0.2"]},
            ]
        }
    ),
]
Conversions = Annotated[int, Field(strict=True, ge=0, le=CONVERSIONS_MAX)]
EventId = Annotated[str, StringConstraints(min_length=1, max_length=ID_LENGTH_MAX)]
EventSource = Annotated[str, StringConstraints(min_length=1, max_length=ID_LENGTH_MAX, pattern=r"^\S+$")]


class RevenueBody(Body):
    """What the orders were worth, in minor units (ISO 4217)."""

    amount: Amount
    currency: Currency


class UsageData(Body):
    """What was used: `content` names the element that caused it, `conversions` and `revenue` what came of it."""

    quantity: Quantity
    content: Text | None = None
    conversions: Conversions = 0
    revenue: RevenueBody | None = None


class UsageCloudEvent(BaseModel):
    """One report of usage. `type` is usage.<product>, `subject` <account>/<store>; extension attributes are ignored."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    specversion: Literal["1.0"]
    id: EventId
    source: EventSource
    type: Annotated[str, StringConstraints(pattern=rf"^usage\.{IDENTIFIER_PATTERN}$", max_length=50)]
    subject: Annotated[str, StringConstraints(pattern=rf"^{ACCOUNT_PATTERN}/{IDENTIFIER_PATTERN}$", max_length=100)]
    time: Annotated[AwareDatetime, BeforeValidator(_time)]
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str | None = None
    data: UsageData

    @model_validator(mode="after")
    def _only_extensions_beside(self) -> UsageCloudEvent:
        if not all(_EXTENSION.fullmatch(name) for name in self.model_extra or ()):
            raise ValueError("an attribute is no CloudEvents attribute: those are lower-case letters and digits")
        return self

    def report(self) -> UsageReport:
        account, _, store = self.subject.partition("/")
        revenue = self.data.revenue
        return UsageReport(
            source=self.source,
            id=self.id,
            product=self.type.removeprefix(_TYPE_PREFIX),
            account=account,
            store=store,
            content=self.data.content,
            time=self.time,
            quantity=self.data.quantity,
            conversions=self.data.conversions,
            revenue=None if revenue is None else money.Money(revenue.amount, revenue.currency),
        )


_EVENT = TypeAdapter(UsageCloudEvent)


class UsageConflict(Conflict):
    """Another event with this source and id was counted before. Nothing is changed."""

    code = "usage-conflict"

    def __init__(self) -> None:
        super().__init__("An event with this source and id was reported before, and says something else.")


class TooManyEvents(TooLarge):
    """A batch has more than EVENTS_MAX events: it could not be answered in time."""

    code = "too-many-events"


_Outcome = Literal["accepted", "duplicate", "queued", "conflict", "rejected"]


class EventProblemView(View):
    """What is wrong, and where: a JSON pointer into the event. `code` names the rule that refuses the usage."""

    detail: str
    pointer: str
    code: str | None = None


class UsageResultView(View):
    """What became of one event; `status` is that of a request with this event alone.

    `accepted` (202): counted. `duplicate` (200): it was counted before, once. `queued` (202): kept, and counted in a
    moment. `conflict` (409): under its source and id something else was reported before; nothing is changed.
    `rejected` (422): `errors` say why. `source` and `id` are null where they cannot be repeated.
    """

    source: str | None
    id: str | None
    outcome: _Outcome
    status: int
    errors: list[EventProblemView]


class UsageResultsView(View):
    """How many events came to what, and the events' results, in their order."""

    accepted: int
    duplicate: int
    queued: int
    conflict: int
    rejected: int
    results: list[UsageResultView]


STATUS: dict[_Outcome, HTTPStatus] = {
    "accepted": HTTPStatus.ACCEPTED,
    "duplicate": HTTPStatus.OK,
    "queued": HTTPStatus.ACCEPTED,
    "conflict": HTTPStatus.CONFLICT,
    "rejected": HTTPStatus.UNPROCESSABLE_ENTITY,
}


@dataclass(frozen=True, slots=True)
class SentEvents:
    """The parsed body of a request: JSON values that may be usage events. `single` is False for a JSON array."""

    events: list[Any]
    single: bool


EventBody = Annotated[
    SentEvents,
    # OpenAPI describes the events, but pydantic checks nothing here: one bad event must not spoil the others.
    GetPydanticSchema(
        get_pydantic_core_schema=lambda _, __: any_schema(),
        get_pydantic_json_schema=lambda _, handler: handler(
            TypeAdapter(UsageCloudEvent | Annotated[list[UsageCloudEvent], Field(max_length=EVENTS_MAX)]).core_schema
        ),
    ),
]


def read_events(text: str) -> SentEvents:
    """Parses a body. A number that Python cannot read spoils its own event only. Raises Malformed."""
    body = read_json(text, parse_int=_integer, parse_constant=Decimal)
    return SentEvents(body, single=False) if isinstance(body, list) else SentEvents([body], single=True)


class Reported:
    """The usage reports of a body, and the answer to it. Raises TooManyEvents."""

    def __init__(self, sent: SentEvents) -> None:
        if len(sent.events) > EVENTS_MAX:
            raise TooManyEvents(f"A batch has at most {EVENTS_MAX:,} events; this one has {len(sent.events):,}.")
        self._sent = sent
        self._refused: dict[int, list[dict[str, str]]] = {}
        self.reports: list[UsageReport] = []
        """The reports of the valid events, in their order."""
        for place, event in enumerate(self._sent.events):
            try:
                self.reports.append(_EVENT.validate_python(event).report())
            except ValidationError as failure:
                errors = failure.errors(include_url=False, include_context=False, include_input=False)
                self._refused[place] = [field_problem({**each, "loc": ("body", *each["loc"])}) for each in errors]

    def answer(self, results: Sequence[Result]) -> Response[UsageResultView | UsageResultsView]:
        """The response for `results`, one for each of `reports` and in their order.

        A batch has a result for each event, with 200, or with 207 if any is in conflict or rejected. A single event
        outside a batch has its own status; for it, raises UsageConflict or Rejected.
        """
        remaining = iter(results)
        views = [
            _view(event, self._refused[place] if place in self._refused else next(remaining))
            for place, event in enumerate(self._sent.events)
        ]
        if self._sent.single:
            return _single(views[0])
        counts = Counter(view.outcome for view in views)
        all_counted = counts["conflict"] == counts["rejected"] == 0
        body = UsageResultsView(
            accepted=counts["accepted"],
            duplicate=counts["duplicate"],
            queued=counts["queued"],
            conflict=counts["conflict"],
            rejected=counts["rejected"],
            results=views,
        )
        return Response(HTTPStatus.OK if all_counted else HTTPStatus.MULTI_STATUS, JSON, body)


def _single(view: UsageResultView) -> Response[UsageResultView | UsageResultsView]:
    if view.outcome == "conflict":
        raise UsageConflict
    if view.outcome == "rejected":
        raise Rejected([each.model_dump(exclude_none=True) for each in view.errors])
    return Response(view.status, JSON, view)


def _view(event: Any, result: Result | list[dict[str, str]]) -> UsageResultView:
    errors: list[dict[str, str]] = []
    outcome: _Outcome = "rejected"
    if isinstance(result, IngestResult):
        outcome = result.value
    else:
        errors = [violation_problem(result)] if isinstance(result, Violation) else result
    return UsageResultView(
        source=_repeated(event, "source"),
        id=_repeated(event, "id"),
        outcome=outcome,
        status=STATUS[outcome],
        errors=[EventProblemView(**each) for each in errors],
    )


def _repeated(event: Any, name: str) -> str | None:
    """The `source` or `id` of an event; None if it is no text, or too long to repeat in the answer."""
    value = event.get(name) if isinstance(event, dict) else None
    if not isinstance(value, str) or len(value) > ID_LENGTH_MAX:
        return None
    return value.encode(errors="replace").decode()


def _integer(digits: str) -> int | Decimal:
    # Python raises for integers of some thousand digits, and the whole body would be lost with one of them.
    return int(digits) if len(digits) <= _INTEGER_DIGITS_MAX else Decimal(digits)
