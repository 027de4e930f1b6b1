"""A new payment method takes the place of the old one, of which nothing stays.

At the payment service first, then in one transaction here, and the old one is given up by a worker, from the event of
that transaction. Cut off anywhere and repeated, by the customer or by the payment service's own notice, it ends with
one method on both sides: the newest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime

from billing.kernel.errors import RuleViolation, Violation
from billing.kernel.events import Event, EventType, Facts, RequestContext
from billing.payments.charge_limits import DEBIT_CURRENCY
from billing.payments.gateway import CustomerDeleted, KeyReused, MethodRefused, NewSetup, PaymentGateway
from billing.payments.methods import NO_SUCH_SETUP, Method, PaymentMethod, PaymentProfile, next_warning, require_usable
from billing.payments.records import Payer, PaymentStore
from billing.platform.events.new_event import new_event

HOUR = "%Y-%m-%dT%H"
"""The payment service repeats its answer to a key for a day, also that of its own failure: the next hour tries anew."""


def begin_setup(
    payer: Payer,
    method: Method,
    repeatable_by: str | None,
    *,
    context: RequestContext,
    store: PaymentStore,
    gateway: PaymentGateway,
) -> NewSetup:
    """Begins to set up a payment method, which the customer then confirms with the payment service alone.

    `repeatable_by` is the client's own key: with it a repeated request gets the same answer. An account whose customer
    was deleted at the payment service becomes a new one there. Raises RuleViolation for a key that was used otherwise
    and for a method that does not go with the contract's currency, ConcurrentChange, UpstreamFailed. One transaction
    for an account's first customer.
    """
    account, profile = payer.subscriber.account.id, payer.profile
    if method is Method.SEPA_DEBIT and payer.subscriber.account.contract.currency != DEBIT_CURRENCY:
        raise RuleViolation(Violation(("method",), f"A SEPA debit is possible for contracts in {DEBIT_CURRENCY} only."))
    customer = profile.customer
    if customer is None:
        customer = gateway.new_customer(account, f"customer/{account}/{context.time:{HOUR}}")
        store.save_customer(account, replace(profile, customer=customer))
    user = context.actor.user or ""
    # With the customer: the same key goes with the same parameters only.
    key = f"setup/{account}/{user}/{repeatable_by or context.correlation}"
    try:
        try:
            return gateway.new_setup(customer, account, user, method, f"{key}/{customer}")
        except CustomerDeleted:
            renewed = gateway.new_customer(account, f"customer/{account}/{customer}/{context.time:{HOUR}}")
            store.save_customer(account, profile.with_customer(renewed))
            return gateway.new_setup(renewed, account, user, method, f"{key}/{renewed}")
    except KeyReused:
        raise RuleViolation(
            Violation(("method",), "This Idempotency-Key was used before, for another method.")
        ) from None


def replace_payment_method(
    payer: Payer, setup: str, *, context: RequestContext, store: PaymentStore, gateway: PaymentGateway
) -> PaymentProfile:
    """The profile with the method that a setup has led to; as it stands where that was done before.

    Raises RuleViolation for a setup that is not this account's, or led to nothing that can be charged,
    SetupSuperseded for one that a newer one has replaced, ConcurrentChange when the profile has changed since it was
    read, UpstreamFailed. One transaction.
    """
    account, profile = payer.subscriber.account.id, payer.profile
    if profile.setup == setup:
        return profile
    standing = gateway.setup(setup)
    if standing is None:
        raise RuleViolation(Violation(("setup_intent",), NO_SUCH_SETUP))
    contract = payer.subscriber.account.contract
    today = contract.today(context.time)
    chosen = require_usable(standing, profile, today)
    profile.require_newer(standing)
    customer = str(profile.customer)
    try:
        gateway.attach(chosen.payment_method, customer, f"attach/{setup}/{context.correlation}")
        gateway.make_default(customer, chosen.payment_method, f"default/{setup}/{context.correlation}")
    except MethodRefused:
        raise RuleViolation(
            Violation(("setup_intent",), "The payment method cannot be used. Begin anew with another one.")
        ) from None
    changed = profile.with_method(standing, chosen)
    event = changed_event(account, profile, changed, context)
    store.replace_method(account, changed, next_warning(changed, contract, today), event)
    return changed


def set_bank_transfer(payer: Payer, *, context: RequestContext, store: PaymentStore) -> PaymentProfile:
    """The profile of an account that transfers the money itself from now on. One transaction.

    Raises ConcurrentChange when the profile has changed since it was read.
    """
    account, profile = payer.subscriber.account.id, payer.profile
    if profile.shown is not None and profile.shown.method is Method.BANK_TRANSFER:
        return profile
    changed = profile.by_transfer(context.time)
    store.replace_method(account, changed, None, changed_event(account, profile, changed, context))
    return changed


def payment_method_shown(profile: PaymentProfile) -> PaymentMethod:
    """What may be seen of the method that was just set."""
    if profile.shown is None:
        raise ValueError("there is no method")
    return profile.shown


def changed_event(account: str, before: PaymentProfile, after: PaymentProfile, context: RequestContext) -> Event:
    """What is told when an account pays in another way: with what must still be given up."""
    replaced = before.payment_method != after.payment_method
    given_up = [before.payment_method] if replaced and before.payment_method is not None else []
    card = _card(after.shown)
    if replaced and card is not None and (before.shown is None or before.shown.card is not None):
        told = {**card, "detach": given_up}
        return new_event(EventType.CARD_UPDATED, context, account=account, before=_card(before.shown), after=told)
    return new_event(
        EventType.PAYMENT_METHOD_CHANGED,
        context,
        account=account,
        before=None if before.shown is None else asdict(before.shown),
        after={"method": None if after.shown is None else asdict(after.shown), "detach": given_up},
    )


def detach_replaced(
    account: str, replaced: Sequence[str], *, correlation: str, store: PaymentStore, gateway: PaymentGateway
) -> int:
    """Gives up, at the payment service, what was replaced and whatever is older than what stands; how many there were.

    Safe to repeat. What was begun after the method that stands is not touched: it may take its place in a moment.
    Nothing for an account that is gone. Raises UpstreamFailed.
    """
    payer = store.payer(account)
    if payer is None or payer.profile.customer is None:
        return 0
    profile, customer = payer.profile, payer.profile.customer
    standing_since: datetime | None = profile.set_up_at
    kept = gateway.methods(customer)
    given_up = [
        each.payment_method
        for each in kept
        if each.payment_method != profile.payment_method
        and (each.payment_method in replaced or (standing_since is not None and each.created < standing_since))
    ]
    for payment_method in given_up:
        gateway.detach(payment_method, f"detach/{payment_method}/{correlation}")
    if profile.payment_method is not None and profile.payment_method in {each.payment_method for each in kept}:
        # Two requests at once may have left the other one's here.
        gateway.make_default(customer, profile.payment_method, f"default/{profile.payment_method}/{correlation}")
    return len(given_up)


def _card(method: PaymentMethod | None) -> Facts | None:
    return None if method is None or method.card is None else asdict(method.card)
