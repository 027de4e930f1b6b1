"""Staff give an account a payment term of its own for bank transfers. What is issued keeps its due day."""

from __future__ import annotations

from dataclasses import replace

from billing.accounts.rules import Status
from billing.kernel.errors import ConcurrentChange, Conflict, StaleVersion, VersionRequired
from billing.kernel.events import EventType, Facts, RequestContext
from billing.kernel.versions import Versions, includes
from billing.payments.methods import Method, PaymentProfile
from billing.payments.records import Payer, PaymentStore
from billing.platform.events.new_event import new_event


def change_payment_term(
    payer: Payer,
    days: int | None,
    reason: str,
    replaces: Versions | None,
    *,
    deployed_days: int,
    is_preview: bool,
    context: RequestContext,
    store: PaymentStore,
) -> PaymentProfile:
    """The profile with another payment term in days, None for that of the deployment, which is `deployed_days`.

    It holds for the next invoices, and for unpaid ones of an account that changes to bank transfers later. `replaces`
    is the version of the profile that the caller has seen. A preview writes nothing, and names no version. A term that
    is so already is not written again. One transaction, and one read if its condition fails. Raises Conflict for a
    deactivated account, VersionRequired, StaleVersion, ConcurrentChange.
    """
    account, profile = payer.subscriber.account, payer.profile
    if account.status is Status.DEACTIVATED:
        raise Conflict("The account is deactivated: its payment term is not changed any more.")
    if profile.term_days == days:
        return profile
    if replaces is None and not is_preview:
        raise VersionRequired("Name the version that this replaces: If-Match with its ETag.")
    if replaces is not None and not includes(replaces, profile.version):
        raise StaleVersion
    changed = replace(profile, term_days=days)
    if is_preview:
        return changed
    event = new_event(
        EventType.PAYMENT_TERM_CHANGED,
        context,
        account=account.id,
        before=_facts(profile, deployed_days),
        after={
            **_facts(changed, deployed_days),
            "is_by_transfer": profile.shown is not None and profile.shown.method is Method.BANK_TRANSFER,
            "reason": reason,
        },
    )
    try:
        store.save_term(account.id, changed, event)
    except ConcurrentChange:
        # Two copies of one request may run at once. The slower one then finds the result of the faster one.
        stored = store.payer(account.id)
        if stored is None:
            raise
        if stored.profile.term_days == days:
            return stored.profile
        if stored.profile.version != profile.version:
            raise StaleVersion from None
        raise
    return replace(changed, version=profile.version + 1)


def _facts(profile: PaymentProfile, deployed_days: int) -> Facts:
    return {"days": profile.payment_term(deployed_days), "is_own": profile.term_days is not None}
