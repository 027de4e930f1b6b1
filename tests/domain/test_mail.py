"""Which addresses mail skips, and which of them a report of the mail service is about."""

from __future__ import annotations

from billing.correspondence.audiences import Delivery, DeliveryStatus, Feedback, Recipient, lost_addresses, reachable

from tests.store.samples import NOON

EVENT = "01M83DRBER6HR1QAESBEGZCQ20"
ADA, BO = "ada@nordlys.example", "bo@nordlys.example"
BOUNCED = Feedback(
    DeliveryStatus.BOUNCED, Delivery("nordlys-kaffe", EVENT, Delivery.digest(EVENT, BO)), "message-1", NOON
)


def test_an_address_that_refuses_mail_is_skipped() -> None:
    ada, bo = Recipient(ADA, "Ada Holm"), Recipient(BO, None)

    assert reachable((ada, bo), {BO}) == (ada,)
    assert reachable((ada, bo), set()) == (ada, bo)


def test_a_report_is_about_the_address_that_the_mail_was_for() -> None:
    assert lost_addresses(BOUNCED, {ADA, BO}, set()) == (BO,)
    assert lost_addresses(BOUNCED, {ADA}, set()) == ()


def test_a_lost_address_is_lost_once() -> None:
    assert lost_addresses(BOUNCED, {ADA, BO}, {BO}) == ()
