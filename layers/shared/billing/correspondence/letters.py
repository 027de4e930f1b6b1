"""Renders the mail about an event, in the recipient's language, as plain text and as HTML.

Each mail has one template per language. The template uses components that exist twice: in plain_text.py and in
languages/components.html. So the text and the HTML always say the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.environment import TemplateModule

from billing.accounts.event_schemas import UserRemoved
from billing.correspondence import plain_text
from billing.correspondence.audiences import Attachment, Letter, LetterContext, Recipient, Vendor
from billing.correspondence.calendar_file import calendar_file
from billing.correspondence.event_kinds import AnyEvent
from billing.ending.event_schemas import AccountMoneyOpen, OpenClaimChanged
from billing.invoicing.event_schemas import CreditNoteIssued, InvoiceIssued
from billing.kernel.account_ids import clock_of
from billing.kernel.page_addresses import Screen, home_address, screen_address
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
"""The event types that have a mail template."""

SUBJECT = "Subject: "
"""The prefix of each template's first line."""

SUBJECT_LETTERS_MAX = 150
PREVIEW_LETTERS_MAX = 140

# Control characters break headers and lines; direction marks reorder text. Names may contain both, mails must not.
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_INVISIBLE = re.compile(r"[\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")

_LINK_PARTS = re.compile(r"(?<=[^\W_])[.\u3002\uff0e\uff61](?=[^\W\d_])|:(?=//)")
"""A dot within a domain, or the colon of a scheme: what mail programs recognise a link by."""

_ADDRESS = re.compile(r"[^\s@:/?#]+@[^\s@:/?#]+")
"""A mail address. What has a scheme or a path is a link, even with an @ in it (RFC 3986, 3.2.1)."""

_OUR_LINKS = frozenset({"authenticate_at", "invoice_at", "place"})
"""Facts that may be links: the page of the bank or of an invoice, and where staff hold a review."""

_LINK_BREAK = "\u200b"
"""The zero width space: no domain may contain it (RFC 5892), and nobody sees it."""


_NUMBER = re.compile(r"[A-Za-z0-9-]+")
"""The number of an invoice or credit note (billing.invoicing.numbering), or another part of a screen."""


class NoSuchMail(LookupError):
    """There is no mail template for this event type, or none in this language."""


@dataclass(frozen=True, slots=True)
class _Renderer:
    """Renders a language's templates in one of the two forms, plain text or HTML. `page` is the layout's file name."""

    environment: Environment
    page: str

    def body(self, kind: str, context: dict[str, Any]) -> tuple[str, str]:
        """The rendered template of an event type: its first line (the subject) and the rest."""
        subject, _, body = self.environment.get_template(f"mail/{kind}.jinja").render(context).partition("\n")
        return subject, body

    def phrase(self, name: str, *arguments: str) -> str:
        """A phrase of the language: a macro of its words.jinja."""
        macro: Any = self.environment.globals[name]
        return str(macro(*arguments))

    def full_page(self, body: str, context: dict[str, Any]) -> str:
        """The body with greeting and footer."""
        return self.environment.get_template(self.page).render(context, body=body)


def letter(
    event: AnyEvent, letter_context: LetterContext, recipient: Recipient, vendor: Vendor, document: bytes | None = None
) -> Letter:
    """The mail about the event to one recipient. The same arguments give the same bytes.

    `document` is the PDF of an invoice or a credit note. Raises NoSuchMail for an event type or a language without a
    template.
    """
    if event.type not in MAILED or letter_context.language not in LANGUAGES:
        raise NoSuchMail(f"there is no mail about {event.type} in the language {letter_context.language!r}")
    screen = _screens(vendor.billing_page, event.account)
    event = type(event).model_validate({**_sanitized(event.model_dump()), "type": event.type})
    recipient = replace(recipient, email=_sanitized(recipient.email), name=_sanitized(recipient.name))
    context = {
        "kind": event.type,
        "time": event.time,
        "before": event.before,
        "after": event.after,
        "account_id": event.account,
        "account": _sanitized(letter_context.account_name),
        "actor": _sanitized(letter_context.actor_name),
        "actor_email": _sanitized(letter_context.actor_email),
        "actor_kind": event.actor.kind,
        "actor_user": event.actor.user,
        "language": letter_context.language,
        "time_zone": letter_context.time_zone,
        "recipient": recipient,
        "vendor": vendor,
        "screen": screen,
        "home": screen(Screen.OVERVIEW) if _has_account(event, recipient) else home_address(vendor.billing_page),
    }
    first_line, body = _text(letter_context.language).body(event.type, context)
    clock = clock_of(event.account)
    mark = "" if clock is None else f"[TEST {clock}] "
    subject = _shortened(mark + plain_text.squeezed(first_line.removeprefix(SUBJECT)), SUBJECT_LETTERS_MAX)
    body = plain_text.tidied(body)
    preview = _shortened(plain_text.squeezed(body.partition("\n\n")[0]), PREVIEW_LETTERS_MAX)
    text = plain_text.tidied(_text(letter_context.language).full_page(body, context)) + "\n"
    _, html_body = _html(letter_context.language).body(event.type, context)
    html = _html(letter_context.language).full_page(html_body, {**context, "subject": subject, "preview": preview})
    return Letter(subject, text, html, _attachments(event, context, document))


def _screens(page: str, account: str | None) -> Callable[..., str]:
    """What gives templates the address of a screen of the account: screen("invoices", number)."""

    def screen(name: str, part: str | None = None) -> str:
        if account is None:
            raise ValueError("a mail about no account links to no screen of one")
        # No words that somebody has typed become part of an address.
        known = part if part is not None and _NUMBER.fullmatch(part) else None
        return screen_address(page, account, Screen(name), known)

    return screen


def _has_account(event: AnyEvent, recipient: Recipient) -> bool:
    """Whether the account of a mail is there, and its recipient may see it."""
    match event:
        case OpenClaimChanged():
            return False
        case AccountMoneyOpen():
            return event.after.stage != "deleted"
        case UserRemoved():
            return not recipient.is_concerned
    return event.account is not None


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
    renderer = _text(context["language"])
    title = renderer.phrase("review_title", context["account"])
    description = f"{renderer.phrase('billing_page')}: {context['screen'](Screen.REVIEWS)}"
    return calendar_file(review, context["time"], context["recipient"], title, description, cancelled=cancelled)


def _usage_picture(facts: AutoscalingFacts, language: str) -> Attachment:
    from billing.correspondence.usage_picture import usage_picture  # only this mail needs the drawing library

    language_formats, limit = formats(language), Decimal(facts.before.up_to or 0)
    weeks = [(language_formats.short_day(week.first_day), week.pace) for week in facts.weeks]
    picture = usage_picture(weeks, limit, language_formats.quantity(limit))
    return Attachment("usage.png", "image/png", picture, inline="usage")


def less(money: MoneyFacts, other: MoneyFacts) -> MoneyFacts:
    """The difference of two amounts in the same currency."""
    return MoneyFacts(amount=money.amount - other.amount, currency=money.currency)


@cache
def _text(language: str) -> _Renderer:
    environment = _environment(language, escaped=False)
    environment.globals.update(plain_text.COMPONENTS)
    return _with_words(environment, "page.txt")


@cache
def _html(language: str) -> _Renderer:
    environment = _environment(language, escaped=True)
    environment.globals.update(_macros(environment.get_template("components.html").module))
    return _with_words(environment, "page.html")


def _with_words(environment: Environment, page: str) -> _Renderer:
    environment.globals.update(_macros(environment.get_template("words.jinja").module))
    return _Renderer(environment, page)


def _environment(language: str, *, escaped: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader([FOLDER / language, FOLDER]),
        autoescape=escaped,  # noqa: S701 - only the plain-text form goes without escaping
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    language_formats = formats(language)
    environment.filters.update(
        brand=brand,
        country=language_formats.country,
        language=language_formats.language,
        day=language_formats.day,
        day_before=day_before,
        instant=language_formats.instant,
        less=less,
        local_day=local_day,
        listing=language_formats.listing,
        meeting=language_formats.meeting,
        money=language_formats.money,
        month=language_formats.month,
        percent=language_formats.percent,
        quantity=language_formats.quantity,
        prose=plain_text.prose,
    )
    return environment


def _macros(module: TemplateModule) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if not name.startswith("_")}


def _printable(value: Any) -> Any:
    """The value that a template prints. Raises ValueError for None: the template does not handle a missing value."""
    if value is None:
        raise ValueError("a template prints a value that is missing")
    return value


def _sanitized(value: Any, *, is_link: bool = False) -> Any:
    """The value with every string in it made safe for a mail: on one line, without direction marks, and no link.

    Mail programs make a link of a domain in a text. A name such as "evil.example/login" would advertise itself in our
    mail, and a company may well be called Booking.com: so the name is printed, and is no link.
    """
    if isinstance(value, str):
        plain = _INVISIBLE.sub("", _BREAKS.sub(" ", value)).strip()
        return plain if is_link or _ADDRESS.fullmatch(plain) else _LINK_PARTS.sub(rf"\g<0>{_LINK_BREAK}", plain)
    if isinstance(value, dict):
        return {_sanitized(key): _sanitized(each, is_link=key in _OUR_LINKS) for key, each in value.items()}
    if isinstance(value, list):
        return [_sanitized(each) for each in value]
    return value


def _shortened(words: str, letters_max: int) -> str:
    return words if len(words) <= letters_max else words[: letters_max - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def _file_name(number: str) -> str:
    return re.sub(r"[^\w.-]", "-", number)
