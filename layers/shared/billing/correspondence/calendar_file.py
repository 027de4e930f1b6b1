"""The calendar file of a review (RFC 5545), sent by mail as an invitation from its organiser (RFC 6047).

Each recipient gets a file of their own, with themselves as the only attendee. A file that merely publishes the
appointment would give Outlook nothing to accept, and calendars would not remove it when the review is cancelled.
"""

from __future__ import annotations

from datetime import UTC, datetime

from billing.correspondence.audiences import Attachment, Recipient
from billing.platform.events.facts import PersonFacts
from billing.scaling.event_schemas import ReviewFacts

NAME = "invite.ics"
"""Outlook recognises cancellations more reliably under this file name."""

PRODUCT = "-//Livello//Billing//EN"


def calendar_file(
    review: ReviewFacts, stamped_at: datetime, recipient: Recipient, title: str, description: str, *, cancelled: bool
) -> Attachment:
    """The file that adds a review to the recipient's calendar or, with `cancelled`, removes it.

    `stamped_at` is the time of the event, so that the same event always gives the same bytes.
    """
    # This import costs more than the rest of the package, and only mail about reviews needs it.
    from icalendar import Calendar, Event, vCalAddress

    def person(facts: PersonFacts | Recipient) -> vCalAddress:
        address = vCalAddress(f"mailto:{facts.email}")
        if facts.name:
            address.params["CN"] = facts.name.replace('"', "'")
        return address

    is_organiser = recipient.email.casefold() == review.manager.email.casefold()
    method = "PUBLISH" if is_organiser else "CANCEL" if cancelled else "REQUEST"
    event = Event()
    event.add("uid", f"{review.review}@livello")
    event.add("sequence", 1 if cancelled else 0)
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    event.add("dtstamp", stamped_at.astimezone(UTC))
    event.add("dtstart", review.begins.astimezone(UTC))
    event.add("dtend", review.ends.astimezone(UTC))
    event.add("summary", title)
    event.add("description", description)
    if review.place is not None:
        event.add("location", review.place)
    event.add("organizer", person(review.manager))
    # A calendar refuses an invitation from its own owner, so the organiser gets the appointment without attendees.
    if not is_organiser:
        attendee = person(recipient)
        attendee.params.update(ROLE="REQ-PARTICIPANT", PARTSTAT="NEEDS-ACTION", RSVP="TRUE")
        event.add("attendee", attendee)
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(event)
    return Attachment(NAME, f'text/calendar; charset="utf-8"; method={method}', calendar.to_ical())
