"""What becomes of mail, as SES tells it through its configuration set.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from billing.correspondence.audiences import Delivery, DeliveryStatus, Feedback
from billing.correspondence.ses_mailer import ACCOUNT_TAG, EVENT_TAG, RECIPIENT_TAG

SUBSCRIBED = "Successfully validated SNS topic for Amazon SES event publishing."
"""What SES says once, when it is told where to publish."""


def feedback_from(text: str) -> Feedback | None:
    """What SES tells of a mail; None if it is of no consequence, or not about a mail of ours.

    A bounce that may pass, such as a full mailbox, is of none: SES itself has tried for hours. Whose address it was
    is known by the mail: the address in the bounce may be one that it was forwarded to. Raises ValueError, KeyError
    or TypeError for what is nothing that SES tells.
    """
    if text.strip() == SUBSCRIBED:
        return None
    told: dict[str, Any] = orjson.loads(text)
    mail = told["mail"]
    delivery = _delivery(mail.get("tags", {}))
    if delivery is None:
        return None
    match told["eventType"]:
        case "Send":
            fate, part = DeliveryStatus.SENT, mail
        case "Bounce" if told["bounce"]["bounceType"] == "Permanent":
            fate, part = DeliveryStatus.BOUNCED, told["bounce"]
        case "Complaint":
            fate, part = DeliveryStatus.COMPLAINED, told["complaint"]
        case _:
            return None
    return Feedback(fate, delivery, mail["messageId"], datetime.fromisoformat(part["timestamp"]))


def _delivery(tags: dict[str, list[str]]) -> Delivery | None:
    if EVENT_TAG not in tags or RECIPIENT_TAG not in tags:
        return None
    account = tags[ACCOUNT_TAG][0] if ACCOUNT_TAG in tags else None
    return Delivery(account, tags[EVENT_TAG][0], tags[RECIPIENT_TAG][0])
