"""Records the transfers of a bank entry, and takes them back. What is done is known by the entry's key, so both may be
cut off anywhere and are gone on with by the next request."""

from __future__ import annotations

from dataclasses import replace

from billing.accounts.rules import existing
from billing.invoicing.bank_statements.entries import BankEntry
from billing.invoicing.bank_statements.matching import Doubt, Part
from billing.invoicing.bank_statements.records import BankStatementStore
from billing.invoicing.record_transfer import record_transfer
from billing.invoicing.settings import InvoicingSettings
from billing.invoicing.take_transfer_back import take_transfer_back
from billing.invoicing.transfers import Transfer
from billing.kernel.errors import NotFound
from billing.kernel.events import RequestContext
from billing.payments.gateway import PaymentGateway


def preview_parts(
    entry: BankEntry,
    parts: tuple[Part, ...],
    *,
    context: RequestContext,
    store: BankStatementStore,
    gateway: PaymentGateway,
) -> tuple[Transfer, ...]:
    """The transfers that parts would be, nothing written: for a preview, and before a decision is written.

    A read and two queries for each part. Raises what record_transfer raises.
    """
    return tuple(
        record_transfer(
            existing(store.billing_context(part.account)),
            entry.transfer_of(part),
            context=context,
            store=store,
            gateway=gateway,
            is_preview=True,
        ).transfer
        for part in parts
    )


def book(entry: BankEntry, *, context: RequestContext, store: BankStatementStore, gateway: PaymentGateway) -> BankEntry:
    """The entry that is about to be booked, once it is: a transfer for each account.

    For each part a read, two queries and two transactions; one more for the payer. Raises what record_transfer raises.
    """
    for part in entry.parts[len(entry.transfers) :]:
        billing = existing(store.billing_context(part.account))
        recorded = record_transfer(billing, entry.transfer_of(part), context=context, store=store, gateway=gateway)
        transfers = (*entry.transfers, (part.account, recorded.transfer.id))
        entry = replace(entry, transfers=transfers)
        if len(transfers) < len(entry.parts):
            entry = store.save_entry(entry)
    payer = entry.booking.payer.digest
    if payer is not None:
        store.remember_payer(payer, [each.account for each in entry.parts], context.time)
    return store.save_entry(entry.booked(context.time))


def preview_taking_back(
    entry: BankEntry,
    reason: str,
    *,
    context: RequestContext,
    settings: InvoicingSettings,
    store: BankStatementStore,
    gateway: PaymentGateway,
) -> None:
    """Raises what taking back the transfers of an entry would raise, before it is begun. Nothing is written.

    For each part four reads and two queries.
    """
    for part in _booked_parts(entry):
        for transfer in recorded(entry, part, store):
            billing = store.billing_context(part.account)
            if billing is not None:
                take_transfer_back(
                    billing,
                    transfer,
                    reason,
                    context=context,
                    settings=settings,
                    store=store,
                    gateway=gateway,
                    is_preview=True,
                )


def take_back(
    entry: BankEntry,
    reason: str,
    *,
    context: RequestContext,
    settings: InvoicingSettings,
    store: BankStatementStore,
    gateway: PaymentGateway,
) -> BankEntry:
    """The entry without its transfers: doubtful again. Raises what take_transfer_back raises.

    For each part three reads, two queries and a transaction; one or two transactions more.
    """
    parts = _booked_parts(entry)
    for part in parts:
        for transfer in recorded(entry, part, store):
            try:
                billing = existing(store.billing_context(part.account))
                take_transfer_back(
                    billing, transfer, reason, context=context, settings=settings, store=store, gateway=gateway
                )
            except NotFound:  # the account was deleted since, and its transfers with it
                continue
    payer = entry.booking.payer.digest
    if payer is not None and parts:
        store.forget_payer(payer, {part.account for part in parts})
    return store.save_entry(replace(entry.doubtful(Doubt.TAKEN_BACK), round=entry.round + 1))


def _booked_parts(entry: BankEntry) -> tuple[Part, ...]:
    """The parts of which transfers were recorded; none of an entry that staff have ignored."""
    return entry.parts if entry.decision is None or entry.decision.parts else ()


def recorded(entry: BankEntry, part: Part, store: BankStatementStore) -> list[str]:
    """The transfers of a part: also one that was recorded and then not noted, because the request was cut off."""
    asked = entry.transfer_of(part)
    return [each.id for each in store.same_transfers(part.account, asked) if each.key == entry.key]
