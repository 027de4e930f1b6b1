"""The payment gateway to Stripe. The only module that imports Stripe's SDK."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import stripe
from stripe import RequestsClient, StripeClient

from billing.kernel.account_ids import clock_of
from billing.kernel.errors import AnswerLost, UpstreamFailed
from billing.kernel.money import Money, charged_money, charged_units
from billing.payments.gateway import (
    AmountRefused,
    CustomerDeleted,
    KeyReused,
    KeySpent,
    Merchant,
    MethodRefused,
    NewSetup,
    NoKey,
    OtherMerchant,
    RequestRefused,
)
from billing.payments.ledger import LedgerDispute, LedgerPayment, LedgerRefund
from billing.payments.methods import (
    Card,
    Charge,
    ChargeState,
    ChosenMethod,
    Debit,
    Dispute,
    DisputeState,
    Method,
    PaymentFailure,
    PaymentMethod,
    Refund,
    RefundState,
    Setup,
    SetupStatus,
)
from billing.platform.logs import logger
from billing.platform.secrets_manager import ValueMissing

API_VERSION = "2026-10-28.endive"
"""The pinned version of Stripe's API. An upgrade is a change of ours, with its tests."""

REFUSED, OTHER_MERCHANT = "stripe refused", "other merchant"
"""Messages of log lines that metric filters of template.yaml count."""

TIMEOUT_SECONDS = (2.0, 6.0)
MERCHANT_TIMEOUT_SECONDS = (1.0, 2.5)
"""To connect, and to wait for an answer. Three calls, and the one that asks for our own account at Stripe, must end
before API Gateway's time-out of 29 seconds."""

LIVE = "_live_"
"""Part of every live mode key (docs.stripe.com/keys): sk_live_ and rk_live_, but sk_test_ and rk_test_."""

ACCOUNT, INVOICE, USER, CREDIT_NOTE, ATTEMPT = "account", "invoice", "user", "credit_note", "attempt"
"""The metadata that we write onto Stripe's objects. None of them names a person."""

_REFUNDS = {
    "succeeded": RefundState.DONE,
    "pending": RefundState.PENDING,
    "requires_action": RefundState.PENDING,
}
_DISPUTES = {
    "lost": DisputeState.LOST,
    "won": DisputeState.WON,
    "warning_closed": DisputeState.WON,
    "prevented": DisputeState.WON,
}
"""What is not here is open (docs.stripe.com/api/disputes/object#dispute_object-status)."""

_MISSING = "resource_missing"
"""The code of an object that our account at Stripe does not have. A PaymentIntent is missing where the operator has
changed the account: Stripe copies customers with their payment methods, and no payments (docs/operate.md)."""

UNFINISHED = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})

LATEST_CHARGE = "latest_charge"

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
"""Failures that no further attempt can change."""

_EFFECTIVE = frozenset({ChargeState.SUCCEEDED, ChargeState.IN_TRANSIT})

_HARD_DECLINES = frozenset(
    {
        *("account_closed", "card_not_supported", "do_not_try_again", "fraudulent", "invalid_account"),
        *("lost_card", "pickup_card", "restricted_card", "revocation_of_all_authorizations"),
        *("revocation_of_authorization", "security_violation", "stolen_card", "stop_payment_order"),
        "transaction_not_allowed",
    }
)
"""Declines after which the card networks forbid a further attempt (docs.stripe.com/declines/codes)."""

_HARD_DEBITS = frozenset(
    {
        *("account_closed", "authorization_revoked", "bank_account_restricted", "branch_does_not_exist"),
        *("debit_authorization_not_match", "debit_not_authorized", "incorrect_account_holder_name"),
        *("invalid_account_number", "recipient_deceased"),
    }
)
"""Failures of a SEPA debit that need another mandate or bank account
(docs.stripe.com/payments/sepa-debit#failed-payments)."""

_AMOUNTS = {"amount_too_small": True, "amount_too_large": False}
"""Error codes for a refused amount, and whether it is too small."""

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
"""Error codes of a refused charge that are facts about this payment, with the failure that its customer sees.

Declines are separate. All other codes, such as `parameter_unknown`, are our own fault (docs.stripe.com/error-codes).
"""

_HARD_CODES = frozenset(_NEVER) - {"payment_method_provider_decline", "charge_exceeds_source_limit"}
"""Those of them that no further attempt can change."""

_NOT_REFUNDED = frozenset(
    {"charge_already_refunded", "charge_disputed", "charge_not_refundable", "refund_disputed_payment"}
)


class StripePayments:
    """See billing.payments.gateway.PaymentGateway, and billing.payments.ledger.PaymentLedger."""

    def __init__(
        self,
        secret: Callable[[str], str],
        address: str | None,
        require_merchant: Callable[[Merchant], None],
        http_client: stripe.HTTPClient | None = None,
    ) -> None:
        """`secret` returns `api_key` and `publishable_key` by name; `address` replaces Stripe's own address.

        `require_merchant` is called before the first request with an API key, and raises OtherMerchant for a key of
        another account at Stripe or of another mode.
        """
        self._secret = secret
        self._address = address
        self._require_merchant = require_merchant
        self._http_client = http_client or RequestsClient(timeout=TIMEOUT_SECONDS)
        self._merchant_client = http_client or RequestsClient(timeout=MERCHANT_TIMEOUT_SECONDS)
        self._client: StripeClient | None = None
        self._key = ""
        self._creditor: str | None = None

    def merchant(self) -> Merchant:
        """The account and mode that the API key belongs to. One request. Raises UpstreamFailed."""
        key = self._secret("api_key")
        with _stripe_errors():
            return Merchant(self._own_account(key).id, LIVE in key)

    def new_customer(self, account: str, key: str) -> str:
        if clock_of(account) is not None and LIVE in self._secret("api_key"):
            # Without a customer nothing is charged. The deployment may have got its live key after its test clocks.
            raise RequestRefused("An account on a test clock is no customer in live mode.")
        with _stripe_errors():
            customer = self._stripe.v1.customers.create({"metadata": {ACCOUNT: account}}, {"idempotency_key": key})
        return customer.id

    def new_setup(self, customer: str, account: str, user: str, method: Method, key: str) -> NewSetup:
        parameters: Any = {
            "customer": customer,
            "allowed_payment_method_types": [_METHODS[method]],
            "usage": "off_session",
            "metadata": {ACCOUNT: account, USER: user},
        }
        with _stripe_errors(), self._customer_errors(customer):
            intent = self._stripe.v1.setup_intents.create(parameters, {"idempotency_key": key})
        if intent.client_secret is None:
            raise UpstreamFailed("Stripe gave no client secret.")
        return NewSetup(intent.id, intent.client_secret, self._secret("publishable_key"))

    def setup(self, setup: str) -> Setup | None:
        with _stripe_errors():
            try:
                intent = self._stripe.v1.setup_intents.retrieve(setup, {"expand": ["payment_method", "mandate"]})
            except stripe.InvalidRequestError as failure:
                _require_missing(failure)
                return None
        method: Any = intent.payment_method
        failed = intent.last_setup_error is not None and intent.status == "requires_payment_method"
        status = SetupStatus.FAILED if failed else _STATUS.get(intent.status, SetupStatus.UNFINISHED)
        return Setup(
            id=intent.id,
            customer=_id(intent.customer),
            status=status,
            created=_instant(intent.created),
            chosen=None if method is None else _with_mandate(_chosen(method), intent.mandate, self._creditor),
            account=_metadata(intent, ACCOUNT),
            user=_metadata(intent, USER),
        )

    def attach(self, payment_method: str, customer: str, key: str) -> None:
        with _stripe_errors(), _method_errors():
            self._stripe.v1.payment_methods.attach(payment_method, {"customer": customer}, {"idempotency_key": key})

    def make_default(self, customer: str, payment_method: str, key: str) -> None:
        settings: Any = {"invoice_settings": {"default_payment_method": payment_method}}
        with _stripe_errors(), _method_errors():
            self._stripe.v1.customers.update(customer, settings, {"idempotency_key": key})

    def method(self, payment_method: str) -> ChosenMethod | None:
        with _stripe_errors():
            try:
                return _chosen(self._stripe.v1.payment_methods.retrieve(payment_method))
            except stripe.InvalidRequestError as failure:
                _require_missing(failure)
                return None

    def revoked_method(self, mandate: str) -> str | None:
        with _stripe_errors():
            try:
                found = self._stripe.v1.mandates.retrieve(mandate)
            except stripe.InvalidRequestError as failure:
                _require_missing(failure)
                return None
        return _id(found.payment_method) if found.status == "inactive" else None

    def methods(self, customer: str) -> Sequence[ChosenMethod]:
        with _stripe_errors():
            try:
                with self._customer_errors(customer):
                    page = self._stripe.v1.customers.payment_methods.list(customer, {"limit": PAGE})
            except CustomerDeleted:
                return []
            methods = (_chosen(each) for each in page.auto_paging_iter())
            return [each for each in methods if each is not None]

    def detach(self, payment_method: str, key: str) -> None:
        with _stripe_errors():
            try:
                self._stripe.v1.payment_methods.detach(payment_method, None, {"idempotency_key": key})
            except stripe.InvalidRequestError:
                current = self.method(payment_method)
                if current is not None and current.customer is not None:
                    raise

    def account_of(self, customer: str) -> str | None:
        with _stripe_errors():
            try:
                found = self._stripe.v1.customers.retrieve(customer)
            except stripe.InvalidRequestError as failure:
                _require_missing(failure)
                return None
        return _metadata(found, ACCOUNT)

    def customers_of(self, account: str, customer: str | None) -> Sequence[str]:
        with _stripe_errors():
            result = self._stripe.v1.customers.search({"query": f"metadata['{ACCOUNT}']:'{account}'", "limit": PAGE})
            # The search lags by a minute: the customer in our own records may be missing from it.
            return sorted({each.id for each in result.auto_paging_iter()} | ({customer} if customer else set()))

    def delete_customer(self, customer: str, key: str) -> None:
        with _stripe_errors():
            try:
                self._stripe.v1.customers.delete(customer, None, {"idempotency_key": key})
            except stripe.InvalidRequestError as failure:
                _require_missing(failure)

    def dispute(self, dispute: str) -> Dispute | None:
        with _stripe_errors():
            try:
                found = self._stripe.v1.disputes.retrieve(dispute, {"expand": ["payment_intent"]})
            except stripe.InvalidRequestError as failure:
                _require_missing(failure)
                return None
        payment = found.payment_intent
        return _dispute(found, str(_id(payment)), _metadata(payment, ACCOUNT), _metadata(payment, INVOICE))

    def new_payment(self, customer: str, account: str, invoice: str, amount: Money, method: Method, key: str) -> str:
        parameters: Any = {
            "amount": charged_units(amount),
            "currency": amount.currency.lower(),
            "customer": customer,
            "allowed_payment_method_types": [_METHODS[method]],
            "metadata": {ACCOUNT: account, INVOICE: invoice},
        }
        with _stripe_errors(), self._customer_errors(customer):
            try:
                return self._stripe.v1.payment_intents.create(parameters, {"idempotency_key": key}).id
            except stripe.InvalidRequestError as refused:
                if refused.code in _AMOUNTS:
                    raise AmountRefused(too_small=_AMOUNTS[refused.code]) from None
                raise
            except stripe.APIError as failure:
                with _look_up_errors():
                    existing = self._existing_payment(customer, parameters) if _is_server_error(failure) else None
                if existing is None:
                    raise
                return existing

    def earlier_payment(
        self, customer: str, account: str, invoice: str, amount: Money, known: Collection[str]
    ) -> Charge | None:
        with _stripe_errors(), self._customer_errors(customer):
            intents = self._stripe.v1.payment_intents.list({"customer": customer, "limit": PAGE}).auto_paging_iter()
            found = [each for each in intents if _is_of(each, account, invoice) and each.id not in known]
        asked = charged_units(amount), amount.currency.lower()
        made = [each for each in found if each.status in {"succeeded", "processing"} and each.currency == asked[1]]
        same = [each for each in found if (each.amount, each.currency) == asked and each.status in UNFINISHED]
        return next((_charge(each) for each in [*made, *same]), None)

    def charge(self, payment: str, payment_method: str, method: Method, key: str) -> Charge:
        # The PaymentIntent may have been created for a method of another kind.
        types = [_METHODS[method]]
        parameters: Any = {
            "payment_method": payment_method,
            "off_session": True,
            "allowed_payment_method_types": types,
            "expand": [LATEST_CHARGE],
        }
        with _stripe_errors():
            try:
                return _charge(self._stripe.v1.payment_intents.confirm(payment, parameters, {"idempotency_key": key}))
            except stripe.CardError as declined:
                return self._declined(payment, declined)
            except stripe.InvalidRequestError as refused:
                return self._refused(payment, payment_method, refused, key)
            except stripe.APIError as failure:
                with _look_up_errors():
                    current = _charge(self._intent(payment)) if _is_server_error(failure) else None
                if current is None or current.state not in _EFFECTIVE:
                    raise
                return current

    def payment(self, payment: str) -> Charge | None:
        with _stripe_errors():
            try:
                return _charge(self._intent(payment))
            except stripe.InvalidRequestError as failure:
                _require_missing(failure)
                return None

    def cancel(self, payment: str, key: str) -> bool:
        with _stripe_errors():
            try:
                self._stripe.v1.payment_intents.cancel(payment, None, {"idempotency_key": key})
            except stripe.InvalidRequestError as refused:
                if refused.code == _MISSING:
                    return True
                current = _charge(self._intent(payment))
                if current.state not in {*_EFFECTIVE, ChargeState.CANCELLED}:
                    raise
                return current.state is ChargeState.CANCELLED
        return True

    def refund(self, payment: str, credit_note: str, attempt: str, amount: Money, key: str) -> Refund:
        parameters: Any = {
            "payment_intent": payment,
            "amount": charged_units(amount),
            "metadata": {CREDIT_NOTE: credit_note, ATTEMPT: attempt},
        }
        refused = Refund(None, RefundState.FAILED, payment, amount, credit_note=credit_note, attempt=attempt)
        with _stripe_errors():
            try:
                existing = self._existing_refund(payment, credit_note, attempt)
            except stripe.InvalidRequestError as failure:
                _require_missing(failure)
                return refused
            if existing is not None:
                return existing
            try:
                return _refund(self._stripe.v1.refunds.create(parameters, {"idempotency_key": key}), payment)
            except stripe.InvalidRequestError as refusal:
                if refusal.code in {*_NOT_REFUNDED, _MISSING} or self._is_more_than_left(payment, parameters["amount"]):
                    return refused
                raise
            except stripe.APIError as failure:
                with _look_up_errors():
                    failed = _is_server_error(failure)
                    existing = self._existing_refund(payment, credit_note, attempt) if failed else None
                if existing is None:
                    raise
                return existing

    def refund_of(self, refund: str) -> Refund | None:
        with _stripe_errors():
            try:
                found = self._stripe.v1.refunds.retrieve(refund, {"expand": ["payment_intent"]})
            except stripe.InvalidRequestError as failure:
                _require_missing(failure)
                return None
        return _refund(found, str(_id(found.payment_intent)), _metadata(found.payment_intent, ACCOUNT))

    def consent_secret(self, payment: str) -> NewSetup | None:
        with _stripe_errors():
            intent = self._stripe.v1.payment_intents.retrieve(payment)
        if intent.client_secret is None or intent.status in {"succeeded", "processing", "canceled"}:
            return None
        return NewSetup(intent.id, intent.client_secret, self._secret("publishable_key"))

    def invoice_of(self, payment: str) -> tuple[str, str] | None:
        with _stripe_errors():
            try:
                intent = self._stripe.v1.payment_intents.retrieve(payment)
            except stripe.InvalidRequestError as failure:
                _require_missing(failure)
                return None
        account, invoice = _metadata(intent, ACCOUNT), _metadata(intent, INVOICE)
        return None if account is None or invoice is None else (account, invoice)

    def payments_of(self, customer: str, limit: int) -> Sequence[LedgerPayment]:
        with _stripe_errors():
            try:
                page = self._stripe.v1.payment_intents.list(
                    {"customer": customer, "limit": PAGE, "expand": ["data.latest_charge", "data.customer"]}
                )
                return [_ledger_payment(each) for each in islice(page.auto_paging_iter(), limit)]
            except stripe.InvalidRequestError as failure:
                _require_missing(failure)
                return []

    def payment_in_ledger(self, payment: str) -> LedgerPayment | None:
        with _stripe_errors():
            try:
                expand: Any = {"expand": [LATEST_CHARGE, "customer"]}
                return _ledger_payment(self._stripe.v1.payment_intents.retrieve(payment, expand))
            except stripe.InvalidRequestError as failure:
                _require_missing(failure)
                return None

    def refunds_of(self, payment: str, limit: int) -> Sequence[LedgerRefund]:
        with _stripe_errors():
            page = self._stripe.v1.refunds.list({"payment_intent": payment, "limit": PAGE})
            refunds = islice(page.auto_paging_iter(), limit)
            return [LedgerRefund(_refund(each, payment), _instant(each.created)) for each in refunds]

    def disputes_of(self, payment: LedgerPayment, limit: int) -> Sequence[LedgerDispute]:
        with _stripe_errors():
            page = self._stripe.v1.disputes.list({"payment_intent": payment.id, "limit": PAGE})
            disputes = islice(page.auto_paging_iter(), limit)
            return [
                LedgerDispute(_dispute(each, payment.id, payment.account, payment.invoice), _instant(each.created))
                for each in disputes
            ]

    @contextmanager
    def _customer_errors(self, customer: str) -> Iterator[None]:
        """Turns the refusal of a missing object into CustomerDeleted, if Stripe has deleted the customer.

        A customer that Stripe does not know at all is from another account or mode: a fault of ours. One more call
        where a request is refused.
        """
        try:
            yield
        except stripe.InvalidRequestError as refused:
            if refused.code == _MISSING and self._is_deleted(customer):
                raise CustomerDeleted from None
            raise

    def _is_deleted(self, customer: str) -> bool:
        try:
            return bool(getattr(self._stripe.v1.customers.retrieve(customer), "deleted", False))
        except stripe.InvalidRequestError as failure:
            _require_missing(failure)
            return False

    def _existing_payment(self, customer: str, parameters: Mapping[str, Any]) -> str | None:
        """The PaymentIntent that Stripe has created although it answered with a failure, None without one.

        Reads a list, because a search lags.
        """
        for intent in self._stripe.v1.payment_intents.list({"customer": customer, "limit": PAGE}).data:
            same = (intent.amount, intent.currency) == (parameters["amount"], parameters["currency"])
            if same and _is_of(intent, *parameters["metadata"].values()) and intent.status in UNFINISHED:
                return intent.id
        return None

    def _refused(self, payment: str, payment_method: str, refused: stripe.InvalidRequestError, key: str) -> Charge:
        """The result of a refused charge. Raises the refusal where the fault is ours.

        The state of the PaymentIntent counts more than the error code: it may have succeeded before.
        """
        try:
            intent = self._intent(payment)
        except stripe.InvalidRequestError as failure:
            _require_missing(failure)
            return Charge(payment, ChargeState.CANCELLED, None, hard=False)
        current = _charge(intent)
        if current.state in {*_EFFECTIVE, ChargeState.CANCELLED}:
            return current
        if refused.code in _NEVER:
            return Charge(payment, ChargeState.FAILED, _NEVER[refused.code], hard=refused.code in _HARD_CODES)
        owner, payer = _id(self._stripe.v1.payment_methods.retrieve(payment_method).customer), _id(intent.customer)
        if owner is None:
            return Charge(payment, ChargeState.FAILED, PaymentFailure.NO_PAYMENT_METHOD, hard=False)
        if owner != payer:
            # The account has a new customer since this PaymentIntent was created.
            self._stripe.v1.payment_intents.cancel(payment, None, {"idempotency_key": f"{key}/cancel"})
            return Charge(payment, ChargeState.CANCELLED, None, hard=False)
        raise refused

    def _intent(self, payment: str) -> Any:
        return self._stripe.v1.payment_intents.retrieve(payment, {"expand": [LATEST_CHARGE]})

    def _declined(self, payment: str, declined: stripe.CardError) -> Charge:
        """A declined charge. Its error does not say when that was: one more request asks for it."""
        failed = _failed(payment, declined.code, getattr(declined.error, "decline_code", None))
        current = _charge(self._intent(payment))
        return replace(current, state=failed.state, failure=failed.failure, hard=failed.hard)

    def _existing_refund(self, payment: str, credit_note: str, attempt: str) -> Refund | None:
        """The refund of an attempt, None without one. By a list: a search lags.

        The first refunds do not say which attempt they are of: there was one only.
        """
        refunds = self._stripe.v1.refunds.list({"payment_intent": payment, "limit": PAGE})
        for refund in refunds.auto_paging_iter():
            made = _refund(refund, payment)
            if (made.credit_note, made.attempt) == (credit_note, attempt):
                return made
        return None

    def _is_more_than_left(self, payment: str, units: int) -> bool:
        """Whether a refund of `units` exceeds what is left of a payment. Stripe has no error code for that."""
        intent: Any = self._stripe.v1.payment_intents.retrieve(payment, {"expand": ["latest_charge"]})
        charge = intent.latest_charge
        return charge is None or charge.amount_captured - charge.amount_refunded < units

    @property
    def _stripe(self) -> StripeClient:
        """The client with the current API key: a rotated key needs no deployment.

        One request more for the first use of a key: whose it is. Raises NoKey.
        """
        try:
            key = self._secret("api_key")
        except ValueMissing as missing:
            raise NoKey(missing.detail) from missing
        if self._client is None or key != self._key:
            own = self._own_account(key)
            try:
                self._require_merchant(Merchant(own.id, LIVE in key))
            except OtherMerchant:
                logger.warning(OTHER_MERCHANT)
                raise
            debits = getattr(getattr(own, "settings", None), "sepa_debit_payments", None)
            self._creditor = getattr(debits, "creditor_id", None)
            self._client = self._client_of(key, self._http_client)
            self._key = key
        return self._client

    def _own_account(self, key: str) -> Any:
        return self._client_of(key, self._merchant_client).v1.accounts.retrieve_current()

    def _client_of(self, key: str, http_client: stripe.HTTPClient) -> StripeClient:
        addresses: Any = {"api": self._address} if self._address else {}
        return StripeClient(
            key,
            stripe_version=API_VERSION,
            base_addresses=addresses,
            http_client=http_client,
            # The caller retries with the same keys. A retry here would use up the caller's time.
            max_network_retries=0,
        )


@contextmanager
def _stripe_errors() -> Iterator[None]:
    """Turns Stripe's errors into ours, without their texts: these may repeat what was sent.

    A refusal is logged, because it is a fault of ours or of the settings: declines and known answers are caught before.

    Raises AnswerLost, KeyReused, RequestRefused, KeySpent, UpstreamFailed.
    """
    try:
        yield
    except stripe.APIConnectionError:
        raise AnswerLost("Stripe did not answer. Try again in a moment.") from None
    except stripe.IdempotencyError:
        raise KeyReused from None
    except stripe.InvalidRequestError as refused:
        _log_refusal(refused)
        raise RequestRefused(_answered(refused)) from None
    except stripe.RateLimitError:
        raise UpstreamFailed("Stripe is busy. Try again in a moment.") from None
    except stripe.StripeError as failure:
        if failure.http_status == _CONFLICT:
            raise UpstreamFailed("Stripe is still busy with the same request. Try again in a moment.") from None
        if _is_server_error(failure):
            raise KeySpent(_answered(failure)) from None
        _log_refusal(failure)
        raise UpstreamFailed(_answered(failure)) from None


def _log_refusal(failure: stripe.StripeError) -> None:
    """One line with Stripe's id of the request, which its dashboard finds (docs.stripe.com/api/request_ids)."""
    logger.warning(
        REFUSED, kind=type(failure).__name__, status=failure.http_status, code=failure.code, stripe=failure.request_id
    )


@contextmanager
def _look_up_errors() -> Iterator[None]:
    """Turns errors of a look-up after a failure into ours. The key is not spent before Stripe has said what became of
    the request: the next run has the same key, and looks again.
    """
    try:
        yield
    except stripe.APIConnectionError:
        raise AnswerLost("Stripe did not answer. Try again in a moment.") from None
    except stripe.StripeError as failure:
        raise UpstreamFailed(_answered(failure)) from None


def _answered(failure: stripe.StripeError) -> str:
    return f"Stripe answered {failure.http_status} {failure.code or ''}".rstrip() + "."


def _is_server_error(failure: stripe.StripeError) -> bool:
    """Whether Stripe itself has failed. The request may have had its effect; its key repeats the failure for a day."""
    return failure.http_status is not None and failure.http_status >= _SERVER_ERROR


@contextmanager
def _method_errors() -> Iterator[None]:
    """Turns the refusal of a payment method into MethodRefused. An invalid parameter is our own fault."""
    try:
        yield
    except (stripe.InvalidRequestError, stripe.CardError) as failure:
        if (failure.code or "").startswith("parameter_"):
            raise
        raise MethodRefused from failure


def _require_missing(failure: stripe.InvalidRequestError) -> None:
    """Raises the refusal again unless it says that the object does not exist."""
    if failure.code != _MISSING:
        raise failure


def _id(reference: Any) -> str | None:
    """The id of a reference, which is an id or an expanded object."""
    return reference if reference is None or isinstance(reference, str) else str(reference.id)


def _charge(intent: Any) -> Charge:
    charge = getattr(intent, "latest_charge", None)
    types = getattr(intent, "payment_method_types", None) or [None]
    money = charged_money(intent.amount, intent.currency)
    return replace(
        _state(intent),
        amount=money.amount,
        currency=money.currency,
        method=next((method for method, name in _METHODS.items() if name == types[0]), None),
        made_at=None if charge is None or isinstance(charge, str) else _instant(charge.created),
    )


def _state(intent: Any) -> Charge:
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
    # Both codes are optional in Stripe's description of an error: without them it is an ordinary decline.
    return _failed(intent.id, getattr(failure, "code", None), getattr(failure, "decline_code", None))


def _failed(payment: str, code: str | None, decline_code: str | None) -> Charge:
    reason = _REASONS.get(decline_code or "") or _REASONS.get(code or "", PaymentFailure.DECLINED)
    hard = reason in _HARD or decline_code in _HARD_DECLINES or code in _HARD_DEBITS
    return Charge(payment, ChargeState.FAILED, reason, hard)


def _refund(refund: Any, payment: str, account: str | None = None) -> Refund:
    credit_note = _metadata(refund, CREDIT_NOTE)
    return Refund(
        id=refund.id,
        state=_REFUNDS.get(refund.status, RefundState.FAILED),
        payment=payment,
        amount=charged_money(refund.amount, refund.currency),
        account=account,
        credit_note=credit_note,
        attempt=None if credit_note is None else _metadata(refund, ATTEMPT) or "1",
    )


def _is_of(intent: Any, account: str, invoice: str) -> bool:
    return (_metadata(intent, ACCOUNT), _metadata(intent, INVOICE)) == (account, invoice)


def _dispute(found: Any, payment: str, account: str | None, invoice: str | None) -> Dispute:
    return Dispute(
        id=found.id,
        payment=payment,
        account=account,
        invoice=invoice,
        amount=charged_money(found.amount, found.currency),
        reason=found.reason,
        state=_DISPUTES.get(found.status, DisputeState.OPEN),
    )


def _ledger_payment(intent: Any) -> LedgerPayment:
    charge = intent.latest_charge
    succeeded = intent.status == "succeeded"
    return LedgerPayment(
        id=intent.id,
        account=_metadata(intent, ACCOUNT),
        invoice=_metadata(intent, INVOICE),
        customer_account=_metadata(intent.customer, ACCOUNT),
        amount=charged_money(intent.amount_received if succeeded else intent.amount, intent.currency),
        state=_state(intent).state,
        made_at=_instant(intent.created if charge is None else charge.created),
        has_refunds=bool(getattr(charge, "amount_refunded", 0)),
        has_disputes=bool(getattr(charge, "disputed", False)),
    )


def _metadata(found: Any, name: str) -> str | None:
    """Our metadata of an object, None without it. A deleted object has none."""
    metadata = getattr(found, "metadata", None)
    return str(metadata[name]) if metadata and name in metadata else None


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _with_mandate(chosen: ChosenMethod | None, mandate: Any, creditor: str | None) -> ChosenMethod | None:
    """The payment method with its SEPA mandate (docs.stripe.com/api/mandates/object). A card has none."""
    if chosen is None or chosen.shown.debit is None or mandate is None or isinstance(mandate, str):
        return chosen
    details = getattr(mandate.payment_method_details, "sepa_debit", None)
    debit = replace(chosen.shown.debit, mandate=getattr(details, "reference", None), creditor=creditor)
    return replace(chosen, shown=replace(chosen.shown, debit=debit))


def _chosen(method: Any) -> ChosenMethod | None:
    """A payment method as our value; None for a kind that Livello does not offer."""
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
