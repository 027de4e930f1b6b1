"""The calendar file of a review (RFC 5545), as mail programs take it: an invitation by its organiser (RFC 6047).

Everybody gets a mail, and so a file, of their own, in which they are the one who is invited. A file that merely
publishes the appointment would show nothing to accept in Outlook, and calendars would not take it out again when the
review is cancelled.
"""

from __future__ import annotations

from datetime import UTC, datetime

from billing.correspondence.audiences import Attachment, Recipient
from billing.platform.events.facts import PersonFacts
from billing.scaling.event_schemas import ReviewFacts

NAME = "invite.ics"
"""Outlook recognises a cancellation by this name more willingly than by others."""

PRODUCT = "-//Livello//Billing//EN"


def calendar_file(
    review: ReviewFacts, told_at: datetime, recipient: Recipient, title: str, description: str, *, cancelled: bool
) -> Attachment:
    """The review in the recipient's calendar, or out of it again. The same event gives the same file."""
    # Costs more to import than the rest of this package; two kinds of mail need it.
    from icalendar import Calendar, Event, vCalAddress

    def person(facts: PersonFacts | Recipient) -> vCalAddress:
        address = vCalAddress(f"mailto:{facts.email}")
        if facts.name:
            address.params["CN"] = facts.name.replace('"', "'")
        return address

    organises = recipient.email.casefold() == review.manager.email.casefold()
    method = "PUBLISH" if organises else "CANCEL" if cancelled else "REQUEST"
    event = Event()
    event.add("uid", f"{review.review}@livello")
    event.add("sequence", 1 if cancelled else 0)
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    event.add("dtstamp", told_at.astimezone(UTC))
    event.add("dtstart", review.begins.astimezone(UTC))
    event.add("dtend", review.ends.astimezone(UTC))
    event.add("summary", title)
    event.add("description", description)
    if review.place is not None:
        event.add("location", review.place)
    event.add("organizer", person(review.manager))
    # Calendars take no invitation from the person that they belong to: the organiser gets the bare appointment.
    if not organises:
        attendee = person(recipient)
        attendee.params.update(ROLE="REQ-PARTICIPANT", PARTSTAT="NEEDS-ACTION", RSVP="TRUE")
        event.add("attendee", attendee)
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(event)
    return Attachment(NAME, f'text/calendar; charset="utf-8"; method={method}', calendar.to_ical())
