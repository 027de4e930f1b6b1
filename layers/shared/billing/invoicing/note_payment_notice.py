"""What the payment service has told: looked up as it stands now, and brought in line here.

Notices come at least once and in any order, so none is believed: whatever was told, what stands is asked for, and what
agrees already is left alone.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from billing.kernel.errors import RuleViolation
from billing.kernel.events import Actor, ActorKind, RequestContext, by_system
from billing.payments.gateway import PaymentGateway, PaymentNotice
from billing.payments.methods import ChosenMethod, PaymentProfile, Setup, SetupSuperseded, next_warning
from billing.payments.records import Payer, PaymentStore
from billing.payments.replace_payment_method import changed_event, replace_payment_method
from billing.platform.clock import time_for

IGNORED, DONE, AGREED = "ignored", "done", "agreed"
"""What a notice came to: nothing of ours, something was changed, all was so already."""

METHOD_NOTICES = frozenset(
    {"payment_method.automatically_updated", "payment_method.detached", "payment_method.updated"}
)
MANDATE_NOTICES = frozenset({"mandate.updated"})
CUSTOMER_NOTICES = frozenset({"customer.deleted"})
SETUP_SUCCEEDED = "setup_intent.succeeded"
PAYMENT_NOTICES = frozenset(
    {
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.processing",
        "payment_intent.canceled",
    }
)
REFUND_NOTICES = frozenset({"refund.created", "refund.updated", "refund.failed"})
DISPUTE_NOTICES = frozenset(
    {
        "charge.dispute.created",
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
    }
)
"""See billing.invoicing.sync_payments."""

KNOWN = frozenset(
    {
        *METHOD_NOTICES,
        *MANDATE_NOTICES,
        *CUSTOMER_NOTICES,
        *PAYMENT_NOTICES,
        *REFUND_NOTICES,
        *DISPUTE_NOTICES,
        SETUP_SUCCEEDED,
    }
)
"""The types that we deal with. All others are acknowledged, and not looked at."""


def note_payment_notice(
    notice: PaymentNotice, *, now: datetime, correlation: str, store: PaymentStore, gateway: PaymentGateway
) -> str:
    """What it came to. Raises ConcurrentChange, UpstreamFailed."""
    occasion = by_system(now, correlation)
    if notice.type == SETUP_SUCCEEDED:
        return _finish(notice.object, occasion, store, gateway)
    if notice.type in METHOD_NOTICES:
        account = None if notice.customer is None else gateway.account_of(notice.customer)
        return _follow(account, notice.object, occasion, store, gateway)
    if notice.type in MANDATE_NOTICES:
        return _without_revoked(notice.object, occasion, store, gateway)
    if notice.type in CUSTOMER_NOTICES:
        return _without_customer(notice, occasion, store, gateway)
    return IGNORED


def _finish(setup_intent: str, context: RequestContext, store: PaymentStore, gateway: PaymentGateway) -> str:
    """Ends an update whose browser has vanished."""
    setup = gateway.setup(setup_intent)
    if setup is None or setup.account is None:
        return IGNORED
    context = _at(setup.account, context)
    if setup.user:
        context = replace(context, actor=Actor(ActorKind.CUSTOMER, setup.user))
    payer = store.payer(setup.account)
    if payer is None:
        return IGNORED
    try:
        profile = replace_payment_method(payer, setup_intent, context=context, store=store, gateway=gateway)
    except RuleViolation:
        return IGNORED
    except SetupSuperseded:
        # Nobody will ever charge it, so it must not stay.
        _give_up(setup, payer.profile, context, gateway)
        return DONE
    return AGREED if payer.profile == profile else DONE


def _at(account: str, context: RequestContext) -> RequestContext:
    """The context at the account's own time. A notice says only that something has changed."""
    return replace(context, time=time_for(account, context.time))


def _give_up(setup: Setup, profile: PaymentProfile, context: RequestContext, gateway: PaymentGateway) -> None:
    chosen = setup.chosen
    if chosen is None or chosen.customer is None:
        return
    if profile.payment_method != chosen.payment_method:
        gateway.detach(chosen.payment_method, f"detach/{chosen.payment_method}/{context.correlation}")


def _follow(
    account: str | None, method: str, context: RequestContext, store: PaymentStore, gateway: PaymentGateway
) -> str:
    """The bank has changed a card, or somebody has taken it away at the payment service."""
    payer = None if account is None else store.payer(account)
    if payer is None or payer.profile.payment_method != method:
        return IGNORED
    return _save(payer, _as_it_stands(payer.profile, gateway.method(method)), context, store)


def _without_revoked(mandate: str, context: RequestContext, store: PaymentStore, gateway: PaymentGateway) -> str:
    """A mandate that was revoked allows no debit any more, so its bank account pays nothing."""
    method = gateway.revoked_method(mandate)
    chosen = None if method is None else gateway.method(method)
    if chosen is None or chosen.customer is None:
        return IGNORED
    account = gateway.account_of(chosen.customer)
    payer = None if account is None else store.payer(account)
    if payer is None or payer.profile.payment_method != method:
        return IGNORED
    return _save(payer, payer.profile.without_method(), context, store)


def _without_customer(
    notice: PaymentNotice, context: RequestContext, store: PaymentStore, gateway: PaymentGateway
) -> str:
    """Somebody has deleted the customer at the payment service, with its payment methods. The next setup makes a new
    customer."""
    payer = None if notice.account is None else store.payer(notice.account)
    if payer is None or payer.profile.customer != notice.object or payer.profile.payment_method is None:
        return IGNORED
    return _save(payer, _as_it_stands(payer.profile, gateway.method(payer.profile.payment_method)), context, store)


def _save(payer: Payer, changed: PaymentProfile, context: RequestContext, store: PaymentStore) -> str:
    account, profile = payer.subscriber.account.id, payer.profile
    context = _at(account, context)
    if changed == profile:
        return AGREED
    contract = payer.subscriber.account.contract
    warning = next_warning(changed, contract, contract.today(context.time))
    store.replace_method(account, changed, warning, changed_event(account, profile, changed, context))
    return DONE


def _as_it_stands(profile: PaymentProfile, standing: ChosenMethod | None) -> PaymentProfile:
    if standing is None or standing.customer is None:
        return profile.without_method()
    shown, kept = standing.shown, None if profile.shown is None else profile.shown.debit
    if shown.debit is not None and kept is not None:
        # The mandate is not part of the payment method at the payment service.
        shown = replace(shown, debit=replace(shown.debit, mandate=kept.mandate, creditor=kept.creditor))
    return replace(profile, shown=shown, fingerprint=standing.fingerprint)
