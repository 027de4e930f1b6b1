"""Schemas of events about an account's end: cancellation, reactivation, deletion, downloads."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from billing.platform.events.envelope import AccountEvent, Facts, Identifier
from billing.platform.events.facts import ContractFacts, InvoiceToComeFacts, LineFacts, MoneyFacts, PersonFacts


class CancellationFacts(Facts):
    """`active_until` is the first day that is not served; what is paid for is used up by then. `receipt` names
    this cancellation wherever it is spoken of. `goodwill_lapses` is the goodwill, before tax, that no invoice is left
    for; older events are without."""

    receipt: Identifier
    requested_by: PersonFacts
    reason: str
    text: str
    notice_ends: date
    active_until: date
    charges_still_due: list[InvoiceToComeFacts]
    purge_on: date
    goodwill_lapses: MoneyFacts | None = None


class RenewalFacts(Facts):
    """The renewal to come, and what it comes to."""

    renewal: InvoiceToComeFacts
    interval_months: int


class NoticeDeadlineFacts(RenewalFacts):
    """`last_day` is the last one on which a cancellation avoids the renewal."""

    last_day: date


class OpenInCurrencyFacts(Facts):
    """What is open in a currency that the contract had before: as `to_pay` and `to_repay` of DeactivationFacts."""

    to_pay: MoneyFacts | None
    to_repay: MoneyFacts | None


class DeactivationFacts(Facts):
    """`reactivate_until` is the last day on which an admin can change their mind; on `purge_on` all is deleted.

    `to_pay` is what the customer still owes, `to_repay` what the vendor owes them. None where nothing is, and in events
    of an earlier release. `others` is what is open in currencies that the contract had before.
    """

    deactivated_on: date
    reactivate_until: date
    purge_on: date
    to_pay: MoneyFacts | None = None
    to_repay: MoneyFacts | None = None
    others: tuple[OpenInCurrencyFacts, ...] = ()


class OpenDocumentFacts(Facts):
    """An invoice or a credit note of which something is open. `to_pay` is owed by the customer, `to_repay` to them."""

    number: str
    due_on: date
    to_pay: MoneyFacts
    to_repay: MoneyFacts
    state: Literal["open", "in_transit", "disputed"]


class NotInvoicedFacts(Facts):
    """What is due and not invoiced, because the invoices wait for staff: how many, and their total with tax."""

    invoices: int
    total: MoneyFacts


class OpenMoneyFacts(Facts):
    """What is open in both directions at a `stage` of an account's end. Once it is deleted, this is kept as claims.

    `unassigned` is owed to the customer, and belongs to no document. `language` is the customer's, None before the
    deletion. `others` is what is open in currencies that the contract had before; their documents are in the list.
    """

    stage: Literal["deactivated", "deletion_near", "deleted"]
    purge_on: date
    to_pay: MoneyFacts
    to_repay: MoneyFacts
    documents: list[OpenDocumentFacts]
    not_invoiced: NotInvoicedFacts | None
    unassigned: MoneyFacts | None
    language: str | None
    others: tuple[OpenInCurrencyFacts, ...] = ()


class KeptFacts(Facts):
    """What is kept of a deleted account until it is settled, by number: `claims` that its customer owes, `repayments`
    that the vendor owes. `until` is the last day on which any is kept."""

    claims: int
    repayments: int
    until: date


class OpenClaimFacts(Facts):
    """What has happened to an open claim of a deleted account. `claim` is the number of its document.

    `amount` is what it is about; `to_pay` and `to_repay` are left after it. `settled` says that it is deleted now.
    `reference` names the payment, the refund or the transfer. `language` is the one of the document.
    """

    claim: str
    change: Literal[
        "paid",
        "payment_failed",
        "overpaid",
        "disputed",
        "dispute_closed",
        "charged_back",
        "charge_back_won",
        "repaid",
        "refund_failed",
        "set_off",
        "written_off",
        "expired",
    ]
    amount: MoneyFacts
    to_pay: MoneyFacts
    to_repay: MoneyFacts
    settled: bool
    reference: str | None
    language: str


class ReactivationFacts(Facts):
    contract: ContractFacts
    lines: list[LineFacts]
    first_charge: InvoiceToComeFacts


class RequestedReactivationFacts(Facts):
    """What an admin has agreed to be charged for the first period of the new contract, with tax."""

    reactivation: Identifier
    due: MoneyFacts


class FailedReactivationFacts(RequestedReactivationFacts):
    """`reactivate_until` is the last day on which it can be tried again; on `purge_on` all is deleted."""

    reason: Literal[
        "declined", "insufficient_funds", "expired_card", "authentication_required", "no_payment_method", "failed"
    ]
    reactivate_until: date
    purge_on: date


class DeletionFacts(Facts):
    """What was deleted, counted by kind, and who is told: nobody could be looked up any more. `kept` is None where
    nothing is open."""

    receipt: Identifier
    account_name: str
    language: str
    recipients: list[PersonFacts]
    deleted_at: datetime
    counts: dict[str, int]
    digest: str
    invoices_kept_years: int
    kept: KeptFacts | None = None


class RequestedDownloadFacts(Facts):
    """A file that somebody of the account has asked for; `year` goes with invoices. `user` has asked."""

    download: Identifier
    kind: Literal["export", "invoices"]
    year: int | None
    user: str


class ReadyDownloadFacts(RequestedDownloadFacts):
    """`until` is the last day on which it can be downloaded."""

    requested_at: datetime
    files: int
    until: date


class CancellationRequested(AccountEvent[Literal["cancellation.requested"], None, CancellationFacts]):
    """An admin has cancelled the account; it stays active until what is paid is used up."""


class CancellationWithdrawn(AccountEvent[Literal["cancellation.withdrawn"], CancellationFacts, RenewalFacts]):
    """A cancellation was taken back in time: as if never asked."""


class NoticeDeadlineNear(AccountEvent[Literal["renewal.notice_deadline_near"], None, NoticeDeadlineFacts]):
    """In a week is the last day on which a cancellation avoids the next renewal."""


class AccountDeactivated(AccountEvent[Literal["account.deactivated"], None, DeactivationFacts]):
    """What was paid is used up: the account is no longer served, and nothing is deleted yet."""


class AccountDeletionNear(AccountEvent[Literal["account.deletion_near"], None, DeactivationFacts]):
    """In three days everything of the account is deleted."""


class AccountMoneyOpen(AccountEvent[Literal["account.money_open"], None, OpenMoneyFacts]):
    """An account ends, or is deleted, while money is open. Told to staff."""


class OpenClaimChanged(AccountEvent[Literal["open_claim.changed"], None, OpenClaimFacts]):
    """The payment service, or the calendar, has changed what is open of a deleted account. Told to staff."""


class OpenClaimSettled(AccountEvent[Literal["open_claim.settled"], None, OpenClaimFacts]):
    """Staff have recorded what settles an open claim of a deleted account, or a part of it."""


class AccountReactivated(AccountEvent[Literal["account.reactivated"], DeactivationFacts, ReactivationFacts]):
    """An admin has taken a deactivated account up again, on a new contract."""


class AccountReactivationRequested(
    AccountEvent[Literal["account.reactivation_requested"], None, RequestedReactivationFacts]
):
    """An admin wants to take a deactivated account up again. It is charged for first."""


class AccountReactivationFailed(AccountEvent[Literal["account.reactivation_failed"], None, FailedReactivationFacts]):
    """The first charge has failed: the account stays deactivated."""


class AccountDeleted(AccountEvent[Literal["account.deleted"], None, DeletionFacts]):
    """Nothing of the account is left but what `kept` counts. This is the receipt."""


class DownloadRequested(AccountEvent[Literal["download.requested"], None, RequestedDownloadFacts]):
    """Somebody has asked for all data of the account, or for its invoices of a year."""


class DownloadReady(AccountEvent[Literal["download.ready"], None, ReadyDownloadFacts]):
    """What was asked for can be downloaded."""


class ErasureFacts(Facts):
    """`user` is the id of the person's log-in, `erased_as` what stays of them in the record: a random name.

    Whoever keeps events of the account finds the person by the one, and writes the other. The copy of this event in the
    record has `erased_as` in both places once they are erased.
    """

    user: str
    erased_as: str


class ErasedFacts(Facts):
    """`user` is `erased_as` of the request. `entries` of the record are written without the person. `mails` are the
    copies of mails, and `files` those of downloads, that are deleted."""

    user: str
    entries: int
    mails: int
    files: int


class UserErasureRequested(AccountEvent[Literal["user.erasure_requested"], None, ErasureFacts]):
    """A person is being erased from the account's record. Consumers who keep it should do the same."""


class UserErased(AccountEvent[Literal["user.erased"], None, ErasedFacts]):
    """A person is erased from the account's record."""
