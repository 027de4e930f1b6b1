"""Payment methods and charges, kept and made by Stripe. The only module that knows Stripe's SDK."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import stripe
from stripe import RequestsClient, StripeClient

from billing.kernel.errors import AnswerLost, UpstreamFailed
from billing.kernel.money import Money, charged_money, charged_units
from billing.payments.gateway import (
    AmountRefused,
    CustomerDeleted,
    KeyReused,
    KeySpent,
    MethodRefused,
    NewSetup,
    RequestRefused,
)
from billing.payments.methods import (
    Card,
    Charge,
    ChargeState,
    ChosenMethod,
    Debit,
    Dispute,
    Method,
    PaymentFailure,
    PaymentMethod,
    Setup,
    SetupStatus,
)

API_VERSION = "2026-10-28.endive"
"""Stripe's answers have this form until we choose another one: an upgrade is a change of ours, with its tests."""

TIMEOUT_SECONDS = (2.0, 6.0)
"""To connect, and to wait for an answer. Three calls in a row must be over before API Gateway gives up, after 29."""

ACCOUNT, INVOICE, USER, CREDIT_NOTE = "account", "invoice", "user", "credit_note"
"""What we write onto Stripe's objects: whose they are, and what for. None names a person."""

REFUNDED = frozenset({"succeeded", "pending", "requires_action"})
UNFINISHED = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})

PAGE = 100

_METHODS = {Method.CARD: "card", Method.SEPA_DEBIT: "sepa_debit"}
_STATUS = {
    "succeeded": SetupStatus.SUCCEEDED,
    "requires_action": SetupStatus.NEEDS_CONSENT,
    "processing": SetupStatus.IN_TRANSIT,
    "canceled": SetupStatus.FAILED,
}
_CONFLICT, _SERVER_ERROR = 409, 500

_REASONS = {
    "insufficient_funds": PaymentFailure.INSUFFICIENT_FUNDS,
    "expired_card": PaymentFailure.EXPIRED_CARD,
    "authentication_required": PaymentFailure.AUTHENTICATION_REQUIRED,
    "payment_intent_authentication_failure": PaymentFailure.AUTHENTICATION_REQUIRED,
    "processing_error": PaymentFailure.FAILED,
}
_HARD = frozenset({PaymentFailure.EXPIRED_CARD})
"""What no further attempt can change."""

_MADE = frozenset({ChargeState.SUCCEEDED, ChargeState.IN_TRANSIT})

_HARD_DECLINES = frozenset(
    {
        *("account_closed", "card_not_supported", "do_not_try_again", "fraudulent", "invalid_account"),
        *("lost_card", "pickup_card", "restricted_card", "revocation_of_all_authorizations"),
        *("revocation_of_authorization", "security_violation", "stolen_card", "stop_payment_order"),
        "transaction_not_allowed",
    }
)
"""Declines after which the card networks want no further attempt (docs.stripe.com/declines/codes)."""

_AMOUNTS = {"amount_too_small": True, "amount_too_large": False}
"""Refusals of an amount, and whether it is too small."""

_NEVER = {
    "amount_too_large": PaymentFailure.FAILED,
    "bank_account_declined": PaymentFailure.DECLINED,
    "bank_account_restricted": PaymentFailure.DECLINED,
    "bank_account_unusable": PaymentFailure.DECLINED,
    "charge_exceeds_source_limit": PaymentFailure.FAILED,
    "charge_exceeds_transaction_limit": PaymentFailure.FAILED,
    "debit_not_authorized": PaymentFailure.DECLINED,
    "expired_payment_method": PaymentFailure.EXPIRED_CARD,
    "payment_intent_mandate_invalid": PaymentFailure.NO_PAYMENT_METHOD,
    "payment_method_bank_account_blocked": PaymentFailure.DECLINED,
    "payment_method_currency_mismatch": PaymentFailure.FAILED,
    "payment_method_customer_decline": PaymentFailure.DECLINED,
    "payment_method_provider_decline": PaymentFailure.DECLINED,
    "payment_method_restricted": PaymentFailure.DECLINED,
    "sepa_unsupported_account": PaymentFailure.DECLINED,
}
"""Refusals of a charge, other than declines, that are facts about this one payment, and what its customer is told.

All others are our own fault (docs.stripe.com/error-codes): `parameter_unknown` and what is not here.
"""

_HARD_CODES = frozenset(_NEVER) - {"payment_method_provider_decline", "charge_exceeds_source_limit"}
"""Those after which the same attempt is of no use."""

_NOT_REFUNDED = frozenset(
    {"charge_already_refunded", "charge_disputed", "charge_not_refundable", "refund_disputed_payment"}
)


class StripePayments:
    """See billing.payments.gateway.PaymentGateway."""

    def __init__(
        self, secret: Callable[[str], str], address: str | None, http_client: stripe.HTTPClient | None = None
    ) -> None:
        """`secret` gives `api_key` and `publishable_key`; `address` is where Stripe is, if not at its own."""
        self._secret = secret
        self._address = address
        self._http_client = http_client or RequestsClient(timeout=TIMEOUT_SECONDS)
        self._client: StripeClient | None = None
        self._key = ""

    def new_customer(self, account: str, key: str) -> str:
        with _answering():
            made = self._stripe.v1.customers.create({"metadata": {ACCOUNT: account}}, {"idempotency_key": key})
        return made.id

    def new_setup(self, customer: str, account: str, user: str, method: Method, key: str) -> NewSetup:
        wanted: Any = {
            "customer": customer,
            "allowed_payment_method_types": [_METHODS[method]],
            "usage": "off_session",
            "metadata": {ACCOUNT: account, USER: user},
        }
        with _answering(), self._asking_for(customer):
            made = self._stripe.v1.setup_intents.create(wanted, {"idempotency_key": key})
        if made.client_secret is None:
            raise UpstreamFailed("Stripe gave no client secret.")
        return NewSetup(made.id, made.client_secret, self._secret("publishable_key"))

    def setup(self, setup: str) -> Setup | None:
        with _answering():
            try:
                found = self._stripe.v1.setup_intents.retrieve(setup, {"expand": ["payment_method"]})
            except stripe.InvalidRequestError as failure:
                _require_missing(failure)
                return None
        method: Any = found.payment_method
        failed = found.last_setup_error is not None and found.status == "requires_payment_method"
        status = SetupStatus.FAILED if failed else _STATUS.get(found.status, SetupStatus.UNFINISHED)
        return Setup(
            id=found.id,
            customer=_id(found.customer),
            status=status,
            created=_instant(found.created),
            chosen=None if method is None else _chosen(method),
            account=_noted(found, ACCOUNT),
            user=_noted(found, USER),
        )

    def attach(self, payment_method: str, customer: str, key: str) -> None:
        with _answering(), _refusing():
            self._stripe.v1.payment_methods.attach(payment_method, {"customer": customer}, {"idempotency_key": key})

    def make_default(self, customer: str, payment_method: str, key: str) -> None:
        settings: Any = {"invoice_settings": {"default_payment_method": payment_method}}
        with _answering(), _refusing():
            self._stripe.v1.customers.update(customer, settings, {"idempotency_key": key})

    def method(self, payment_method: str) -> ChosenMethod | None:
        with _answering():
            try:
                return _chosen(self._stripe.v1.payment_methods.retrieve(payment_method))
            except stripe.InvalidRequestError as failure:
                _require_missing(failure)
                return None

    def methods(self, customer: str) -> Sequence[ChosenMethod]:
        with _answering():
            try:
                with self._asking_for(customer):
                    found = self._stripe.v1.customers.payment_methods.list(customer, {"limit": PAGE})
            except CustomerDeleted:
                return []
            kept = (_chosen(each) for each in found.auto_paging_iter())
            return [each for each in kept if each is not None]

    def detach(self, payment_method: str, key: str) -> None:
        with _answering():
            try:
                self._stripe.v1.payment_methods.detach(payment_method, None, {"idempotency_key": key})
            except stripe.InvalidRequestError:
                standing = self.method(payment_method)
                if standing is not None and standing.customer is not None:
                    raise

    def account_of(self, customer: str) -> str | None:
        with _answering():
            try:
                found = self._stripe.v1.customers.retrieve(customer)
            except stripe.InvalidRequestError as failure:
                _require_missing(failure)
                return None
        return _noted(found, ACCOUNT)

    def customers_of(self, account: str, known: str | None) -> Sequence[str]:
        with _answering():
            found = self._stripe.v1.customers.search({"query": f"metadata['{ACCOUNT}']:'{account}'", "limit": PAGE})
            # What the search has not taken in yet is known to us, unless it was never kept.
            return sorted({each.id for each in found.auto_paging_iter()} | ({known} if known else set()))

    def delete_customer(self, customer: str, key: str) -> None:
        with _answering():
            try:
                self._stripe.v1.customers.delete(customer, None, {"idempotency_key": key})
            except stripe.InvalidRequestError as failure:
                _require_missing(failure)

    def dispute(self, dispute: str) -> Dispute | None:
        with _answering():
            try:
                found = self._stripe.v1.disputes.retrieve(dispute, {"expand": ["payment_intent"]})
            except stripe.InvalidRequestError as failure:
                _require_missing(failure)
                return None
        amount = charged_money(found.amount, found.currency)
        payment = found.payment_intent
        return Dispute(_noted(payment, ACCOUNT), _noted(payment, INVOICE), amount, found.reason)

    def new_payment(self, customer: str, account: str, invoice: str, amount: Money, method: Method, key: str) -> str:
        wanted: Any = {
            "amount": charged_units(amount),
            "currency": amount.currency.lower(),
            "customer": customer,
            "allowed_payment_method_types": [_METHODS[method]],
            "metadata": {ACCOUNT: account, INVOICE: invoice},
        }
        with _answering(), self._asking_for(customer):
            try:
                return self._stripe.v1.payment_intents.create(wanted, {"idempotency_key": key}).id
            except stripe.InvalidRequestError as refused:
                if refused.code in _AMOUNTS:
                    raise AmountRefused(too_small=_AMOUNTS[refused.code]) from None
                raise
            except stripe.APIError as failure:
                made = self._made(customer, wanted) if _is_theirs(failure) else None
                if made is None:
                    raise
                return made

    def charge(self, payment: str, payment_method: str, method: Method, key: str) -> Charge:
        # The payment may have been begun for a method of another kind.
        types = [_METHODS[method]]
        wanted: Any = {"payment_method": payment_method, "off_session": True, "allowed_payment_method_types": types}
        with _answering():
            try:
                return _charge(self._stripe.v1.payment_intents.confirm(payment, wanted, {"idempotency_key": key}))
            except stripe.CardError as declined:
                return _declined(payment, declined)
            except stripe.InvalidRequestError as refused:
                return self._refused(payment, payment_method, refused, key)
            except stripe.APIError as failure:
                standing = _charge(self._stripe.v1.payment_intents.retrieve(payment)) if _is_theirs(failure) else None
                if standing is None or standing.state not in _MADE:
                    raise
                return standing

    def payment(self, payment: str) -> Charge | None:
        with _answering():
            try:
                return _charge(self._stripe.v1.payment_intents.retrieve(payment))
            except stripe.InvalidRequestError as failure:
                _require_missing(failure)
                return None

    def cancel(self, payment: str, key: str) -> bool:
        with _answering():
            try:
                self._stripe.v1.payment_intents.cancel(payment, None, {"idempotency_key": key})
            except stripe.InvalidRequestError:
                standing = _charge(self._stripe.v1.payment_intents.retrieve(payment))
                if standing.state not in {*_MADE, ChargeState.CANCELLED}:
                    raise
                return standing.state is ChargeState.CANCELLED
        return True

    def refund(self, payment: str, credit_note: str, amount: Money, key: str) -> bool:
        wanted: Any = {
            "payment_intent": payment,
            "amount": charged_units(amount),
            "metadata": {CREDIT_NOTE: credit_note},
        }
        with _answering():
            made = self._refunded(payment, credit_note)
            if made is not None:
                return made
            try:
                return self._stripe.v1.refunds.create(wanted, {"idempotency_key": key}).status in REFUNDED
            except stripe.InvalidRequestError as refused:
                if refused.code in _NOT_REFUNDED or self._is_more_than_left(payment, wanted["amount"]):
                    return False
                raise
            except stripe.APIError as failure:
                made = self._refunded(payment, credit_note) if _is_theirs(failure) else None
                if made is None:
                    raise
                return made

    def consent_secret(self, payment: str) -> NewSetup | None:
        with _answering():
            found = self._stripe.v1.payment_intents.retrieve(payment)
        if found.client_secret is None or found.status in {"succeeded", "processing", "canceled"}:
            return None
        return NewSetup(found.id, found.client_secret, self._secret("publishable_key"))

    def invoice_of(self, payment: str) -> tuple[str, str] | None:
        with _answering():
            try:
                found = self._stripe.v1.payment_intents.retrieve(payment)
            except stripe.InvalidRequestError as failure:
                _require_missing(failure)
                return None
        account, invoice = _noted(found, ACCOUNT), _noted(found, INVOICE)
        return None if account is None or invoice is None else (account, invoice)

    @contextmanager
    def _asking_for(self, customer: str) -> Iterator[None]:
        """Raises CustomerDeleted for a refusal that names the customer, if Stripe says that it was deleted.

        A customer that Stripe does not know at all is one of another account or mode: the fault is ours.
        """
        try:
            yield
        except stripe.InvalidRequestError as refused:
            if refused.code == "resource_missing" and self._is_deleted(customer):
                raise CustomerDeleted from None
            raise

    def _is_deleted(self, customer: str) -> bool:
        try:
            return bool(getattr(self._stripe.v1.customers.retrieve(customer), "deleted", False))
        except stripe.InvalidRequestError as failure:
            _require_missing(failure)
            return False

    def _made(self, customer: str, wanted: Mapping[str, Any]) -> str | None:
        """The payment that Stripe has begun although it said that it failed. By a list: a search lags."""
        for intent in self._stripe.v1.payment_intents.list({"customer": customer, "limit": PAGE}).data:
            same = (intent.amount, intent.currency) == (wanted["amount"], wanted["currency"])
            noted = (_noted(intent, ACCOUNT), _noted(intent, INVOICE))
            if same and noted == tuple(wanted["metadata"].values()) and intent.status in UNFINISHED:
                return intent.id
        return None

    def _refused(self, payment: str, payment_method: str, refused: stripe.InvalidRequestError, key: str) -> Charge:
        """What a refused charge is a fact of. What stands at Stripe is asked for, before its code is believed."""
        intent = self._stripe.v1.payment_intents.retrieve(payment)
        standing = _charge(intent)
        if standing.state in {*_MADE, ChargeState.CANCELLED}:
            return standing
        if refused.code in _NEVER:
            return Charge(payment, ChargeState.FAILED, _NEVER[refused.code], hard=refused.code in _HARD_CODES)
        owner, payer = _id(self._stripe.v1.payment_methods.retrieve(payment_method).customer), _id(intent.customer)
        if owner is None:
            return Charge(payment, ChargeState.FAILED, PaymentFailure.NO_PAYMENT_METHOD, hard=False)
        if owner != payer:
            # The account has become another customer since this payment was begun.
            self._stripe.v1.payment_intents.cancel(payment, None, {"idempotency_key": f"{key}/cancel"})
            return Charge(payment, ChargeState.CANCELLED, None, hard=False)
        raise refused

    def _refunded(self, payment: str, credit_note: str) -> bool | None:
        """Whether the refund of a credit note is on its way; None if none was made."""
        made = self._stripe.v1.refunds.list({"payment_intent": payment, "limit": PAGE})
        for refund in made.auto_paging_iter():
            if _noted(refund, CREDIT_NOTE) == credit_note:
                return refund.status in REFUNDED
        return None

    def _is_more_than_left(self, payment: str, units: int) -> bool:
        """Whether a payment has less left than is to be refunded. Stripe has no code for that."""
        intent: Any = self._stripe.v1.payment_intents.retrieve(payment, {"expand": ["latest_charge"]})
        charge = intent.latest_charge
        return charge is None or charge.amount_captured - charge.amount_refunded < units

    @property
    def _stripe(self) -> StripeClient:
        """With the key as it is now: who rotates it need not deploy."""
        key = self._secret("api_key")
        if self._client is None or key != self._key:
            addresses: Any = {"api": self._address} if self._address else {}
            self._client = StripeClient(
                key,
                stripe_version=API_VERSION,
                base_addresses=addresses,
                http_client=self._http_client,
                # Whoever asks tries again, with the same keys; a second attempt of ours would take their time.
                max_network_retries=0,
            )
            self._key = key
        return self._client


@contextmanager
def _answering() -> Iterator[None]:
    """Stripe's failures in our words. Their texts may repeat what was sent, so they are left out."""
    try:
        yield
    except stripe.APIConnectionError:
        raise AnswerLost("Stripe did not answer. Try again in a moment.") from None
    except stripe.IdempotencyError:
        raise KeyReused from None
    except stripe.InvalidRequestError as refused:
        raise RequestRefused(_answered(refused)) from None
    except stripe.RateLimitError:
        raise UpstreamFailed("Stripe is busy. Try again in a moment.") from None
    except stripe.StripeError as failure:
        if failure.http_status == _CONFLICT:
            raise UpstreamFailed("Stripe is still busy with the same request. Try again in a moment.") from None
        if _is_theirs(failure):
            raise KeySpent(_answered(failure)) from None
        raise UpstreamFailed(_answered(failure)) from None


def _answered(failure: stripe.StripeError) -> str:
    return f"Stripe answered {failure.http_status} {failure.code or ''}".rstrip() + "."


def _is_theirs(failure: stripe.StripeError) -> bool:
    """Whether Stripe itself has failed: it may have done its part all the same, and repeats the failure for a day."""
    return failure.http_status is not None and failure.http_status >= _SERVER_ERROR


@contextmanager
def _refusing() -> Iterator[None]:
    """A refusal of a payment method. One of what we have sent is our own fault."""
    try:
        yield
    except (stripe.InvalidRequestError, stripe.CardError) as failure:
        if (failure.code or "").startswith("parameter_"):
            raise
        raise MethodRefused from failure


def _require_missing(failure: stripe.InvalidRequestError) -> None:
    if failure.code != "resource_missing":
        raise failure


def _id(reference: Any) -> str | None:
    """The id of an object that may be expanded."""
    return reference if reference is None or isinstance(reference, str) else str(reference.id)


def _charge(intent: Any) -> Charge:
    if intent.status == "succeeded":
        return Charge(intent.id, ChargeState.SUCCEEDED, None, hard=False)
    if intent.status == "processing":
        return Charge(intent.id, ChargeState.IN_TRANSIT, None, hard=False)
    if intent.status == "canceled":
        return Charge(intent.id, ChargeState.CANCELLED, None, hard=False)
    if intent.status == "requires_action":
        return Charge(intent.id, ChargeState.FAILED, PaymentFailure.AUTHENTICATION_REQUIRED, hard=False)
    failure = intent.last_payment_error
    if failure is None:
        return Charge(intent.id, ChargeState.WAITING, None, hard=False)
    # Both codes are optional in Stripe's description of an error: a decline without them is a decline.
    return _failed(intent.id, getattr(failure, "code", None), getattr(failure, "decline_code", None))


def _declined(payment: str, declined: stripe.CardError) -> Charge:
    return _failed(payment, declined.code, getattr(declined.error, "decline_code", None))


def _failed(payment: str, code: str | None, decline_code: str | None) -> Charge:
    reason = _REASONS.get(decline_code or "") or _REASONS.get(code or "", PaymentFailure.DECLINED)
    hard = reason in _HARD or decline_code in _HARD_DECLINES
    return Charge(payment, ChargeState.FAILED, reason, hard)


def _noted(found: Any, name: str) -> str | None:
    """What we have written onto an object. One that is deleted has nothing on it."""
    metadata = getattr(found, "metadata", None)
    return str(metadata[name]) if metadata and name in metadata else None


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _chosen(method: Any) -> ChosenMethod | None:
    """A payment method as we know them; None for a kind that we never asked for."""
    if method.type == "card":
        card = method.card
        shown = PaymentMethod(Method.CARD, Card(card.brand, card.last4, card.exp_month, card.exp_year))
        fingerprint = card.fingerprint
    elif method.type == "sepa_debit":
        debit = method.sepa_debit
        shown = PaymentMethod(Method.SEPA_DEBIT, None, Debit(debit.country, debit.last4))
        fingerprint = debit.fingerprint
    else:
        return None
    return ChosenMethod(method.id, _id(method.customer), shown, fingerprint, _instant(method.created))
