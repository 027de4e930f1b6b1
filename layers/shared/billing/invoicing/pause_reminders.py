"""Staff pause the reminders of one invoice, such as during a dispute about its amount. It is still charged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

from billing.invoicing.dunning import reminded_of
from billing.invoicing.invoices import InvoiceStatus
from billing.invoicing.records import BillingContext, InvoiceRecord, InvoiceStore, PaymentChange
from billing.invoicing.reminders import PAUSE_DAYS_MAX, Reminders
from billing.kernel.errors import ConcurrentChange, Conflict, RuleViolation, StaleVersion, VersionRequired, Violation
from billing.kernel.events import EventType, Facts, RequestContext
from billing.kernel.field_codes import FieldCode
from billing.kernel.versions import Versions, includes
from billing.platform.events.new_event import new_event


class NothingToRemind(Conflict):
    """Nothing is left to pay of the document, or it is a credit note."""

    code = "nothing-to-remind"

    def __init__(self) -> None:
        super().__init__("No reminder of this document follows: nothing of it is left to pay.")


def pause_reminders(
    billing: BillingContext,
    number: str,
    until: date | None,
    reason: str,
    replaces: Versions | None,
    *,
    is_preview: bool,
    context: RequestContext,
    store: InvoiceStore,
) -> InvoiceRecord:
    """The invoice without reminders until before the day `until`, or until staff resume them (None).

    `replaces` is the version of the invoice that the caller has seen. A preview writes nothing, and names no version. A
    pause that is so already is not written again. One query and one transaction. Raises NotFound, NothingToRemind,
    RuleViolation for a day that is not after today or is too far away, VersionRequired, StaleVersion.
    """
    today = billing.subscriber.account.contract.today(context.time)
    first, last = today + timedelta(days=1), today + timedelta(days=PAUSE_DAYS_MAX)
    if until is not None and until < first:
        raise RuleViolation(Violation(("until",), "It must be a day to come.", FieldCode.TOO_EARLY, {"min": first}))
    if until is not None and until > last:
        raise RuleViolation(
            Violation(("until",), f"A pause has at most {PAUSE_DAYS_MAX} days.", FieldCode.TOO_LATE, {"max": last})
        )

    def change(reminders: Reminders, due: date) -> Reminders:
        pause = reminders.current_pause(today)
        is_so = pause is not None and (pause.until, pause.reason) == (until, reason)
        return reminders if is_so else reminders.paused(until, reason, today, due)

    return _change(
        billing, number, change, replaces, is_preview=is_preview, must_name=not is_preview, context=context, store=store
    )


def resume_reminders(
    billing: BillingContext, number: str, replaces: Versions | None, *, context: RequestContext, store: InvoiceStore
) -> InvoiceRecord:
    """The invoice with reminders again. The next one comes as many days later as the pause has lasted.

    Without a pause nothing changes. Only one thing can be taken back, so `replaces` may be None. One query and one
    transaction. Raises NotFound, NothingToRemind, StaleVersion.
    """
    today = billing.subscriber.account.contract.today(context.time)

    def change(reminders: Reminders, _due: date) -> Reminders:
        return reminders if reminders.current_pause(today) is None else reminders.resumed(today)

    return _change(billing, number, change, replaces, is_preview=False, must_name=False, context=context, store=store)


def _change(
    billing: BillingContext,
    number: str,
    change: Callable[[Reminders, date], Reminders],
    replaces: Versions | None,
    *,
    is_preview: bool,
    must_name: bool,
    context: RequestContext,
    store: InvoiceStore,
) -> InvoiceRecord:
    account, today = billing.subscriber.account, billing.subscriber.account.contract.today(context.time)
    record = store.record(account.id, number)
    payment = record.payment
    is_unpaid = payment.status in {InvoiceStatus.OPEN, InvoiceStatus.PAST_DUE, InvoiceStatus.IN_TRANSIT}
    if payment.is_credit_note or not is_unpaid:
        raise NothingToRemind
    due = reminded_of(payment, record.invoice)
    reminders = change(payment.reminders, due)
    if reminders == payment.reminders:
        return record
    if replaces is None and must_name:
        raise VersionRequired("Name the version that this replaces: If-Match with its ETag.")
    if replaces is not None and not includes(replaces, record.version):
        raise StaleVersion
    changed = PaymentChange(record, replace(payment, reminders=reminders))
    if is_preview:
        return replace(changed.written, version=record.version, unwritten=record.unwritten)
    event = new_event(
        EventType.INVOICE_REMINDERS_CHANGED,
        context,
        account=account.id,
        before=_facts(number, payment.reminders, today),
        after=_facts(number, reminders, today),
    )
    try:
        store.settle(billing, [changed], [event])
    except ConcurrentChange:
        # Two copies of one request may run at once. The slower one then finds the result of the faster one.
        stored = store.record(account.id, number)
        if change(stored.payment.reminders, due) == stored.payment.reminders:
            return stored
        raise StaleVersion from None
    return changed.written


def _facts(number: str, reminders: Reminders, today: date) -> Facts:
    pause = reminders.current_pause(today)
    return {
        "number": number,
        "pause": None if pause is None else {"since": pause.since, "until": pause.until, "reason": pause.reason},
        "next_reminder_on": reminders.next_on,
    }
