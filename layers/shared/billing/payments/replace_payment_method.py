"""Replaces an account's payment method. The old one is detached at the payment service, and its details are deleted.

The new method is attached at the payment service first, then saved in one transaction here; a worker detaches the old
one from the event of that transaction. An interrupted run is repeated by the customer, or by the payment service's own
notice. It ends with one method on both sides: the newest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime

from billing.kernel.account_ids import clock_of
from billing.kernel.errors import RuleViolation, Violation
from billing.kernel.events import Event, EventType, Facts, RequestContext
from billing.kernel.field_codes import FieldCode
from billing.payments.charge_limits import DEBIT_CURRENCY
from billing.payments.gateway import CustomerDeleted, KeyReused, MethodRefused, NewSetup, PaymentGateway
from billing.payments.methods import NO_SUCH_SETUP, Method, PaymentMethod, PaymentProfile, next_warning, require_usable
from billing.payments.records import Payer, PaymentStore
from billing.platform.events.new_event import new_event

HOUR = "%Y-%m-%dT%H"
"""The hour, as part of the keys of new customers: Stripe repeats its answer to a key for a day, even a failure of its
own. A second customer of an account costs nothing, and is deleted with the account; no charge or refund has such a key.
"""


def begin_setup(
    payer: Payer,
    method: Method,
    repeatable_by: str | None,
    *,
    charged: frozenset[Method],
    context: RequestContext,
    store: PaymentStore,
    gateway: PaymentGateway,
) -> NewSetup:
    """Begins the setup of a payment method, which the customer's browser confirms directly with the payment service.

    `repeatable_by` is the client's own idempotency key: a repeated request gets the same answer. `charged` are the
    methods that the deployment charges. If the account's customer was deleted at the payment service, a new customer is
    made. Raises RuleViolation if the key was used with another method, if the deployment does not charge the method, or
    if it does not suit the contract's currency; ConcurrentChange, UpstreamFailed. One request to the payment service;
    another one and a transaction for a new customer.
    """
    account, profile = payer.subscriber.account.id, payer.profile
    if method not in charged:
        offered = " and ".join(sorted(each.replace("_", " ") for each in charged)) or "bank transfer, by agreement"
        raise RuleViolation(
            Violation(
                ("method",),
                f"It is not offered here. What is: {offered}.",
                FieldCode.NOT_ALLOWED,
                {"allowed": sorted(charged)},
            )
        )
    _require_currency(method, payer, "method")
    customer = profile.customer
    if customer is None:
        customer = gateway.new_customer(account, f"customer/{account}/{context.time:{HOUR}}")
        store.save_customer(account, replace(profile, customer=customer))
    user = context.actor.user or ""
    # The key includes the customer: the payment service refuses a key with other parameters.
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
            Violation(("method",), "This Idempotency-Key was used before, for another method.", FieldCode.NOT_TOGETHER)
        ) from None


def replace_payment_method(
    payer: Payer, setup: str, *, context: RequestContext, store: PaymentStore, gateway: PaymentGateway
) -> PaymentProfile:
    """Makes the method of a confirmed setup the account's payment method. Returns the profile.

    Changes nothing if the setup is in use already. Raises RuleViolation if the setup is not this account's or has no
    method that can be charged in the contract's currency, SetupSuperseded if a newer setup is in use, ConcurrentChange
    if the profile has changed since it was read, UpstreamFailed. Two or three requests to the payment service and one
    transaction.
    """
    account, profile = payer.subscriber.account.id, payer.profile
    if profile.setup == setup:
        return profile
    confirmed = gateway.setup(setup)
    if confirmed is None:
        raise RuleViolation(Violation(("setup_intent",), NO_SUCH_SETUP, FieldCode.UNKNOWN))
    contract = payer.subscriber.account.contract
    today = contract.today(context.time)
    chosen = require_usable(confirmed, profile, today)
    _require_currency(chosen.shown.method, payer, "setup_intent")
    profile.require_newer(confirmed)
    customer = str(profile.customer)
    try:
        if chosen.customer != customer:
            # A SetupIntent with a customer attaches its method itself. Stripe may refuse to attach one a second time.
            gateway.attach(chosen.payment_method, customer, f"attach/{setup}/{context.correlation}")
        gateway.make_default(customer, chosen.payment_method, f"default/{setup}/{context.correlation}")
    except MethodRefused:
        raise RuleViolation(
            Violation(
                ("setup_intent",), "The payment method cannot be used. Begin anew with another one.", FieldCode.UNUSABLE
            )
        ) from None
    changed = profile.with_method(confirmed, chosen, None if clock_of(account) is None else context.time)
    event = changed_event(account, profile, changed, context)
    store.replace_method(account, changed, next_warning(changed, contract, today), event)
    return changed


def _require_currency(method: Method, payer: Payer, field: str) -> None:
    """Raises RuleViolation for a method that cannot pay the contract's currency, which may have changed since its setup
    began."""
    if method is Method.SEPA_DEBIT and payer.subscriber.account.contract.currency != DEBIT_CURRENCY:
        detail = f"A SEPA debit is possible for contracts in {DEBIT_CURRENCY} only."
        raise RuleViolation(Violation((field,), detail, FieldCode.UNSUPPORTED))


def set_bank_transfer(payer: Payer, *, context: RequestContext, store: PaymentStore) -> PaymentProfile:
    """Makes bank transfer the account's payment method. Returns the profile. One transaction, none if it was already.

    Raises ConcurrentChange if the profile has changed since it was read.
    """
    account, profile = payer.subscriber.account.id, payer.profile
    if profile.shown is not None and profile.shown.method is Method.BANK_TRANSFER:
        return profile
    changed = profile.by_transfer(context.time, is_on_clock=clock_of(account) is not None)
    store.replace_method(account, changed, None, changed_event(account, profile, changed, context))
    return changed


def payment_method_shown(profile: PaymentProfile) -> PaymentMethod:
    """The public details of the profile's payment method. Raises ValueError without one."""
    if profile.shown is None:
        raise ValueError("there is no method")
    return profile.shown


def changed_event(account: str, before: PaymentProfile, after: PaymentProfile, context: RequestContext) -> Event:
    """The event of a changed payment method. `detach` lists the replaced methods that a worker must detach."""
    replaced = before.payment_method != after.payment_method
    detach = [before.payment_method] if replaced and before.payment_method is not None else []
    card = _card(after.shown)
    if replaced and card is not None and (before.shown is None or before.shown.card is not None):
        facts = {**card, "detach": detach}
        return new_event(EventType.CARD_UPDATED, context, account=account, before=_card(before.shown), after=facts)
    return new_event(
        EventType.PAYMENT_METHOD_CHANGED,
        context,
        account=account,
        before=None if before.shown is None else asdict(before.shown),
        after={"method": None if after.shown is None else asdict(after.shown), "detach": detach},
    )


def detach_replaced(
    account: str, replaced: Sequence[str], *, correlation: str, store: PaymentStore, gateway: PaymentGateway
) -> int:
    """Detaches, at the payment service, the `replaced` methods and all that are older than the current one.

    Returns their number; 0 for a deleted account. Safe to repeat. Methods created after the current one stay: a setup
    that is under way may be about to use them. One read, one request for the list and one for each method. Raises
    UpstreamFailed.
    """
    payer = store.payer(account)
    if payer is None or payer.profile.customer is None:
        return 0
    profile, customer = payer.profile, payer.profile.customer
    current_since: datetime | None = profile.set_up_at
    attached = gateway.methods(customer)
    old = [
        each.payment_method
        for each in attached
        if each.payment_method != profile.payment_method
        and (each.payment_method in replaced or (current_since is not None and each.created < current_since))
    ]
    for payment_method in old:
        gateway.detach(payment_method, f"detach/{payment_method}/{correlation}")
    if profile.payment_method is not None and profile.payment_method in {each.payment_method for each in attached}:
        # Two simultaneous replacements may have made the other method the default.
        gateway.make_default(customer, profile.payment_method, f"default/{profile.payment_method}/{correlation}")
    return len(old)


def _card(method: PaymentMethod | None) -> Facts | None:
    return None if method is None or method.card is None else asdict(method.card)
