"""What becomes of mail, as SES tells it through its configuration set.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from __future__ import annotations

from datetime import datetime
from email.utils import parseaddr
from typing import Any

import orjson

from billing.domain.mail import Delivery, Fate, Feedback
from billing.gateways.ses_mailer import ACCOUNT_TAG, EVENT_TAG, RECIPIENT_TAG


def feedback_from(text: str) -> Feedback | None:
    """What SES tells of a mail; None if it is of no consequence, or not about a mail of ours.

    A bounce that may pass, such as a full mailbox, is of none: SES itself has tried for hours. Raises ValueError,
    KeyError or TypeError for what is nothing that SES tells.
    """
    told: dict[str, Any] = orjson.loads(text)
    mail = told["mail"]
    delivery = _delivery(mail.get("tags", {}))
    if delivery is None:
        return None
    match told["eventType"]:
        case "Send":
            return Feedback(Fate.SENT, delivery, mail["messageId"], _time(mail), ())
        case "Bounce" if told["bounce"]["bounceType"] == "Permanent":
            bounce = told["bounce"]
            return Feedback(
                Fate.BOUNCED, delivery, mail["messageId"], _time(bounce), _addresses(bounce["bouncedRecipients"])
            )
        case "Complaint":
            complaint = told["complaint"]
            addresses = _addresses(complaint["complainedRecipients"])
            return Feedback(Fate.COMPLAINED, delivery, mail["messageId"], _time(complaint), addresses)
        case _:
            return None


def _delivery(tags: dict[str, list[str]]) -> Delivery | None:
    if EVENT_TAG not in tags or RECIPIENT_TAG not in tags:
        return None
    account = tags[ACCOUNT_TAG][0] if ACCOUNT_TAG in tags else None
    return Delivery(account, tags[EVENT_TAG][0], tags[RECIPIENT_TAG][0])


def _time(part: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(part["timestamp"])


def _addresses(recipients: list[dict[str, str]]) -> tuple[str, ...]:
    return tuple(parseaddr(each["emailAddress"])[1].lower() for each in recipients)
