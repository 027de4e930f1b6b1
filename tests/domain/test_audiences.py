"""Undeliverable addresses: which recipients are skipped, and which address a bounce report marks."""

from __future__ import annotations

from billing.correspondence.audiences import Delivery, DeliveryStatus, Feedback, Recipient, lost_addresses, reachable

from tests.store.samples import NOON

EVENT = "01M83DRBER6HR1QAESBEGZCQ20"
ADA, BO = "ada@nordlys.example", "bo@nordlys.example"
BOUNCED = Feedback(
    DeliveryStatus.BOUNCED, Delivery("nordlys-kaffe", EVENT, Delivery.digest(EVENT, BO)), "message-1", NOON
)


def test_an_undeliverable_address_is_skipped() -> None:
    ada, bo = Recipient(ADA, "Ada Holm"), Recipient(BO, None)

    assert reachable((ada, bo), {BO}) == (ada,)
    assert reachable((ada, bo), set()) == (ada, bo)


def test_a_report_marks_the_address_that_the_mail_was_sent_to() -> None:
    assert lost_addresses(BOUNCED, {ADA, BO}, set()) == (BO,)
    assert lost_addresses(BOUNCED, {ADA}, set()) == ()


def test_an_undeliverable_address_is_not_marked_again() -> None:
    assert lost_addresses(BOUNCED, {ADA, BO}, {BO}) == ()
