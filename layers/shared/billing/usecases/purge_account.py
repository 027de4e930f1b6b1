"""Everything of an account is deleted, and only a receipt without a name stays.

Outside first (documents, payment service, log-ins), then the table, partition by partition; the record that says so
goes last, with the receipt. Cut off anywhere it goes on; what was deleted is counted in the write that deletes it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from datetime import datetime

from billing.domain.account import Account, Status
from billing.domain.events import RANDOM_BYTES, Actor, ActorKind, EventType, Occasion, ulid
from billing.domain.information import BillingInformation
from billing.domain.permissions import Role
from billing.gateways.ports import Directory, Documents, PaymentGateway
from billing.store.payment_store import PaymentStore
from billing.store.purge_store import Purge, PurgeStore, Receipt
from billing.store.store import BillingStore
from billing.usecases.tell import tell


def purge_account(
    account: str,
    *,
    now: datetime,
    correlation: str,
    goes_on: Callable[[], bool],
    store: BillingStore,
    methods: PaymentStore,
    purges: PurgeStore,
    documents: Documents,
    gateway: PaymentGateway,
    directory: Directory,
) -> bool:
    """Whether nothing of the account is left, or is to be deleted. It ends early when `goes_on` says no.

    Raises ConcurrentChange when the account was taken up again meanwhile, UpstreamFailed.
    """
    purge = purges.purge(account)
    if purge is None:
        purge = _begun(account, now, store, methods, purges)
        if purge is None:
            return True
    if "documents" not in purge.counts:
        purge = purges.note(purge, documents=documents.count(_folder(account)))
    documents.delete_all(_folder(account))
    customers = gateway.customers_of(account, purge.customer)
    if "customers" not in purge.counts:
        purge = purges.note(purge, customers=len(customers))
    for customer in customers:
        gateway.delete_customer(customer, f"delete/{customer}/{correlation}")
    for user in purge.users:
        if not purges.belongs_elsewhere(user, account):
            directory.remove(user)
    while goes_on():
        deleted = purges.delete_some(purge)
        if deleted is None:
            _finish(purge, now, correlation, purges)
            return True
        purge = deleted
    return False


def identity(account: str, provisioned_as: str) -> str:
    """By which an account is recognised to be the one that was deleted, without its name."""
    return hashlib.sha256(f"{account} {provisioned_as}".encode()).hexdigest()


def _begun(account: str, now: datetime, store: BillingStore, methods: PaymentStore, purges: PurgeStore) -> Purge | None:
    """A deletion that begins now; None where none is due."""
    payer = methods.payer(account)
    due = purges.due(account)
    if payer is None or due is None:
        return None
    standing: Account = payer.subscriber.account
    if standing.status is not Status.DEACTIVATED or standing.contract.today(now) < due:
        return None
    information: BillingInformation = store.billing_page(account, invoices=0, consistent=True).information
    people = purges.people(account)
    admins = {each.email: each.name for each in people if each.role is Role.ADMIN}
    admins.setdefault(information.billing.details.email, information.contact.details.name)
    purge = Purge(
        account=account,
        receipt=ulid(now, os.urandom(RANDOM_BYTES)),
        account_name=standing.name,
        language=information.billing.details.language,
        recipients=tuple((name, email) for email, name in sorted(admins.items())),
        users=tuple(each.user for each in people),
        customer=payer.profile.customer,
        identity=identity(account, standing.provisioned_as),
        began_at=now,
        counts={},
        digest="",
        version=0,
    )
    purges.begin(standing, purge)
    return purges.purge(account)


def _finish(purge: Purge, now: datetime, correlation: str, purges: PurgeStore) -> None:
    receipt = Receipt(purge.receipt, purge.identity, purge.began_at, now, purge.counts, purge.digest)
    occasion = Occasion(Actor(ActorKind.SYSTEM, None), now, correlation)
    facts = {
        "receipt": receipt.receipt,
        "account_name": purge.account_name,
        "language": purge.language,
        "recipients": [{"name": name, "email": email} for name, email in purge.recipients],
        "deleted_at": now,
        "counts": dict(receipt.counts),
        "digest": f"sha256:{receipt.digest}",
        "invoices_kept_years": 0,
    }
    event = tell(EventType.ACCOUNT_DELETED, occasion, account=purge.account, before=None, after=facts)
    purges.finish(purge, receipt, event)


def _folder(account: str) -> str:
    return f"accounts/{account}/"
