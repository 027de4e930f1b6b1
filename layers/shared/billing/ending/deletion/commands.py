"""Deletes an account, and keeps a receipt without names, and what is owed in either direction (DESIGN 3.7).

The order: what is open is kept as claims; invoices are copied to the archive; then documents and the customer at the
payment service are deleted; then the table's items, partition by partition; then the log-ins of users who belong to no
other account; the record of the deletion goes last, in the transaction that writes the receipt. A deletion can be
interrupted anywhere and resumes. The transaction that deletes items also counts them.

The customer at the payment service is deleted although a payment may be on its way or a refund may follow. Deleting a
customer removes its payment methods, and prevents further operations on it (docs.stripe.com/api/customers/delete).
Payments, refunds and disputes are objects of their own: they stay, with the invoice's number in their metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from billing.accounts.delete_log_in import delete_log_in
from billing.accounts.directory import Directory
from billing.accounts.information import DEFAULT_LANGUAGE, BillingInformation
from billing.accounts.log_in_records import LogInStore
from billing.accounts.records import AccountStore
from billing.accounts.rules import Account
from billing.ending.deletion.claim_records import NOTES_KEPT
from billing.ending.deletion.claims import CLAIM_YEARS, claims_of, notes_of
from billing.ending.deletion.records import Purge, PurgeStore, receipt_body
from billing.ending.deletion.rules import (
    NotAsked,
    Receipt,
    archived_until,
    deletion_recipients,
    identity,
    is_deletion_due,
    kept_counts,
)
from billing.ending.exports.rules import folder_of_downloads
from billing.ending.open_money_facts import open_money_facts
from billing.invoicing.due_mapping import invoicing_due_body
from billing.invoicing.invoices import InvoiceDraft, folder_of_invoice
from billing.invoicing.issue_invoices import pending_invoices
from billing.invoicing.open_money import open_money
from billing.invoicing.records import InvoiceStore
from billing.invoicing.settings import InvoicingSettings
from billing.kernel.account_ids import clock_of
from billing.kernel.errors import AccountNotFound, ConcurrentChange
from billing.kernel.events import EventType, by_system
from billing.payments.gateway import NoKey, PaymentGateway
from billing.payments.records import PaymentStore
from billing.platform.events.new_event import new_event, new_id
from billing.platform.files.interfaces import Archive, Documents

if TYPE_CHECKING:
    from billing.scaling.reviews.records import ReviewStore

WAIT = timedelta(minutes=3)
"""How long a deletion waits after the last item, before it looks for late files once more. A worker that claimed a
mail before may store its audit copy until the claim expires (billing.correspondence.notify)."""

LOG_INS_WAIT = timedelta(days=1)
"""How long the log-ins of a deleted account wait for the end of its deletion. Until then the worker of other log-ins
would find that their users have access: to the account that is being deleted."""

JSON_TYPE = "application/json"

CLAIMS_AT_ONCE = 40
"""How many claims, or notes of payments, one transaction keeps."""

RECEIPTS = "receipts/"
"""The folder of receipts in the documents bucket."""


class PurgeProgress(StrEnum):
    """The progress of a deletion: finished, more to do, or waiting for late files."""

    FINISHED = "finished"
    GOES_ON = "goes_on"
    WAITS = "waits"


@dataclass(frozen=True, slots=True)
class Purger:
    """The stores and services that a deletion needs.

    Invoices go into the `archive` for `archive_years` after the year of their issue. Without an archive they are
    deleted with the rest. What is open is kept for `claim_years`. `settings` decide what is due and not invoiced; None
    if that is not asked, as for an account that a backup brings back. `wait` is WAIT, or zero if no worker runs at the
    same time. `at_once` purges an account whatever its state: its test clock is deleted. `reviews` are asked for one
    that an earlier release has left open; None if nobody is told of it, as for an account that a backup brings back.
    `living` is the table in use, if the deletion works on another one: what belongs to an account there stays.
    `is_replay` says that a replay has named the time of its events.
    """

    accounts: AccountStore
    methods: PaymentStore
    purges: PurgeStore
    invoices: InvoiceStore
    documents: Documents
    archive: Archive | None
    archive_years: int
    gateway: PaymentGateway
    directory: Directory
    wait: timedelta = WAIT
    claim_years: int = CLAIM_YEARS
    settings: InvoicingSettings | None = None
    is_replay: bool = False
    at_once: bool = False
    reviews: ReviewStore | None = None
    living: PurgeStore | None = None


def purge_account(
    account: str, *, now: datetime, clock: datetime, correlation: str, goes_on: Callable[[], bool], purger: Purger
) -> PurgeProgress:
    """Begins or resumes the deletion of an account, and returns its progress.

    `now` is the business time that decides whether the deletion is due, `clock` the wall clock. Stops early when
    `goes_on` returns False. Costs one transaction per `AT_ONCE` items, and calls of the payment service, the directory
    and the bucket. Raises ConcurrentChange if the account was reactivated or is being reactivated, UpstreamFailed.
    """
    purges = purger.purges
    begun = purges.purge(account) or _begin(account, now, correlation, purger)
    if isinstance(begun, PurgeProgress):
        return begun
    return _continue(begun, now, clock, correlation, goes_on, purger)


def purge_again(account: str, *, now: datetime, correlation: str, purger: Purger) -> None:
    """Deletes an account that a restored backup contains again, without another mail.

    Runs until everything is deleted, because an operator calls it from their own machine. Resumes an interrupted
    deletion. Raises ConcurrentChange, UpstreamFailed.
    """
    try:
        restored = purger.accounts.account(account)
    except AccountNotFound:
        pass  # an earlier deletion was interrupted, and is resumed below
    else:
        again = _purge_of(restored, now, purger, recipients={}, language="en")
        purger.purges.begin(restored, replace(again, is_again=True))
    purge = purger.purges.purge(account)
    while purge is not None:
        _continue(purge, now, now + purger.wait, correlation, lambda: True, purger)
        purge = purger.purges.purge(account)


def _continue(
    purge: Purge, now: datetime, clock: datetime, correlation: str, goes_on: Callable[[], bool], purger: Purger
) -> PurgeProgress:
    purges = purger.purges
    purge = _keep_residue(purge, correlation, purger)
    purge = _archive_invoices(purge, now, goes_on, purger)
    if not goes_on():
        return PurgeProgress.GOES_ON
    if purger.living is None or not purger.living.lives(purge.account):
        purge = _delete_documents(purge, purger)
        purge = _delete_customers(purge, correlation, purger)
    _let_log_ins_leave(purge, now if clock_of(purge.account) is None else clock, purger)
    while goes_on():
        after_delete = purges.delete_some(purge)
        if after_delete is not None:
            purge = after_delete
        elif purge.emptied_at is None:
            purge = purges.empty(purge, clock)
        elif clock < purge.emptied_at + purger.wait:
            return PurgeProgress.WAITS
        else:
            _delete_log_ins(purge, purger)
            _finish(purge, now, clock, correlation, purger)
            return PurgeProgress.FINISHED
    return PurgeProgress.GOES_ON


def _begin(account: str, now: datetime, correlation: str, purger: Purger) -> Purge | PurgeProgress:
    """Begins the deletion, and returns it; FINISHED if it is not due, WAITS if a mail must go first."""
    payer = purger.methods.payer(account)
    due = purger.purges.due(account)
    if payer is not None and purger.at_once:
        own: Account = payer.subscriber.account
        purger.purges.begin(own, _purge_of(own, now, purger, recipients={}, language=DEFAULT_LANGUAGE))
        return purger.purges.purge(account) or PurgeProgress.FINISHED
    if payer is None or due is None:
        return PurgeProgress.FINISHED
    current: Account = payer.subscriber.account
    if not is_deletion_due(current, due, now):
        return PurgeProgress.FINISHED
    if current.reactivation is not None:
        raise ConcurrentChange  # its payment may still succeed, and then the account must stay
    if purger.reviews is not None and _cancel_review(current, now, correlation, purger.reviews, purger.is_replay):
        return PurgeProgress.WAITS
    information: BillingInformation = purger.accounts.details(account).information
    recipients = deletion_recipients(purger.purges.people(account), information)
    language = information.billing.details.language
    invoicing_due, not_invoiced = _not_invoiced(account, now, purger)
    purge = _purge_of(current, now, purger, recipients=recipients, language=language)
    purger.purges.begin(current, replace(purge, not_invoiced=not_invoiced), invoicing_due)
    return purger.purges.purge(account) or PurgeProgress.FINISHED


def _cancel_review(account: Account, now: datetime, correlation: str, reviews: ReviewStore, is_replay: bool) -> bool:
    """Cancels a review that is still open: a cancellation of an earlier release has left it. Returns whether it did.

    Its mail needs the account, so the deletion waits for it.
    """
    review = reviews.open_review(account.id)
    if review is None or not review.is_ahead(now):
        return False
    from billing.scaling.reviews.book_review import cancel_review  # only for an account of an earlier release

    context = by_system(now, correlation, is_replay=is_replay)
    cancel_review(account, review, context=context, store=reviews)
    return True


def _log_ins(purger: Purger) -> LogInStore:
    """The log-ins are those of the table in use, also while another one is cleared."""
    return purger.living or purger.purges


def _let_log_ins_leave(purge: Purge, now: datetime, purger: Purger) -> None:
    """Saves that the log-ins of the account's users leave. They are deleted last; until LOG_INS_WAIT by nobody else.

    By then the index knows of all access that was given before, and all that is given later removes what is saved.
    `now` is the real time also for an account on a test clock: log-ins belong to no clock.
    """
    at = now + LOG_INS_WAIT
    leaving = _log_ins(purger).leaving_of(purge.users)
    for user in purge.users:
        is_saved = user in leaving and leaving[user].at >= at
        is_elsewhere = purger.purges.belongs_elsewhere(user, purge.account) or _belongs_to_the_living(user, purger)
        if not is_saved and not is_elsewhere:
            _log_ins(purger).let_leave(user, at)


def _delete_log_ins(purge: Purge, purger: Purger) -> None:
    store, apart_from = _log_ins(purger), purge.account if purger.living is None else ""
    for user in purge.users:
        if purger.living is None or not purger.purges.belongs_elsewhere(user, purge.account):
            delete_log_in(user, now=None, store=store, directory=purger.directory, apart_from=apart_from)


def _belongs_to_the_living(user: str, purger: Purger) -> bool:
    """Whether a user has access to an account of the table in use, while another one is cleared. One query."""
    return purger.living is not None and purger.living.belongs_elsewhere(user, "")


def _delete_documents(purge: Purge, purger: Purger) -> Purge:
    """Deletes all files of the account, and counts each version once, also one that arrives late."""

    def count(versions: Sequence[str]) -> None:
        nonlocal purge
        purge = purger.purges.count_documents(purge, versions)

    for folder in _folders(purge.account):
        purger.documents.delete_all(folder, count)
    return purge


def _delete_customers(purge: Purge, correlation: str, purger: Purger) -> Purge:
    """Deletes the account's customers at the payment service.

    A deployment whose customers all pay by transfer has no key of it. That ends no deletion: the receipt says so.
    """
    try:
        customers = purger.gateway.customers_of(purge.account, purge.customer)
    except NoKey:
        not_asked = NotAsked.PAYMENT_SERVICE if purge.customer is None else NotAsked.CUSTOMER_LEFT
        return purger.purges.count_customers(purge, (), [not_asked])
    purge = purger.purges.count_customers(purge, customers, [])
    for customer in customers:
        purger.gateway.delete_customer(customer, f"delete/{customer}/{correlation}")
    return purge


def _not_invoiced(account: str, now: datetime, purger: Purger) -> tuple[str | None, tuple[InvoiceDraft, ...]]:
    """What is due and waits for a decision of staff, and the due item that it follows from. None and nothing without.

    The books were closed before: everything else is invoiced (billing.invoicing.close_books).
    """
    billing = purger.invoices.billing_context(account)
    if billing is None or purger.settings is None or billing.due is None:
        return None, ()
    pending = pending_invoices(billing, billing.subscriber.account.contract.today(now), purger.settings)
    drafts = tuple(each.draft for each in pending)
    return (invoicing_due_body(billing.due) if drafts else None), drafts


def _purge_of(account: Account, now: datetime, purger: Purger, *, recipients: dict[str, str], language: str) -> Purge:
    payer = purger.methods.payer(account.id)
    return Purge(
        account=account.id,
        receipt=new_id(now),
        account_name=account.name,
        language=language,
        recipients=tuple((name, email) for email, name in sorted(recipients.items())),
        users=tuple(each.id for each in purger.purges.people(account.id)),
        customer=None if payer is None else payer.profile.customer,
        identity=identity(account),
        began_at=now,
        counts={},
        digest="",
        currency=account.contract.currency,
    )


def _keep_residue(purge: Purge, correlation: str, purger: Purger) -> Purge:
    """Keeps what is open as claims, before anything is deleted, and tells staff.

    Nothing of the account changes any more: after a crash the claims are the same, and only the missing ones are
    written. An account that a backup brings back is not told of again.
    """
    if purge.is_residue_kept:
        return purge
    if clock_of(purge.account) is not None:  # nobody owes anything for a test
        return purger.purges.keep(purge, (), is_all=True)
    documents = [(each.invoice, each.payment) for each in purger.invoices.documents(purge.account)]
    currency = purge.currency or next((invoice.draft.total.currency for invoice, _ in documents), "")
    if not currency:  # a deletion of an earlier release, of which no invoice is left
        return purger.purges.keep(purge, (), is_all=True)
    balances, began_at = purger.purges.credits(purge.account, currency), purge.began_at
    open_now = open_money(documents, balances, purge.not_invoiced, currency, began_at.date())
    claims = claims_of(purge.account, purge.receipt, purge.language, documents, open_now, began_at, purger.claim_years)
    kept = {claim for claim, _, _ in purge.kept}
    missing = [each for each in claims if each.id not in kept]
    for place in range(0, len(missing), CLAIMS_AT_ONCE):
        purge = purger.purges.keep(purge, missing[place : place + CLAIMS_AT_ONCE])
    payments = [(invoice.number, payment) for invoice, payment in documents]
    notes = notes_of(payments, began_at.date() - NOTES_KEPT)
    for place in range(0, len(notes), CLAIMS_AT_ONCE):
        purge = purger.purges.keep(purge, (), notes=notes[place : place + CLAIMS_AT_ONCE])
    facts = open_money_facts(open_now, "deleted", began_at.date(), purge.language)
    event = new_event(
        EventType.ACCOUNT_MONEY_OPEN,
        by_system(began_at, correlation, is_replay=purger.is_replay),
        account=purge.account,
        before=None,
        after=facts,
    )
    is_told = bool(claims) and bool(purge.recipients)
    return purger.purges.keep(purge, (), is_all=True, events=[event] if is_told else [])


def _archive_invoices(purge: Purge, now: datetime, goes_on: Callable[[], bool], purger: Purger) -> Purge:
    """Copies the account's invoices with their documents into the archive, and saves the progress after each one."""
    if purger.archive is None or clock_of(purge.account) is not None:  # no law asks for the invoices of a test
        return purge
    for invoice in purger.purges.invoices(purge):
        if not goes_on():
            break
        until = archived_until(invoice.produced_on, purger.archive_years)
        folder = f"invoices/{invoice.produced_on.year}/{invoice.number}"
        if until >= now.date():
            purger.archive.mark(f"{folder}/", until)
            purger.archive.keep(f"{folder}/{invoice.number}.json", invoice.body.encode(), JSON_TYPE, until)
            documents = folder_of_invoice(purge.account, invoice.number)
            for key in purger.documents.keys(documents):
                content = purger.documents.get(key)
                if content is not None:
                    archive_key = f"{folder}/{key.removeprefix(documents)}"
                    purger.archive.keep(archive_key, content, "application/octet-stream", until)
        purge = purger.purges.archived(purge, invoice, until if until >= now.date() else None)
    return purge


def _finish(purge: Purge, now: datetime, clock: datetime, correlation: str, purger: Purger) -> None:
    kept = kept_counts(purge.kept)
    receipt = Receipt(
        purge.receipt,
        purge.identity,
        purge.began_at,
        now,
        purge.counts,
        purge.digest,
        kept,
        purge.kept_until,
        purge.archived_until,
        purge.not_asked,
    )
    if clock_of(purge.account) is None:
        # A table restored from a backup may lack the receipt, so the bucket has a copy.
        purger.documents.put(f"{RECEIPTS}{receipt.id}.json", receipt_body(receipt).encode(), JSON_TYPE)
    context = by_system(now, correlation, is_replay=purger.is_replay)
    facts = {
        "receipt": receipt.id,
        "account_name": purge.account_name,
        "language": purge.language,
        "recipients": [{"name": name, "email": email} for name, email in purge.recipients],
        "deleted_at": now,
        "counts": dict(receipt.counts),
        "digest": f"sha256:{receipt.digest}",
        "invoices_kept_years": 0 if purger.archive is None or clock_of(purge.account) else purger.archive_years,
        "kept": {**kept, "until": purge.kept_until} if kept else None,
    }
    event = new_event(EventType.ACCOUNT_DELETED, context, account=purge.account, before=None, after=facts)
    real = None if clock_of(purge.account) is None else clock
    purger.purges.finish(purge, receipt, [event], real)


def _folders(account: str) -> tuple[str, str]:
    """The document folders of an account."""
    return f"accounts/{account}/", folder_of_downloads(account)
