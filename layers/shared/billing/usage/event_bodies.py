"""Bodies of POST /usage: CloudEvents 1.0.2 (https://github.com/cloudevents/spec), one or many.

They come in each mode of the HTTP binding: structured (an event as JSON), batched (an array of them) and binary (the
attributes as headers, the data as the body). Lines of JSON are a batch as well.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Any, Literal, cast
from urllib.parse import unquote

from pydantic import (
    AfterValidator,
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
from billing.kernel.errors import Conflict, Unprocessable, Violation
from billing.kernel.field_codes import FieldCode, Unfit
from billing.kernel.quantities import QUANTITY_DECIMALS_MAX, QUANTITY_MAX
from billing.platform.http.answers import Response
from billing.platform.http.bodies import Headers, read_json
from billing.platform.http.media_types import JSON, is_json, media_type
from billing.platform.http.models import (
    ACCOUNT_PATTERN,
    IDENTIFIER_PATTERN,
    Amount,
    Body,
    Currency,
    Instant,
    Text,
    View,
)
from billing.platform.http.preferences import APPLIED_STRICTLY
from billing.platform.http.problems import (
    Entry,
    Malformed,
    Rejected,
    TooLarge,
    entry,
    field_problem,
    members,
    violation_problem,
)
from billing.usage.record_usage import IngestResult, Result, UsageReport
from billing.usage.rules import CONVERSIONS_MAX

MEDIA_TYPES = (
    "application/cloudevents-batch+json",
    "application/cloudevents+json",
    JSON,
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/jsonlines",
)
"""The media types of CloudEvents in structured mode; plain JSON for clients that can send nothing else; and an event a
line, which has no registered media type."""

EVENTS_MAX = 1000
BODY_CHARACTERS_MAX = 2 * 1024 * 1024
ID_LENGTH_MAX = 256

_LINES = frozenset(MEDIA_TYPES[3:])
_STRUCTURED = "application/cloudevents"
_HEADER = "ce-"

_TYPE_PREFIX = "usage."
_ATTRIBUTE = re.compile(r"[a-z0-9]+")
"""The name of an attribute. The specification advises at most 20 characters and demands no limit (3.1)."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

_QUANTITY = re.compile(r"\d{1,10}(\.\d{1,10})?", re.ASCII)
_INTEGER_DIGITS_MAX = 20
_STEP = Decimal(1).scaleb(-QUANTITY_DECIMALS_MAX)

_DOUBLE_DIGITS_MAX = 17
_DOUBLE_EXPONENT_MIN = -324
"""No double has more digits or a smaller exponent: such a number was meant exactly, and is not rounded."""


def quantity_of(value: object, *, least: int = 0) -> Decimal:
    """Takes a JSON number, or a decimal as text for clients whose numbers are floats. Raises Unfit.

    A text is exact. A number is mostly a double: it is rounded to the decimals that are counted. `least` is the least
    quantity that is taken.
    """
    digits = value.removeprefix("-") if isinstance(value, str) and least < 0 else value
    is_text = isinstance(digits, str) and _QUANTITY.fullmatch(digits) is not None
    if isinstance(value, bool) or not (is_text or isinstance(value, int | Decimal)):
        raise Unfit('must be a decimal number, such as 0.2 or "0.2"', FieldCode.NOT_A_NUMBER)
    quantity = Decimal(cast(str | int | Decimal, value))
    rounded = _rounded(quantity) if quantity.is_finite() and quantity.adjusted() < _INTEGER_DIGITS_MAX else None
    if rounded is None or not least <= rounded <= QUANTITY_MAX:
        code = FieldCode.TOO_SMALL if quantity.is_signed() else FieldCode.TOO_LARGE
        raise Unfit(f"must be between {least:,} and {QUANTITY_MAX:,}", code, min=least, max=int(QUANTITY_MAX))
    is_double = len(quantity.as_tuple().digits) <= _DOUBLE_DIGITS_MAX and (
        quantity.is_zero() or quantity.adjusted() >= _DOUBLE_EXPONENT_MIN
    )
    if rounded != quantity and (is_text or not is_double):
        detail = f"must have no more than {QUANTITY_DECIMALS_MAX} decimals"
        raise Unfit(detail, FieldCode.TOO_MANY_DECIMALS, decimals=QUANTITY_DECIMALS_MAX)
    return rounded.normalize()


def _rounded(quantity: Decimal) -> Decimal:
    """Rounded half even to the decimals that are counted. A negative zero, as of a difference of doubles, is zero."""
    return quantity.quantize(_STEP) + 0


def _json_type(text: str) -> str:
    """Raises ValueError for the media type of data that is not JSON (CloudEvents JSON format, 3.1)."""
    if not is_json(media_type(text)):
        raise Unfit("must be JSON, as application/json is", FieldCode.UNSUPPORTED, allowed=["application/json"])
    return text


def _without_controls(text: str) -> str:
    """Raises Unfit for characters that no text of CloudEvents has (1.0.2, type system, String)."""
    if _CONTROL.search(text):
        raise Unfit("must not contain control characters", FieldCode.NOT_PLAIN_TEXT)
    return text


Quantity = Annotated[
    Decimal,
    BeforeValidator(quantity_of),
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
EventId = Annotated[str, StringConstraints(min_length=1, max_length=ID_LENGTH_MAX), AfterValidator(_without_controls)]
EventSource = Annotated[
    str,
    StringConstraints(min_length=1, max_length=ID_LENGTH_MAX, pattern=r"^\S+$"),
    AfterValidator(_without_controls),
]


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
    """One report of usage. `type` is usage.<product>, `subject` <account>/<store>; extension attributes are ignored.

    An attribute that is null is one that is not there. Without `time` it happened when it is reported.
    """

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    specversion: Literal["1.0"]
    id: EventId
    source: EventSource
    type: Annotated[str, StringConstraints(pattern=rf"^usage\.{IDENTIFIER_PATTERN}$", max_length=50)]
    subject: Annotated[str, StringConstraints(pattern=rf"^{ACCOUNT_PATTERN}/{IDENTIFIER_PATTERN}$", max_length=100)]
    time: Instant | None = None
    datacontenttype: Annotated[str, AfterValidator(_json_type)] = "application/json"
    dataschema: Annotated[str, StringConstraints(min_length=1)] | None = None
    data: UsageData

    @model_validator(mode="after")
    def _only_extensions_beside(self) -> UsageCloudEvent:
        if not all(_ATTRIBUTE.fullmatch(name) for name in self.model_extra or ()):
            raise Unfit(
                "an attribute is no CloudEvents attribute: those are lower-case letters and digits",
                FieldCode.NOT_AN_ATTRIBUTE,
                pattern=f"^{_ATTRIBUTE.pattern}$",
            )
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


_SAID_OTHERWISE = "An event with this source and id was reported before, and says something else."


class UsageConflict(Conflict):
    """Another event with this source and id was counted before, and is not changed. `errors` name those of a batch."""

    code = "usage-conflict"

    def __init__(self, errors: Sequence[Entry] = (), detail: str = _SAID_OTHERWISE) -> None:
        super().__init__(detail)
        self.errors = errors


@members.register
def _conflicts(error: UsageConflict) -> dict[str, Any]:
    return {"errors": [*error.errors]} if error.errors else {}


class TooManyEvents(TooLarge):
    """A batch has more than EVENTS_MAX events: it could not be answered in time."""

    code = "too-many-events"


_Outcome = Literal["accepted", "duplicate", "queued", "conflict", "rejected"]


class EventProblemView(View):
    """What is wrong, and where: a code with its limits, and a JSON pointer into the event."""

    code: FieldCode
    detail: str
    pointer: str
    limits: dict[str, int | str | list[str]] = Field(default_factory=dict)


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
class Unreadable:
    """An event whose text is not JSON."""

    detail: str


@dataclass(frozen=True, slots=True)
class SentEvents:
    """The parsed body of a request: JSON values that may be usage events. `single` is False for a batch."""

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


def is_binary(headers: Headers) -> bool:
    """Whether a request is an event in binary mode, with JSON as its data (HTTP binding, 3.1).

    Its media type is that of the data. An event in another mode has the media type of that mode.
    """
    sent_as = media_type(headers.get("content-type"))
    is_structured = sent_as.startswith(_STRUCTURED)
    return f"{_HEADER}specversion" in headers and not is_structured and (not sent_as or is_json(sent_as))


def read_events(text: str, headers: Headers) -> SentEvents:
    """Parses a body. A number that Python cannot read spoils its own event only. Raises Malformed."""
    sent_as = media_type(headers.get("content-type"))
    if is_binary(headers):
        return SentEvents([_from_binary(headers, _parsed(text))], single=True)
    if sent_as in _LINES:
        # Only a line feed ends a line. JSON's texts may hold characters at which splitlines would split them.
        return SentEvents([_line(line) for line in text.split("\n") if line.strip()], single=False)
    return events_in(text)


def events_in(text: str) -> SentEvents:
    """Parses an event in structured mode, or a batch. Raises Malformed."""
    body = _parsed(text)
    return SentEvents(body, single=False) if isinstance(body, list) else SentEvents([body], single=True)


def sent_events(message: str) -> Reported:
    """The reports of a message of a queue: an event in structured mode, or a batch. Raises Unprocessable for others."""
    try:
        return Reported(events_in(message))
    except (Malformed, TooManyEvents) as wrong:
        raise Unprocessable(wrong.detail) from None


def _parsed(text: str) -> Any:
    return read_json(text, parse_int=_integer, parse_constant=Decimal)


def _line(line: str) -> Any:
    try:
        return _parsed(line)
    except Malformed as malformed:
        return Unreadable(malformed.detail)


def _from_binary(headers: Headers, data: Any) -> dict[str, Any]:
    """The event of a request in binary mode. Content-Type is its datacontenttype."""
    attributes = {
        # A header "ce-data" is no attribute: with its dash it is refused as one.
        name if name in {f"{_HEADER}data", f"{_HEADER}data_base64"} else name.removeprefix(_HEADER): _unescaped(value)
        for name, value in headers.items()
        if name.startswith(_HEADER) and name != f"{_HEADER}datacontenttype"
    }
    return {**attributes, "datacontenttype": headers.get("content-type"), "data": data}


def _unescaped(value: str) -> str:
    """The value of an attribute in a header: out of its quotes, and percent-decoded once (HTTP binding, 3.1.3.2)."""
    quoted = _QUOTED.fullmatch(value)
    return unquote(value if quoted is None else _ESCAPED.sub(r"\1", quoted[1]), errors="replace")


_QUOTED = re.compile(r'\s*"((?:[^"\\]|\\.)*)"\s*', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Reported:
    """The usage reports of a body, and the answer to it. Raises TooManyEvents.

    `strict` is for all or nothing: a batch with a rejected event must not be counted at all.
    """

    def __init__(self, sent: SentEvents, *, strict: bool = False) -> None:
        if len(sent.events) > EVENTS_MAX:
            raise TooManyEvents(f"A batch has at most {EVENTS_MAX:,} events; this one has {len(sent.events):,}.")
        self._sent = sent
        self._strict = strict and not sent.single
        self._refused: dict[int, list[Entry]] = {}
        self.reports: list[UsageReport] = []
        """The reports of the valid events, in their order."""
        for place, event in enumerate(self._sent.events):
            report = _report_of(event)
            if isinstance(report, UsageReport):
                self.reports.append(report)
            else:
                self._refused[place] = report

    @property
    def is_to_be_whole(self) -> bool:
        """Whether nothing is to be counted if one event is rejected."""
        return self._strict

    @property
    def is_spoiled(self) -> bool:
        """Whether an event is rejected already, for its form."""
        return bool(self._refused)

    def codes(self, results: Sequence[Result | None]) -> Counter[str]:
        """How often each code is why an event is not counted. An event counts once, with its first code."""
        errors = [*self._refused.values(), *map(_errors, results)]
        return Counter(each[0]["code"] for each in errors if each)

    def counts(self, results: Sequence[Result | None]) -> dict[str, int]:
        """How many events had each outcome. Raises Unprocessable, with the codes, if any is rejected or in conflict."""
        wrong = self.codes(results)
        if wrong:
            said = ", ".join(f"{code} {events}" for code, events in wrong.most_common())
            raise Unprocessable(f"{wrong.total()} of {len(self._sent.events)} events are not counted: {said}.")
        return dict(Counter(each.value for each in results if isinstance(each, IngestResult)))

    def answer(self, results: Sequence[Result | None]) -> Response[UsageResultView | UsageResultsView]:
        """The response for `results`, one for each of `reports` and in their order.

        A batch has a result for each event, with 200, or with 207 if any is in conflict or rejected. A single event
        outside a batch has its own status; for it, raises UsageConflict or Rejected. A strict batch is answered with
        200; for it, raises Rejected if any event is rejected, and UsageConflict if any is in conflict.
        """
        remaining = iter(results)
        judged = [
            self._refused[place] if place in self._refused else next(remaining)
            for place in range(len(self._sent.events))
        ]
        if self._strict:
            _require_whole(judged)
        views = [_view(event, result) for event, result in zip(self._sent.events, judged, strict=True) if result]
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
        headers = {**APPLIED_STRICTLY} if self._strict else {}
        return Response(HTTPStatus.OK if all_counted else HTTPStatus.MULTI_STATUS, JSON, body, headers=headers)


def _report_of(event: Any) -> UsageReport | list[Entry]:
    """The report of a JSON value, or why it is none."""
    if isinstance(event, Unreadable):
        return [entry(FieldCode.MALFORMED, event.detail, ())]
    if isinstance(event, dict):
        # "Unset attributes MAY be encoded to the JSON value of null" (JSON format, 2.2).
        event = {name: value for name, value in event.items() if value is not None}
        if "data_base64" in event:
            data = _decoded(event)
            if isinstance(data, list):
                return data
            event = {**{name: event[name] for name in event if name != "data_base64"}, **data}
    try:
        return _EVENT.validate_python(event).report()
    except ValidationError as failure:
        errors = failure.errors(include_url=False, include_input=False)
        return [field_problem({**each, "loc": ("body", *each["loc"])}) for each in errors]


def _decoded(event: dict[str, Any]) -> dict[str, Any] | list[Entry]:
    """The data of an event that has it as bytes (JSON format, 3.1.1), or what is wrong with it."""
    place = ("data_base64",)
    if "data" in event:
        return [entry(FieldCode.NOT_TOGETHER, "data and data_base64 exclude each other", place)]
    try:
        return {"data": _parsed(base64.b64decode(event["data_base64"], validate=True).decode())}
    except (TypeError, ValueError, Malformed):  # no text, no base64, no UTF-8; no JSON
        return [entry(FieldCode.MALFORMED, "must be JSON in base64", place)]


def _require_whole(judged: Sequence[Result | list[Entry] | None]) -> None:
    """Raises Rejected or UsageConflict for a strict batch with such an event. The pointers are into the batch."""
    rejected = {place: _errors(each) for place, each in enumerate(judged) if isinstance(each, Violation | list)}
    if rejected:
        detail = f"{len(rejected)} of {len(judged)} events are rejected, so nothing of this batch is counted."
        raise Rejected(_in_batch(rejected), detail, APPLIED_STRICTLY)
    conflicts = {place: _errors(each) for place, each in enumerate(judged) if each is IngestResult.CONFLICT}
    if conflicts:
        detail = f"{len(conflicts)} of {len(judged)} events say something else than before. The others are counted."
        raise UsageConflict(_in_batch(conflicts), detail)


def _in_batch(errors: Mapping[int, list[Entry]]) -> list[Entry]:
    """The entries about events by their place, with pointers into the batch."""
    return [
        {**each, "pointer": f"#/{place}{each['pointer'].removeprefix('#')}"}
        for place, of_event in errors.items()
        for each in of_event
    ]


def _errors(result: Result | list[Entry] | None) -> list[Entry]:
    """Why an event is not counted; none for an event that is."""
    if isinstance(result, Violation):
        return [violation_problem(result)]
    if result is IngestResult.CONFLICT:
        return [entry(FieldCode.CONFLICT, _SAID_OTHERWISE, ("id",))]
    return result if isinstance(result, list) else []


def _single(view: UsageResultView) -> Response[UsageResultView | UsageResultsView]:
    if view.outcome == "conflict":
        raise UsageConflict
    if view.outcome == "rejected":
        raise Rejected([each.model_dump(mode="json", exclude_defaults=True) for each in view.errors])
    return Response(view.status, JSON, view)


def _view(event: Any, result: Result | list[Entry]) -> UsageResultView:
    outcome: _Outcome = result.value if isinstance(result, IngestResult) else "rejected"
    return UsageResultView(
        source=_repeated(event, "source"),
        id=_repeated(event, "id"),
        outcome=outcome,
        status=STATUS[outcome],
        errors=[EventProblemView(**each) for each in _errors(result)],
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
