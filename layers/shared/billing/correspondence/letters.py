"""Writes the mail about an event: the words of a language's templates, as plain text and as HTML.

A template is written once, of parts that exist twice, in plain_text and in languages/components.html. So the text
and the HTML cannot say different things.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.environment import TemplateModule

from billing.correspondence import plain_text
from billing.correspondence.audiences import Attachment, Letter, LetterContext, Recipient, Vendor
from billing.correspondence.calendar_file import calendar_file
from billing.correspondence.event_kinds import AnyEvent
from billing.invoicing.event_schemas import CreditNoteIssued, InvoiceIssued
from billing.languages import FOLDER, LANGUAGES
from billing.languages.formats import brand, day_before, formats, local_day
from billing.platform.events.facts import MoneyFacts
from billing.scaling.event_schemas import (
    AutoscalingFacts,
    ReviewBooked,
    ReviewCancelled,
    ReviewDeclined,
    ReviewFacts,
    SubscriptionAutoscaled,
    SubscriptionTierLowered,
)

MAILED = frozenset(path.stem for path in FOLDER.glob("*/mail/*.jinja"))
"""The kinds of events that there is a mail about."""

SUBJECT = "Subject: "
"""How the first line of each template begins."""

SUBJECT_LETTERS_MAX = 150
PREVIEW_LETTERS_MAX = 140

# What would break a header or a line, and what turns the direction of writing: a name may hold it, a mail may not.
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_INVISIBLE = re.compile(r"[\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


class NoSuchMail(LookupError):
    """There is no mail about this kind of event, or none in this language."""


@dataclass(frozen=True, slots=True)
class _Writing:
    """A language in one of the two forms of a mail."""

    environment: Environment
    page: str

    def body(self, kind: str, context: dict[str, Any]) -> tuple[str, str]:
        """The first line, and what follows."""
        subject, _, body = self.environment.get_template(f"mail/{kind}.jinja").render(context).partition("\n")
        return subject, body

    def said(self, word: str, *about: str) -> str:
        """One of the language's own words."""
        macro: Any = self.environment.globals[word]
        return str(macro(*about))

    def whole(self, body: str, context: dict[str, Any]) -> str:
        """The body between greeting and footer."""
        return self.environment.get_template(self.page).render(context, body=body)


def letter(
    event: AnyEvent, situation: LetterContext, recipient: Recipient, vendor: Vendor, document: bytes | None = None
) -> Letter:
    """The mail about the event to one recipient; the same arguments give the same bytes.

    `document` is the PDF of an invoice or a credit note. Raises NoSuchMail.
    """
    if event.type not in MAILED or situation.language not in LANGUAGES:
        raise NoSuchMail(f"there is no mail about {event.type} in the language {situation.language!r}")
    event = type(event).model_validate(_harmless(event.model_dump()))
    recipient = Recipient(_harmless(recipient.email), _harmless(recipient.name))
    context = {
        "kind": event.type,
        "time": event.time,
        "before": event.before,
        "after": event.after,
        "account_id": event.account,
        "account": _harmless(situation.account_name),
        "actor": _harmless(situation.actor_name),
        "language": situation.language,
        "time_zone": situation.time_zone,
        "recipient": recipient,
        "vendor": vendor,
    }
    first_line, body = _text(situation.language).body(event.type, context)
    subject = _shortened(plain_text.squeezed(first_line.removeprefix(SUBJECT)), SUBJECT_LETTERS_MAX)
    body = plain_text.tidied(body)
    preview = _shortened(plain_text.squeezed(body.partition("\n\n")[0]), PREVIEW_LETTERS_MAX)
    text = plain_text.tidied(_text(situation.language).whole(body, context)) + "\n"
    _, html_body = _html(situation.language).body(event.type, context)
    html = _html(situation.language).whole(html_body, {**context, "subject": subject, "preview": preview})
    return Letter(subject, text, html, _attachments(event, context, document))


def _attachments(event: AnyEvent, context: dict[str, Any], document: bytes | None) -> tuple[Attachment, ...]:
    if isinstance(event, InvoiceIssued | CreditNoteIssued) and document is not None:
        return (Attachment(f"{_file_name(event.after.number)}.pdf", "application/pdf", document),)
    match event:
        case SubscriptionAutoscaled():
            return (_usage_picture(event.after, context["language"]),)
        case ReviewBooked():
            return (_calendar_file(event.after, context, cancelled=False),)
        case ReviewCancelled():
            return (_calendar_file(event.before, context, cancelled=True),)
        case ReviewDeclined() | SubscriptionTierLowered() if event.after.appointment_cancelled:
            return (_calendar_file(event.after.appointment, context, cancelled=True),)
    return ()


def _calendar_file(review: ReviewFacts, context: dict[str, Any], *, cancelled: bool) -> Attachment:
    words = _text(context["language"])
    title = words.said("review_title", context["account"])
    description = f"{words.said('billing_page')}: {context['vendor'].billing_page}"
    return calendar_file(review, context["time"], context["recipient"], title, description, cancelled=cancelled)


def _usage_picture(facts: AutoscalingFacts, language: str) -> Attachment:
    from billing.correspondence.usage_picture import usage_picture  # only this mail loads what draws

    written, limit = formats(language), Decimal(facts.before.up_to or 0)
    weeks = [(written.short_day(week.first_day), week.pace) for week in facts.weeks]
    return Attachment("usage.png", "image/png", usage_picture(weeks, limit, written.quantity(limit)), inline="usage")


def less(money: MoneyFacts, other: MoneyFacts) -> MoneyFacts:
    """What is left of an amount without another of the same currency."""
    return MoneyFacts(amount=money.amount - other.amount, currency=money.currency)


@cache
def _text(language: str) -> _Writing:
    environment = _environment(language, escaped=False)
    environment.globals.update(plain_text.COMPONENTS)
    return _with_words(environment, "page.txt")


@cache
def _html(language: str) -> _Writing:
    environment = _environment(language, escaped=True)
    environment.globals.update(_macros(environment.get_template("components.html").module))
    return _with_words(environment, "page.html")


def _with_words(environment: Environment, page: str) -> _Writing:
    environment.globals.update(_macros(environment.get_template("words.jinja").module))
    return _Writing(environment, page)


def _environment(language: str, *, escaped: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader([FOLDER / language, FOLDER]),
        autoescape=escaped,  # noqa: S701 - the other form is plain text, where nothing is to be escaped
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    written = formats(language)
    environment.filters.update(
        brand=brand,
        country=written.country,
        language=written.language,
        day=written.day,
        day_before=day_before,
        instant=written.instant,
        less=less,
        local_day=local_day,
        listing=written.listing,
        meeting=written.meeting,
        money=written.money,
        month=written.month,
        percent=written.percent,
        quantity=written.quantity,
        prose=plain_text.prose,
    )
    return environment


def _macros(module: TemplateModule) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if not name.startswith("_")}


def _printable(value: Any) -> Any:
    """What a template prints. Raises ValueError for None: the template has forgotten that it may be missing."""
    if value is None:
        raise ValueError("a template prints a value that is missing")
    return value


def _harmless(value: Any) -> Any:
    """A value as it may stand in a mail: each text in it on one line, and written in the direction of the rest."""
    if isinstance(value, str):
        return _INVISIBLE.sub("", _BREAKS.sub(" ", value)).strip()
    if isinstance(value, dict):
        return {_harmless(key): _harmless(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_harmless(each) for each in value]
    return value


def _shortened(words: str, letters_max: int) -> str:
    return words if len(words) <= letters_max else words[: letters_max - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def _file_name(number: str) -> str:
    return re.sub(r"[^\w.-]", "-", number)
