"""Everything of an account is deleted, and only a receipt without a name stays.

First what the law keeps is put where it is kept; then goes what stands outside (documents, payment service, log-ins),
then the table, partition by partition; the record that says so goes last, with the receipt. Cut off anywhere it goes
on; what was deleted is counted in the write that deletes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from billing.accounts.directory import Directory
from billing.accounts.information import BillingInformation
from billing.accounts.records import AccountStore
from billing.accounts.rules import Account
from billing.ending.deletion.records import Purge, PurgeStore, receipt_body
from billing.ending.deletion.rules import Receipt, archived_until, identity, is_deletion_due, told_of_deletion
from billing.ending.exports.rules import folder_of_downloads
from billing.invoicing.invoices import folder_of_invoice
from billing.kernel.errors import AccountNotFound, ConcurrentChange
from billing.kernel.events import EventType, by_system
from billing.payments.gateway import PaymentGateway
from billing.payments.records import PaymentStore
from billing.platform.events.new_event import new_event, new_id
from billing.platform.files.interfaces import Archive, Documents

WAIT = timedelta(minutes=3)
"""How long after the last item was deleted it is looked for late files once more: whoever had claimed a mail before
may put its copy among the documents until its claim has run out (billing.correspondence.notify)."""

JSON_TYPE = "application/json"

RECEIPTS = "receipts/"
"""Where receipts stand among the documents."""


class PurgeProgress(StrEnum):
    """How far a deletion has come: nothing is left, there is more to do, or late files are waited for."""

    FINISHED = "finished"
    GOES_ON = "goes_on"
    WAITS = "waits"


@dataclass(frozen=True, slots=True)
class Purger:
    """What a deletion needs. Invoices go into the `archive` for `archive_years` after the year of their issue; without
    one they are deleted like everything else. `wait` is WAIT unless nobody else is at work.
    """

    accounts: AccountStore
    methods: PaymentStore
    purges: PurgeStore
    documents: Documents
    archive: Archive | None
    archive_years: int
    gateway: PaymentGateway
    directory: Directory
    wait: timedelta = WAIT


def purge_account(
    account: str, *, now: datetime, clock: datetime, correlation: str, goes_on: Callable[[], bool], purger: Purger
) -> PurgeProgress:
    """How far the deletion of an account is, of which `now` is the day and `clock` the real time.

    It ends early when `goes_on` says no. Raises ConcurrentChange when the account was, or is being taken up again;
    UpstreamFailed.
    """
    purges = purger.purges
    purge = purges.purge(account)
    if purge is None:
        purge = _begin(account, now, purger)
        if purge is None:
            return PurgeProgress.FINISHED
    return _continue(purge, now, clock, correlation, goes_on, purger)


def purge_again(account: str, *, now: datetime, correlation: str, purger: Purger) -> None:
    """Deletes an account that a backup has brought back; nobody is told again. Raises ConcurrentChange, UpstreamFailed.

    All at once: only an operator does this, from a machine of theirs. It goes on with what was cut off.
    """
    try:
        standing = purger.accounts.account(account)
    except AccountNotFound:
        pass  # its deletion was cut off
    else:
        purger.purges.begin(standing, _purge_of(standing, now, purger, recipients={}, language="en"))
    purge = purger.purges.purge(account)
    while purge is not None:
        _continue(purge, now, now + purger.wait, correlation, lambda: True, purger)
        purge = purger.purges.purge(account)


def _continue(
    purge: Purge, now: datetime, clock: datetime, correlation: str, goes_on: Callable[[], bool], purger: Purger
) -> PurgeProgress:
    purges = purger.purges
    purge = _archived(purge, now, goes_on, purger)
    if not goes_on():
        return PurgeProgress.GOES_ON
    if "documents" not in purge.counts:
        purge = purges.note(purge, documents=sum(map(purger.documents.count, _folders(purge.account))))
    for folder in _folders(purge.account):
        purger.documents.delete_all(folder)
    customers = purger.gateway.customers_of(purge.account, purge.customer)
    if "customers" not in purge.counts:
        purge = purges.note(purge, customers=len(customers))
    for customer in customers:
        purger.gateway.delete_customer(customer, f"delete/{customer}/{correlation}")
    for user in purge.users:
        if not purges.belongs_elsewhere(user, purge.account):
            purger.directory.remove(user)
    while goes_on():
        deleted = purges.delete_some(purge)
        if deleted is not None:
            purge = deleted
        elif purge.emptied_at is None:
            purge = purges.empty(purge, clock)
        elif clock < purge.emptied_at + purger.wait:
            return PurgeProgress.WAITS
        else:
            _finish(purge, now, correlation, purger)
            return PurgeProgress.FINISHED
    return PurgeProgress.GOES_ON


def _begin(account: str, now: datetime, purger: Purger) -> Purge | None:
    """A deletion that begins now; None where none is due."""
    payer = purger.methods.payer(account)
    due = purger.purges.due(account)
    if payer is None or due is None:
        return None
    standing: Account = payer.subscriber.account
    if not is_deletion_due(standing, due, now):
        return None
    if standing.reactivation is not None:
        raise ConcurrentChange  # what was charged for is served: its payment is waited for
    information: BillingInformation = purger.accounts.details(account).information
    admins = told_of_deletion(purger.purges.people(account), information)
    language = information.billing.details.language
    purger.purges.begin(standing, _purge_of(standing, now, purger, recipients=admins, language=language))
    return purger.purges.purge(account)


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
        identity=identity(account.id, account.provisioned_as),
        began_at=now,
        counts={},
        digest="",
    )


def _archived(purge: Purge, now: datetime, goes_on: Callable[[], bool], purger: Purger) -> Purge:
    """Puts the account's invoices, with their documents, where the law wants them kept, and notes how far that is."""
    if purger.archive is None:
        return purge
    for invoice in purger.purges.invoices(purge):
        if not goes_on():
            break
        until = archived_until(invoice.produced_on, purger.archive_years)
        folder = f"invoices/{invoice.produced_on.year}/{invoice.number}"
        if until >= now.date():
            purger.archive.keep(f"{folder}/{invoice.number}.json", invoice.body.encode(), JSON_TYPE, until)
            documents = folder_of_invoice(purge.account, invoice.number)
            for key in purger.documents.keys(documents):
                content = purger.documents.get(key)
                if content is not None:
                    kept_as = f"{folder}/{key.removeprefix(documents)}"
                    purger.archive.keep(kept_as, content, "application/octet-stream", until)
        purge = purger.purges.archived(purge, invoice)
    return purge


def _finish(purge: Purge, now: datetime, correlation: str, purger: Purger) -> None:
    receipt = Receipt(purge.receipt, purge.identity, purge.began_at, now, purge.counts, purge.digest)
    # A table that is restored from a backup may have lost the receipt: it stands outside of it too.
    purger.documents.put(f"{RECEIPTS}{receipt.id}.json", receipt_body(receipt).encode(), JSON_TYPE)
    occasion = by_system(now, correlation)
    facts = {
        "receipt": receipt.id,
        "account_name": purge.account_name,
        "language": purge.language,
        "recipients": [{"name": name, "email": email} for name, email in purge.recipients],
        "deleted_at": now,
        "counts": dict(receipt.counts),
        "digest": f"sha256:{receipt.digest}",
        "invoices_kept_years": 0 if purger.archive is None else purger.archive_years,
    }
    event = new_event(EventType.ACCOUNT_DELETED, occasion, account=purge.account, before=None, after=facts)
    purger.purges.finish(purge, receipt, event)


def _folders(account: str) -> tuple[str, str]:
    """Where the files of an account stand."""
    return f"accounts/{account}/", folder_of_downloads(account)
