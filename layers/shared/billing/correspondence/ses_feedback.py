"""Parses the reports that SES publishes about mails through its configuration set.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from billing.correspondence.audiences import Delivery, DeliveryStatus, Feedback
from billing.correspondence.ses_mailer import ACCOUNT_TAG, EVENT_TAG, RECIPIENT_TAG

SUBSCRIBED = "Successfully validated SNS topic for Amazon SES event publishing."
"""The one message that SES publishes when the topic is configured."""


def feedback_from(text: str) -> Feedback | None:
    """The report in an SES message. None for a report that needs no action, or about a mail that is not ours.

    A transient bounce, such as a full mailbox, needs no action: SES itself retries for hours. The tags of the mail
    identify the recipient, because the address in the bounce may be one that the mail was forwarded to. Raises
    ValueError, KeyError or TypeError for anything that is no SES message.
    """
    if text.strip() == SUBSCRIBED:
        return None
    report: dict[str, Any] = orjson.loads(text)
    mail = report["mail"]
    delivery = _delivery(mail.get("tags", {}))
    if delivery is None:
        return None
    match report["eventType"]:
        case "Send":
            status, part = DeliveryStatus.SENT, mail
        case "Bounce" if report["bounce"]["bounceType"] == "Permanent":
            status, part = DeliveryStatus.BOUNCED, report["bounce"]
        case "Complaint":
            status, part = DeliveryStatus.COMPLAINED, report["complaint"]
        case _:
            return None
    return Feedback(status, delivery, mail["messageId"], datetime.fromisoformat(part["timestamp"]))


def _delivery(tags: dict[str, list[str]]) -> Delivery | None:
    if EVENT_TAG not in tags or RECIPIENT_TAG not in tags:
        return None
    account = tags[ACCOUNT_TAG][0] if ACCOUNT_TAG in tags else None
    return Delivery(account, tags[EVENT_TAG][0], tags[RECIPIENT_TAG][0])
