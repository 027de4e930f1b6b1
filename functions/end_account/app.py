"""Queue worker: takes an account through its end: renewal notice, deactivation, reminder, deletion (DESIGN 3.1).

It also ends proposals of terms that nobody has agreed to, looks at the open claims of accounts that are deleted,
deletes log-ins that belong to no account, and erases people from the record of an account: their due items are in the
same index.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from billing import wiring
from billing.accounts.appoint_admin import carry_out_appointment
from billing.accounts.appointments import AppointmentState
from billing.accounts.delete_log_in import delete_log_in
from billing.accounts.lapse_term import lapse_term
from billing.ending.cancellation.commands import end_account, follow_term
from billing.ending.deletion.commands import PurgeProgress, Purger, purge_account
from billing.ending.deletion.settle_claims import Settler, look_at_claim
from billing.ending.erasure.commands import ErasureProgress, erase_person
from billing.invoicing.close_books import close_books
from billing.invoicing.exemptions.warn import warn_ending_exemption
from billing.kernel.errors import UpstreamFailed
from billing.kernel.events import RequestContext, by_system
from billing.platform.clock import is_on_deleted_clock, time_of
from billing.platform.dynamodb.keys import claim_of, log_in_of
from billing.platform.queues.interfaces import DueWork
from billing.platform.queues.sqs_work_queue import work_from
from billing.platform.workers import worker

PURGE_SECONDS = 30
"""How long one message deletes, well within the function's timeout. Another message deletes the rest."""


def end(message: str, correlation: str) -> Mapping[str, Any]:
    """Processes every due stage of one account, or one open claim, or one log-in.

    Raises BillingError, which retries the message.

    A refund that could not be made now, an erasure, or a log-in for an appointed admin holds up no stage: the message
    is retried after them.
    """
    work = work_from(message)
    context = by_system(time_of(work), correlation, is_replay=work.clock is not None)
    claim = claim_of(work.account)
    if claim is not None:
        return {"claim": claim, "changed": look_at_claim(claim, _settler(context))}
    user = log_in_of(work.account)
    if user is not None:
        fate = delete_log_in(user, now=context.time, store=wiring.account_store(), directory=wiring.directory())
        return {"log_in": user, "fate": fate}
    if is_on_deleted_clock(work.account):
        return {"account": work.account, "stage": None, "purged": _purged(work, correlation, at_once=True)}
    appointed, no_log_in = _appointed(work.account, context)
    term = lapse_term(
        work.account,
        now=context.time,
        correlation=correlation,
        is_replay=context.is_replay,
        store=wiring.term_store(),
    )
    followed = follow_term(work.account, now=context.time, store=wiring.cancellation_store())
    erased, failure = _erased(work, context)
    books = close_books(
        work.account,
        context=context,
        settings=wiring.invoicing_settings(),
        store=wiring.invoice_store(),
        gateway=wiring.payments(),
    )
    stage = end_account(
        work.account,
        now=context.time,
        correlation=correlation,
        is_replay=context.is_replay,
        seller=wiring.taxed_from(),
        policy=wiring.unconfirmed_vat_number(),
        store=wiring.cancellation_store(),
        open_money=None if books is None else books.open,
    )
    told = warn_ending_exemption(
        work.account,
        now=context.time,
        correlation=correlation,
        is_replay=context.is_replay,
        store=wiring.exemption_store(),
    )
    purged = _purged(work, correlation)
    if books is not None and books.failure is not None:
        raise books.failure
    for failed in (no_log_in, failure):
        if failed is not None:
            raise failed
    return {
        "account": work.account,
        "stage": stage,
        "purged": purged,
        "appointed": appointed,
        "term": term,
        "term_followed": followed,
        "erased": erased,
        "exemption_told": told,
    }


def _appointed(account: str, context: RequestContext) -> tuple[AppointmentState | None, UpstreamFailed | None]:
    """Carries out the appointment of an admin that is due: its state then, or why the directory gave no log-in."""
    try:
        state = carry_out_appointment(
            account,
            now=context.time,
            correlation=context.correlation,
            is_replay=context.is_replay,
            directory=wiring.directory(),
            store=wiring.appointment_store(),
        )
    except UpstreamFailed as failure:
        return None, failure
    return state, None


def _erased(work: DueWork, context: RequestContext) -> tuple[Mapping[str, ErasureProgress], Exception | None]:
    """Goes on with the account's erasures. Returns their progress by what stays of the person, and the last failure."""
    wait = timedelta(seconds=int(os.environ["PURGE_WAIT_SECONDS"]))
    until = monotonic() + PURGE_SECONDS
    progress: dict[str, ErasureProgress] = {}
    failed: Exception | None = None
    for erasure in wiring.erasure_store().erasures(work.account):
        try:
            progress[erasure.pseudonym] = erase_person(
                work.account,
                erasure.user,
                now=context.time,
                clock=datetime.now(UTC),  # noqa: TID251 - mails arrive late by the wall clock, whatever day is replayed
                goes_on=lambda: monotonic() < until,
                store=wiring.erasure_store(),
                documents=wiring.documents(),
                wait=wait,
                is_replay=context.is_replay,
            )
        except Exception as failure:  # noqa: BLE001 - raised by the caller, after the stages of the account
            failed = failure
    if left := {*progress.values()} - {ErasureProgress.FINISHED}:
        after = 0 if ErasureProgress.GOES_ON in left else int(wait.total_seconds())
        wiring.work_queue().put([work], after_seconds=after)
    return progress, failed


def _purged(work: DueWork, correlation: str, *, at_once: bool = False) -> PurgeProgress | None:
    """Goes on with the account's deletion. Returns its progress; None if no deletion is due.

    `at_once` begins it in any case: the account's test clock is deleted.
    """
    purges = wiring.purge_store()
    if not at_once and purges.purge(work.account) is None and purges.due(work.account) is None:
        return None
    wait = timedelta(seconds=int(os.environ["PURGE_WAIT_SECONDS"]))
    purger = Purger(
        accounts=wiring.account_store(),
        methods=wiring.payment_store(),
        purges=purges,
        invoices=wiring.invoice_store(),
        documents=wiring.documents(),
        archive=wiring.archive(),
        archive_years=int(os.environ["INVOICE_ARCHIVE_YEARS"]),
        gateway=wiring.payments(),
        directory=wiring.directory(),
        wait=wait,
        claim_years=wiring.claim_years(),
        settings=wiring.invoicing_settings(),
        is_replay=work.clock is not None,
        at_once=at_once,
        reviews=wiring.review_store(),
    )
    until = monotonic() + PURGE_SECONDS
    progress = purge_account(
        work.account,
        now=time_of(work),
        clock=datetime.now(UTC),  # noqa: TID251 - files arrive late by the wall clock, whatever day is replayed
        correlation=correlation,
        goes_on=lambda: monotonic() < until,
        purger=purger,
    )
    if progress is not PurgeProgress.FINISHED:
        after = int(wait.total_seconds()) if progress is PurgeProgress.WAITS else 0
        wiring.work_queue().put([work], after_seconds=after)
    return progress


def _settler(context: RequestContext) -> Settler:
    return Settler(context, wiring.claim_store(), wiring.invoice_store(), wiring.payments(), wiring.claim_years())


handler = worker(end, wiring.queue)
