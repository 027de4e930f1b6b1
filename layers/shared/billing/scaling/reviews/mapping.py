"""Maps reviews and success managers to and from stored bodies."""

from __future__ import annotations

from datetime import date, datetime, time

from billing.kernel.fields import fields_of
from billing.platform.dynamodb.bodies import Body, parsed, text, without_version
from billing.scaling.reviews.rules import Applied, Decision, Declined, Manager, Review, ReviewedProduct
from billing.scaling.reviews.success_managers import Absence, Hours, Slot, SuccessManager
from billing.subscriptions.rules import Order


def success_manager_body(manager: SuccessManager) -> str:
    return text(without_version(fields_of(manager, id="success_manager")))


def success_manager_from(stored: str, version: int) -> SuccessManager:
    body = parsed(stored)
    return SuccessManager(
        id=body["success_manager"],
        name=body["name"],
        email=body["email"],
        time_zone=body["time_zone"],
        working_hours={
            weekday: tuple(
                Hours(time.fromisoformat(each["since"]), time.fromisoformat(each["until"])) for each in hours
            )
            for weekday, hours in body["working_hours"].items()
        },
        review_minutes=body["review_minutes"],
        place=body["place"],
        absences=tuple(
            Absence(date.fromisoformat(each["since"]), date.fromisoformat(each["until"])) for each in body["absences"]
        ),
        version=version,
    )


def review_body(review: Review) -> str:
    return text(without_version(fields_of(review, id="review")))


def review_from(stored: str, version: int) -> Review:
    body = parsed(stored)
    return Review(
        id=body["review"],
        slot=Slot(datetime.fromisoformat(body["slot"]["begins"]), datetime.fromisoformat(body["slot"]["ends"])),
        manager=Manager(**body["manager"]),
        products=tuple(ReviewedProduct(**each) for each in body["products"]),
        booked_at=datetime.fromisoformat(body["booked_at"]),
        cancelled_at=None if body["cancelled_at"] is None else datetime.fromisoformat(body["cancelled_at"]),
        decision=None if body["decision"] is None else _decision_from(body["decision"]),
        version=version,
    )


def _decision_from(body: Body) -> Decision:
    decided_at = datetime.fromisoformat(body["decided_at"])
    if "reason" in body:
        return Declined(body["reason"], decided_at)
    orders = tuple(Order(**each) for each in body["orders"])
    return Applied(orders, date.fromisoformat(body["effective_on"]), decided_at)
