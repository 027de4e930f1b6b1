"""The API without a network: it answers requests, and collects events for delivery."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from local.stripe import amounts
from local.stripe.answers import Answer, Object, Refused, invalid, listed, missing
from local.stripe.cards import CARDS, EXPIRED, INVALID_MONTH, TOKENS, UNKNOWN_NUMBER, Decline, TestCard
from local.stripe.forms import decoded
from local.stripe.parameters import SINGULAR as KINDS
from local.stripe.parameters import require_known

API_VERSION = "2026-10-28.endive"
LIMIT_DEFAULT = 10
LIMIT_MAX = 100
KEY_MAX = 255
KEYS_KEPT_SECONDS = 24 * 60 * 60
"""docs.stripe.com/api/idempotent_requests: keys are removed "after they're at least 24 hours old"."""
SEARCHABLE_AFTER_SECONDS = 60
"""docs.stripe.com/search#data-freshness: "data is searchable in under 1 minute". Lists do not lag."""
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
SEARCHED = re.compile(r"metadata\['([^']+)'\]:'([^']*)'")

BROWSER_CALLS = re.compile(
    r"GET /v1/(setup|payment)_intents/[^/]+|POST /v1/(setup|payment)_intents/[^/]+/confirm|POST /v1/payment_methods"
    r"|POST /challenge/(setup|payment)_intents/[^/]+"
)
"""What a publishable key allows. /challenge is not of Stripe: the frame of elements/ tells it the bank's answer."""

CHARGEABLE = ("card", "sepa_debit")
DISPUTED = ("warning_needs_response", "needs_response", "under_review")
GIVEN_BACK = ("won", "warning_closed", "prevented")
UNFINISHED = ("requires_payment_method", "requires_confirmation", "requires_action")

PREFIXES = {
    "customer": "cus",
    "payment_method": "pm",
    "setup_intent": "seti",
    "payment_intent": "pi",
    "refund": "re",
    "charge": "ch",
    "mandate": "mandate",
    "dispute": "du",
    "event": "evt",
}


ACCOUNT = "acct_1Livello0StandIn"
CREDITOR = "DE98ZZZ09999999999"
"""The Deutsche Bundesbank's published example of a creditor identifier
(bundesbank.de, "Gläubiger-Identifikationsnummer")."""


class Stripe:
    """One Stripe account in test mode. Its state is plain data: it can be copied, saved and compared."""

    def __init__(self, key: str, publishable_key: str, clock: Callable[[], float], account: str = ACCOUNT) -> None:
        """`key` allows all calls, `publishable_key` those of a browser; `clock` returns seconds since 1970."""
        self.account = account
        self._key, self._publishable_key, self.clock = key, publishable_key, clock
        self.objects: dict[str, dict[str, Object]] = {kind: {} for kind in PREFIXES}
        self.numbers: dict[str, str] = {}
        """The card numbers by payment method. No response shows them."""
        self.used: set[str] = set()
        """Payment methods that were detached: they can never be attached again."""
        self.keys: dict[str, Object] = {}
        self.undelivered: list[str] = []
        """The ids of events that are not delivered yet."""
        self.requests: list[Object] = []
        self.faults: list[Object] = []
        self.counter = 0

    # ---- Requests ----

    def handle(self, method: str, url: str, headers: Mapping[str, str], body: str = "") -> Answer:
        """Answers a request. The names of `headers` are in lower case."""
        parts = urlsplit(url)
        given = decoded(body if method == "POST" else parts.query)
        answer = self._respond(method, parts.path, headers, given)
        self.requests.append(
            {
                "method": method,
                "path": parts.path,
                "idempotency_key": headers.get("idempotency-key"),
                "status": answer.status,
                "lost": answer.lost,
            }
        )
        request_id = f"req_{len(self.requests):014d}"
        version = headers.get("stripe-version", API_VERSION)
        return Answer(
            answer.status,
            answer.body,
            {"Request-Id": request_id, "Stripe-Version": version, **answer.headers},
            answer.delay,
            answer.lost,
        )

    def _respond(self, method: str, path: str, headers: Mapping[str, str], given: Object) -> Answer:
        try:
            browser = self._is_browser(headers)
            if browser and not BROWSER_CALLS.fullmatch(f"{method} {path}"):
                raise invalid("This API call cannot be made with a publishable API key.", status=401)
            if browser and "_intents/" in path and "client_secret" not in given:
                raise invalid("Missing required param: client_secret.", param="client_secret")
            key = headers.get("idempotency-key") if method == "POST" else None
            require_known(method, path, given, browser=browser)
            if browser and method == "GET":
                _check_secret(self._intent_at(path), given)
            return self._idempotent(method, path, given, key) if key else self._perform(method, path, given)
        except Refused as refused:
            return Answer(refused.status, refused.body)

    def _is_browser(self, headers: Mapping[str, str]) -> bool:
        """Whether a browser sent the request; it must send the client secret of the object. Raises Refused."""
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme == "Bearer" and key == self._key:
            return False
        if scheme == "Bearer" and key == self._publishable_key:
            return True
        raise invalid("Invalid API Key provided.", status=HTTPStatus.UNAUTHORIZED)

    def _idempotent(self, method: str, path: str, given: Object, key: str) -> Answer:
        """Saves the first response to an idempotency key and repeats it, even a failure.

        See docs.stripe.com/api/idempotent_requests.
        """
        if len(key) > KEY_MAX:
            raise invalid(f"Idempotency keys may have at most {KEY_MAX} characters.")
        now = self.clock()
        self.keys = {name: each for name, each in self.keys.items() if now - each["created"] < KEYS_KEPT_SECONDS}
        digest = hashlib.sha256(json.dumps([method, path, given], sort_keys=True).encode()).hexdigest()
        saved = self.keys.get(key)
        if saved is not None:
            if saved["digest"] != digest:
                raise Refused(
                    HTTPStatus.BAD_REQUEST,
                    "idempotency_error",
                    "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                    f"Try using a key other than '{key}' if you meant to execute a different request.",
                )
            return Answer(saved["status"], deepcopy(saved["body"]), {"Idempotent-Replayed": "true"})
        answer = self._perform(method, path, given)
        # A refusal before the execution is not saved: "we save results only after the execution of an endpoint
        # begins". All other responses are saved, 500 among them.
        if answer.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}:
            result = {"digest": digest, "status": answer.status, "body": deepcopy(answer.body), "created": now}
            self.keys[key] = result
        return answer

    def _perform(self, method: str, path: str, given: Object) -> Answer:
        fault = self._fault(method, path)
        kind = fault["kind"] if fault else None
        if kind in _FAULT_RESPONSES:
            return _FAULT_RESPONSES[kind]
        if fault and kind == "refused":
            refused = invalid("This request is refused.", code=fault["code"])
            return Answer(refused.status, refused.body)
        try:
            status, body = HTTPStatus.OK, self._route(method, path, given)
        except Refused as refused:
            status, body = HTTPStatus(refused.status), refused.body
        if kind == "500_after":
            return _FAULT_RESPONSES["500"]
        if kind == "no_code":
            body = self._without_code(body)
        body = self._expanded(deepcopy(body), given.get("expand", []))
        return Answer(int(status), body, delay=float(fault.get("seconds", 0)) if fault else 0, lost=kind == "timeout")

    def _without_code(self, body: Object) -> Object:
        """The decline without its codes: they are optional in Stripe's description of an error."""
        left_out = ("code", "decline_code", "doc_url")
        error = {name: each for name, each in body["error"].items() if name not in left_out}
        stored = self.objects["payment_intent"][error["payment_intent"]["id"]]
        for intent in (stored, error["payment_intent"]):
            intent["last_payment_error"] = {
                name: each for name, each in intent["last_payment_error"].items() if name not in left_out
            }
        return {"error": error}

    def _fault(self, method: str, path: str) -> Object | None:
        for fault in self.faults:
            if fault.get("method", method) == method and re.search(fault.get("path", ""), path):
                fault["count"] = fault.get("count", 1) - 1
                if fault["count"] <= 0:
                    self.faults.remove(fault)
                return fault
        return None

    def _route(self, method: str, path: str, given: Object) -> Object:
        parts = path.strip("/").split("/")
        match (method, *parts):
            case ("GET", "v1", "account"):
                return self._own_account()
            case ("GET", "v1", "customers", identity, "payment_methods"):
                self._get("customer", identity, "customer")
                return self._methods_of({**given, "customer": identity}, path)
            case ("GET", "v1", "payment_methods"):
                return self._methods_of(given, path)
            case ("GET", "v1", "customers" | "payment_intents" as plural, "search"):
                return self._search(KINDS[plural], given, path)
            case ("GET", "v1", plural) if plural in KINDS:
                return self._list(KINDS[plural], given, path)
            case ("GET", "v1", plural, identity) if plural in KINDS:
                return self._get(KINDS[plural], identity, KINDS[plural])
            case ("POST", "v1", "customers"):
                return self._new_customer(given)
            case ("POST", "v1", "customers", identity):
                return self._change_customer(identity, given)
            case ("DELETE", "v1", "customers", identity):
                return self._delete_customer(identity)
            case ("POST", "v1", "payment_methods"):
                return self._new_payment_method(given)
            case ("POST", "v1", "payment_methods", identity, "attach"):
                return self._attach(identity, _required(given, "customer"))
            case ("POST", "v1", "payment_methods", identity, "detach"):
                return self._detach(identity)
            case ("POST", "v1", "setup_intents"):
                return self._new_setup(given)
            case ("POST", "v1", "setup_intents", identity, "confirm"):
                return self._confirm_setup(identity, given)
            case ("POST", "v1", "payment_intents"):
                return self._new_payment(given)
            case ("POST", "v1", "payment_intents", identity, "confirm"):
                return self._confirm_payment(identity, given)
            case ("POST", "v1", "payment_intents", identity):
                return self._change_payment(identity, given)
            case ("POST", "v1", "setup_intents" | "payment_intents" as plural, identity, "cancel"):
                return self._cancel(KINDS[plural], identity)
            case ("POST", "challenge", "setup_intents" | "payment_intents" as plural, identity):
                return self._answer_challenge(KINDS[plural], identity, given)
            case ("POST", "v1", "refunds"):
                return self._refund(given)
            case _:
                raise invalid(
                    f"Unrecognized request URL ({method}: {path}).",
                    code="unrecognized_url",
                    status=HTTPStatus.NOT_FOUND,
                )

    # ---- Objects ----

    def _own_account(self) -> Object:
        """The account that the key belongs to. See docs.stripe.com/api/accounts/object: it has no livemode."""
        settings = {"sepa_debit_payments": {"creditor_id": CREDITOR}}
        return {"id": self.account, "object": "account", "country": "DE", "settings": settings}

    def _add(self, kind: str, **fields: Any) -> Object:
        self.counter += 1
        identity = f"{PREFIXES[kind]}_{self.counter:06d}{hashlib.sha256(str(self.counter).encode()).hexdigest()[:18]}"
        added = {"id": identity, "object": kind, "created": int(self.clock()), "livemode": False, **fields}
        self.objects[kind][identity] = added
        return added

    def _get(self, kind: str, identity: str, param: str) -> Object:
        if identity not in self.objects[kind]:
            raise missing(kind, identity, param)
        return self.objects[kind][identity]

    def _intent_at(self, path: str) -> Object:
        _, _, plural, identity = path.split("/")
        return self._get(KINDS[plural], identity, "intent")

    def _list(self, kind: str, given: Object, path: str) -> Object:
        filters = {name: given[name] for name in ("customer", "payment_intent", "email", "type") if name in given}
        matches = [
            each
            for each in self.objects[kind].values()
            if not each.get("deleted") and all(each.get(name) == value for name, value in filters.items())
        ]
        return listed(matches, path, limit=_limit(given), after=given.get("starting_after"))

    def _methods_of(self, given: Object, path: str) -> Object:
        customer = _required(given, "customer")
        self._live_customer(customer, "id")
        return self._list("payment_method", {**given, "customer": customer}, path)

    def _search(self, kind: str, given: Object, path: str) -> Object:
        filters = SEARCHED.findall(_required(given, "query"))
        indexed = self.clock() - SEARCHABLE_AFTER_SECONDS
        matches = [
            each
            for each in self.objects[kind].values()
            if not each.get("deleted")
            and each["created"] <= indexed
            and all(each["metadata"].get(name) == value for name, value in filters)
        ]
        return {**listed(matches, path, limit=_limit(given)), "object": "search_result", "next_page": None}

    def _expanded(self, body: Object, paths: list[str]) -> Object:
        for path in paths:
            places = [body]
            *steps, last = path.split(".")
            for step in steps:
                places = [each for place in places for each in _inside(place, step)]
            for place in places:
                identity = place.get(last)
                kind = "charge" if last == "latest_charge" else last
                if isinstance(identity, str) and identity in self.objects.get(kind, {}):
                    place[last] = deepcopy(self.objects[kind][identity])
        return body

    def _emit(self, kind: str, about: Object, before: Object | None = None) -> None:
        data: Object = {"object": deepcopy(about)}
        if before is not None:
            data["previous_attributes"] = before
        event = self._add(
            "event", api_version=API_VERSION, type=kind, data=data, pending_webhooks=1, request={"id": None}
        )
        self.undelivered.append(event["id"])

    # ---- Customers ----

    def _new_customer(self, given: Object) -> Object:
        return self._add(
            "customer",
            email=given.get("email"),
            name=given.get("name"),
            description=given.get("description"),
            metadata=given.get("metadata", {}),
            invoice_settings={"default_payment_method": None},
        )

    def _change_customer(self, identity: str, given: Object) -> Object:
        customer = self._live_customer(identity, "id")
        default = given.get("invoice_settings", {}).get("default_payment_method")
        if default:
            method = self._get("payment_method", default, "invoice_settings[default_payment_method]")
            if method["customer"] != identity:
                raise invalid(
                    "The customer does not have a payment method with the ID "
                    f"{default}. The payment method must be attached to the customer.",
                    code="resource_missing",
                    param="invoice_settings[default_payment_method]",
                )
            customer["invoice_settings"]["default_payment_method"] = default
        for name in ("email", "name", "description"):
            if name in given:
                customer[name] = given[name] or None
        customer["metadata"] |= given.get("metadata", {})
        return customer

    def _delete_customer(self, identity: str) -> Object:
        customer = self._live_customer(identity, "id")
        for method in self._attached_to(identity):
            self._release(method)
        self._emit("customer.deleted", customer)
        customer |= {"deleted": True, "email": None, "name": None, "metadata": {}}
        return {"id": identity, "object": "customer", "deleted": True}

    def _live_customer(self, identity: str, param: str) -> Object:
        customer = self.objects["customer"].get(identity)
        if customer is None or customer.get("deleted"):
            raise missing("customer", identity, param, named_by_path=param == "id")
        return customer

    def _attached_to(self, customer: str) -> list[Object]:
        return [each for each in self.objects["payment_method"].values() if each["customer"] == customer]

    # ---- Payment methods ----

    def _new_payment_method(self, given: Object) -> Object:
        kind = _required(given, "type")
        if kind == "sepa_debit":
            iban = given.get("sepa_debit", {}).get("iban", "").replace(" ", "").upper()
            _require_iban(iban)
            return self._add_method(
                "sepa_debit",
                iban,
                {"last4": iban[-4:], "country": iban[:2], "bank_code": iban[4:12], "fingerprint": _fingerprint(iban)},
                given,
            )
        card = given.get("card", {})
        number = card.get("number", "")
        if number not in CARDS:
            raise _declined(UNKNOWN_NUMBER)
        month, year = int(card.get("exp_month", 12)), int(card.get("exp_year", 2034))
        if not 1 <= month <= 12:
            raise _declined(INVALID_MONTH)
        return self._add_method(
            "card",
            number,
            {
                "brand": CARDS[number].brand,
                "last4": number[-4:],
                "exp_month": month,
                "exp_year": year if year > 99 else 2000 + year,
                "fingerprint": _fingerprint(number),
                "funding": "credit",
                "country": "US",
            },
            given,
        )

    def _add_method(self, kind: str, number: str, details: Object, given: Object) -> Object:
        method = self._add(
            "payment_method",
            type=kind,
            customer=None,
            metadata=given.get("metadata", {}),
            billing_details=given.get("billing_details", {}),
            **{kind: details},
        )
        self.numbers[method["id"]] = number
        return method

    def _method(self, identity: str) -> Object:
        """A payment method by its id. One of Stripe's names of test cards creates it."""
        if identity in TOKENS:
            return self._new_payment_method({"type": "card", "card": {"number": TOKENS[identity]}})
        method = self.objects["payment_method"].get(identity)
        if method is None:
            raise missing("payment_method", identity, "payment_method", named_by_path=False)
        return method

    def _attach(self, identity: str, customer: str) -> Object:
        method = self._method(identity)
        self._live_customer(customer, "customer")
        if method["customer"] == customer:
            return method
        if method["customer"] is not None:
            raise invalid(
                "The payment method you provided has already been attached to a customer.",
                code="payment_method_already_attached",
            )
        if method["id"] in self.used:
            raise invalid(
                "This PaymentMethod was previously used without being attached to a Customer or was detached from a "
                "Customer, and may not be used again."
            )
        declined = self._card(method).setup if method["type"] == "card" else None
        if declined:
            raise _declined(declined)
        self._bind(method, customer)
        return method

    def _bind(self, method: Object, customer: str) -> None:
        if method["customer"] != customer:
            method["customer"] = customer
            self._emit("payment_method.attached", method)

    def _detach(self, identity: str) -> Object:
        method = self._get("payment_method", identity, "payment_method")
        if method["customer"] is None:
            raise invalid("The payment method you provided is not attached to a customer so detachment is impossible.")
        self._release(method)
        return method

    def _release(self, method: Object) -> None:
        customer = method["customer"]
        settings = self.objects["customer"][customer]["invoice_settings"]
        if settings["default_payment_method"] == method["id"]:
            settings["default_payment_method"] = None
        method["customer"] = None
        self._revoke(method)
        self.used.add(method["id"])
        self._emit("payment_method.detached", method, {"customer": customer})

    def revoke_mandate(self, identity: str) -> Object:
        """The customer's bank revokes a mandate, as it may after a dispute. See docs.stripe.com/payments/sepa-debit."""
        mandate = self._get("mandate", identity, "mandate")
        if mandate["status"] == "active":
            mandate["status"] = "inactive"
            self._emit("mandate.updated", mandate, {"status": "active"})
        return mandate

    def _revoke(self, method: Object) -> None:
        for mandate in [*self.objects["mandate"].values()]:
            if mandate["payment_method"] == method["id"]:
                self.revoke_mandate(mandate["id"])

    def _is_revoked(self, method: Object) -> bool:
        mandates = [each for each in self.objects["mandate"].values() if each["payment_method"] == method["id"]]
        return bool(mandates) and not any(each["status"] == "active" for each in mandates)

    def _card(self, method: Object) -> TestCard:
        return CARDS[self.numbers[method["id"]]]

    def _has_expired(self, method: Object) -> bool:
        card = method.get("card")
        if card is None:
            return False
        years = 1970 + self.clock() / 31556952
        return bool(years >= card["exp_year"] + card["exp_month"] / 12 + 0.003)

    def automatically_update(self, identity: str, changes: Object) -> Object:
        """The bank reports a new number or a new expiry of a card: `changes` are fields of the card."""
        method = self._get("payment_method", identity, "payment_method")
        before = {"card": {name: method["card"][name] for name in changes}}
        method["card"] |= changes
        self._emit("payment_method.automatically_updated", method, before)
        return method

    # ---- Setup intents ----

    def _new_setup(self, given: Object) -> Object:
        customer = given.get("customer")
        if customer:
            self._live_customer(customer, "customer")
        setup = self._add(
            "setup_intent",
            customer=customer,
            status="requires_payment_method",
            usage=given.get("usage", "off_session"),
            payment_method=None,
            payment_method_types=given.get("allowed_payment_method_types", ["card"]),
            metadata=given.get("metadata", {}),
            mandate=None,
            last_setup_error=None,
            next_action=None,
        )
        setup["client_secret"] = f"{setup['id']}_secret_{_fingerprint(setup['id'])}"
        return setup

    def _confirm_setup(self, identity: str, given: Object) -> Object:
        setup = self._get("setup_intent", identity, "intent")
        _check_secret(setup, given)
        if setup["status"] not in UNFINISHED:
            raise invalid(
                f"You cannot confirm this SetupIntent because it has a status of {setup['status']}.",
                code="setup_intent_unexpected_state",
            )
        method = self._method(given.get("payment_method") or self._inline(setup, given))
        _require_type(method, setup, "SetupIntent", "setup_intent_invalid_parameter")
        setup["payment_method"] = method["id"]
        declined = self._refusal(method, at_setup=True)
        if declined:
            setup |= {"status": "requires_payment_method", "payment_method": None}
            setup["last_setup_error"] = _declined(declined, payment_method=deepcopy(method)).error
            self._emit("setup_intent.setup_failed", setup)
            raise _declined(declined, setup_intent=deepcopy(setup), payment_method=deepcopy(method))
        if method["type"] == "card" and self._card(method).asks_at_setup:
            setup |= {"status": "requires_action", "next_action": {"type": "use_stripe_sdk", "use_stripe_sdk": {}}}
            self._emit("setup_intent.requires_action", setup)
            return setup
        return self._succeed_setup(setup)

    def authenticate_setup(self, identity: str, *, succeed: bool) -> Object:
        """The customer answers their bank's question."""
        setup = self._get("setup_intent", identity, "intent")
        if setup["status"] != "requires_action":
            raise invalid("This SetupIntent asks for nothing.", code="setup_intent_unexpected_state")
        setup["next_action"] = None
        if succeed:
            return self._succeed_setup(setup)
        setup |= {"status": "requires_payment_method", "payment_method": None}
        setup["last_setup_error"] = {
            "type": "card_error",
            "code": "setup_intent_authentication_failure",
            "message": "The latest attempt to set up the payment method has failed because authentication failed.",
        }
        self._emit("setup_intent.setup_failed", setup)
        return setup

    def _succeed_setup(self, setup: Object) -> Object:
        method = self.objects["payment_method"][setup["payment_method"]]
        if setup["customer"]:
            self._bind(method, setup["customer"])
        if method["type"] == "sepa_debit":
            setup["mandate"] = self._new_mandate(method)["id"]
        setup |= {"status": "succeeded", "last_setup_error": None}
        self._emit("setup_intent.succeeded", setup)
        return setup

    def _new_mandate(self, method: Object) -> Object:
        """See docs.stripe.com/api/mandates/object."""
        mandate = self._add("mandate", payment_method=method["id"], status="active", type="multi_use", multi_use={})
        reference = mandate["id"].removeprefix("mandate_")[:16].upper()
        url = f"https://hooks.stripe.com/adapter/sepa_debit/file/{mandate['id']}"
        mandate["payment_method_details"] = {"type": "sepa_debit", "sepa_debit": {"reference": reference, "url": url}}
        return mandate

    def _inline(self, intent: Object, given: Object) -> str:
        data = given.get("payment_method_data")
        if not data:
            existing = intent.get("payment_method")
            if existing:
                return str(existing)
            raise invalid("You must provide a payment method.", param="payment_method")
        return str(self._new_payment_method(data)["id"])

    def _refusal(self, method: Object, *, at_setup: bool) -> Decline | None:
        if self._has_expired(method):
            return EXPIRED
        if method["type"] != "card":
            return None
        card = self._card(method)
        return card.setup if at_setup else card.charge

    # ---- Payment intents ----

    def _new_payment(self, given: Object) -> Object:
        amount = int(_required(given, "amount"))
        if amount <= 0:
            raise invalid(
                "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
            )
        currency = _required(given, "currency").lower()
        amounts.require_currency(currency)
        amounts.require_step(amount, currency)
        amounts.require_chargeable(amount, currency)
        customer = given.get("customer")
        if customer:
            self._live_customer(customer, "customer")
        payment = self._add(
            "payment_intent",
            amount=amount,
            amount_received=0,
            currency=currency,
            customer=customer,
            description=given.get("description"),
            status="requires_payment_method",
            payment_method=None,
            payment_method_types=_compatible(
                given.get("allowed_payment_method_types", [*CHARGEABLE]), amount, currency
            ),
            metadata=given.get("metadata", {}),
            latest_charge=None,
            last_payment_error=None,
            next_action=None,
            canceled_at=None,
            cancellation_reason=None,
        )
        payment["client_secret"] = f"{payment['id']}_secret_{_fingerprint(payment['id'])}"
        if given.get("confirm") == "true":
            return self._confirm_payment(payment["id"], given)
        return payment

    def _change_payment(self, identity: str, given: Object) -> Object:
        payment = self._get("payment_intent", identity, "intent")
        if payment["status"] not in UNFINISHED:
            raise invalid(
                f"This PaymentIntent could not be updated because it has a status of {payment['status']}.",
                code="payment_intent_unexpected_state",
            )
        self._set_types(payment, given)
        payment["metadata"] |= given.get("metadata", {})
        return payment

    def _set_types(self, payment: Object, given: Object) -> None:
        if "allowed_payment_method_types" in given:
            payment["payment_method_types"] = _compatible(
                given["allowed_payment_method_types"], payment["amount"], payment["currency"]
            )

    def _confirm_payment(self, identity: str, given: Object) -> Object:
        payment = self._get("payment_intent", identity, "intent")
        _check_secret(payment, given)
        if payment["status"] not in UNFINISHED:
            raise invalid(
                f"You cannot confirm this PaymentIntent because it has a status of {payment['status']}.",
                code="payment_intent_unexpected_state",
            )
        method = self._method(given.get("payment_method") or self._inline(payment, given))
        if payment["customer"]:
            self._live_customer(payment["customer"], "customer")
        if payment["customer"] and method["customer"] != payment["customer"]:
            raise invalid(
                f"The PaymentMethod {method['id']} does not belong to the Customer {payment['customer']}."
                if method["customer"]
                else "The provided PaymentMethod was previously used or is not attached to the Customer.",
                param="payment_method",
            )
        self._set_types(payment, given)
        _require_type(method, payment, "PaymentIntent", "payment_intent_incompatible_payment_method")
        payment["payment_method"] = method["id"]
        declined = self._refusal(method, at_setup=False)
        off_session = given.get("off_session") == "true"
        if declined:
            raise self._fail_payment(payment, method, declined)
        if method["type"] == "card" and self._card(method).asks_always:
            if off_session:
                asked = Decline(
                    "authentication_required",
                    "authentication_required",
                    "Your card was declined. This transaction requires authentication.",
                )
                raise self._fail_payment(payment, method, asked)
            payment |= {"status": "requires_action", "next_action": {"type": "use_stripe_sdk", "use_stripe_sdk": {}}}
            self._emit("payment_intent.requires_action", payment)
            return payment
        if self._is_revoked(method):
            raise invalid(
                "The mandate of the provided PaymentMethod is not valid to be used with this PaymentIntent.",
                code="payment_intent_mandate_invalid",
                param="payment_method",
            )
        if method["type"] == "sepa_debit":
            payment["status"] = "processing"
            self._emit("payment_intent.processing", payment)
            return payment
        return self._succeed_payment(payment)

    def authenticate_payment(self, identity: str, *, succeed: bool) -> Object:
        """The customer answers their bank's question."""
        payment = self._get("payment_intent", identity, "intent")
        if payment["status"] != "requires_action":
            raise invalid("This PaymentIntent asks for nothing.", code="payment_intent_unexpected_state")
        payment["next_action"] = None
        return self._finish_payment(payment, succeed=succeed, code="payment_intent_authentication_failure")

    def settle(self, identity: str, *, succeed: bool, code: str = "insufficient_funds") -> Object:
        """The bank has made or refused a payment that took days.

        The codes: docs.stripe.com/payments/sepa-debit#failed-payments.
        """
        payment = self._get("payment_intent", identity, "intent")
        if payment["status"] != "processing":
            raise invalid("This PaymentIntent is not on its way.", code="payment_intent_unexpected_state")
        return self._finish_payment(payment, succeed=succeed, code=code)

    def cancel_processing(self, identity: str) -> Object:
        """Cancels a PaymentIntent that is processing, which happens "in rare cases".

        See docs.stripe.com/api/payment_intents/cancel.
        """
        payment = self._get("payment_intent", identity, "intent")
        if payment["status"] != "processing":
            raise invalid("This PaymentIntent is not on its way.", code="payment_intent_unexpected_state")
        return self._cancel_intent("payment_intent", payment)

    def _finish_payment(self, payment: Object, *, succeed: bool, code: str) -> Object:
        if succeed:
            return self._succeed_payment(payment)
        method = self.objects["payment_method"][payment["payment_method"]]
        self._fail_payment(payment, method, Decline(code, None, "The payment has failed."))
        return payment

    def _fail_payment(self, payment: Object, method: Object, declined: Decline) -> Refused:
        charge = self._add(
            "charge", amount=payment["amount"], paid=False, status="failed", payment_intent=payment["id"]
        )
        refused = _declined(declined, charge=charge["id"], payment_method=deepcopy(method))
        payment |= {
            "status": "requires_payment_method",
            "payment_method": None,
            "latest_charge": charge["id"],
            "last_payment_error": refused.error,
        }
        self._emit("payment_intent.payment_failed", payment)
        return _declined(
            declined,
            charge=charge["id"],
            payment_method=deepcopy(method),
            payment_intent=deepcopy(payment),
        )

    def _succeed_payment(self, payment: Object) -> Object:
        charge = self._add(
            "charge",
            amount=payment["amount"],
            amount_captured=payment["amount"],
            amount_refunded=0,
            currency=payment["currency"],
            customer=payment["customer"],
            paid=True,
            refunded=False,
            disputed=False,
            status="succeeded",
            payment_intent=payment["id"],
            payment_method=payment["payment_method"],
            metadata=payment["metadata"],
        )
        payment |= {
            "status": "succeeded",
            "amount_received": payment["amount"],
            "latest_charge": charge["id"],
            "last_payment_error": None,
        }
        self._emit("payment_intent.succeeded", payment)
        method = self.objects["payment_method"][payment["payment_method"]]
        if method["type"] == "card" and self._card(method).disputed:
            self.dispute(payment["id"])
        return payment

    def _cancel(self, kind: str, identity: str) -> Object:
        intent = self._get(kind, identity, "intent")
        if intent["status"] not in UNFINISHED:
            raise invalid(
                f"You cannot cancel this {kind} because it has a status of {intent['status']}.",
                code=f"{kind}_unexpected_state",
            )
        return self._cancel_intent(kind, intent)

    def _cancel_intent(self, kind: str, intent: Object) -> Object:
        intent |= {"status": "canceled", "canceled_at": int(self.clock())}
        self._emit(f"{kind}.canceled", intent)
        return intent

    def _answer_challenge(self, kind: str, identity: str, given: Object) -> Object:
        """The customer answers their bank's question in the frame: `outcome` is complete or fail."""
        _check_secret(self._get(kind, identity, "intent"), given)
        outcome = _required(given, "outcome")
        if outcome not in {"complete", "fail"}:
            raise invalid("Invalid outcome: must be one of complete, fail", param="outcome")
        answer = self.authenticate_setup if kind == "setup_intent" else self.authenticate_payment
        return answer(identity, succeed=outcome == "complete")

    # ---- Refunds and disputes ----

    def _refund(self, given: Object) -> Object:
        payment = self.objects["payment_intent"].get(_required(given, "payment_intent"))
        if payment is None:
            raise missing("payment_intent", given["payment_intent"], "payment_intent", named_by_path=False)
        charge = self.objects["charge"].get(payment["latest_charge"] or "")
        if charge is None or not charge["paid"]:
            raise invalid(
                f"This PaymentIntent ({payment['id']}) does not have a successful charge to refund.",
                param="payment_intent",
            )
        if self._is_disputed(charge):
            raise invalid(
                f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
            )
        left = charge["amount_captured"] - charge["amount_refunded"]
        if not left:
            raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
        amount = int(given.get("amount", left))
        if amount <= 0:
            raise invalid("Invalid positive integer", code="parameter_invalid_integer", param="amount")
        amounts.require_step(amount, charge["currency"])
        if amount > left:
            asked, rest = (amounts.amount_text(each, charge["currency"]) for each in (amount, left))
            raise invalid(
                f"Refund amount ({asked}) is greater than unrefunded amount on charge ({rest})", param="amount"
            )
        method = self.objects["payment_method"][charge["payment_method"]]
        pending = method["type"] == "card" and self._card(method).refunds_take_days
        self._add_refunded(charge, amount)
        refund = self._add(
            "refund",
            amount=amount,
            currency=charge["currency"],
            charge=charge["id"],
            payment_intent=payment["id"],
            reason=given.get("reason"),
            metadata=given.get("metadata", {}),
            status="pending" if pending else "succeeded",
        )
        self._emit("refund.created", refund)
        self._emit("charge.refunded", charge)
        return refund

    def settle_refund(self, identity: str, *, succeed: bool) -> Object:
        """The bank has taken or sent back a refund. One that has succeeded may fail days later.

        See docs.stripe.com/refunds#failed-refunds and docs.stripe.com/testing#refunds.
        """
        refund = self._get("refund", identity, "refund")
        if refund["status"] not in {"pending", "succeeded"} or (succeed and refund["status"] == "succeeded"):
            raise invalid(f"This refund has a status of {refund['status']}.")
        if succeed:
            refund["status"] = "succeeded"
            self._emit("refund.updated", refund)
            return refund
        self._add_refunded(self.objects["charge"][refund["charge"]], -refund["amount"])
        refund |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
        self._emit("refund.updated", refund)
        self._emit("refund.failed", refund)
        return refund

    def _add_refunded(self, charge: Object, amount: int) -> None:
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]

    def _is_disputed(self, charge: Object) -> bool:
        """Whether a dispute has taken the money back. A dispute that was won has returned it."""
        return any(
            each["charge"] == charge["id"] and each["status"] not in GIVEN_BACK
            for each in self.objects["dispute"].values()
        )

    def dispute(self, payment_intent: str, amount: int | None = None, reason: str = "fraudulent") -> Object:
        """The customer's bank disputes a payment, or `amount` of it. See docs.stripe.com/disputes."""
        payment = self._get("payment_intent", payment_intent, "payment_intent")
        charge = self.objects["charge"][payment["latest_charge"]]
        charge["disputed"] = True
        dispute = self._add(
            "dispute",
            amount=payment["amount"] if amount is None else amount,
            currency=payment["currency"],
            charge=charge["id"],
            payment_intent=payment_intent,
            reason=reason,
            status="needs_response",
            is_charge_refundable=False,
            metadata={},
        )
        self._emit("charge.dispute.created", dispute)
        self._emit("charge.dispute.funds_withdrawn", dispute)
        return dispute

    def close_dispute(self, identity: str, *, won: bool) -> Object:
        """Closes a dispute. Won, the money comes back to the vendor; lost, it stays with the customer."""
        dispute = self._get("dispute", identity, "dispute")
        if dispute["status"] not in DISPUTED:
            raise invalid("This dispute is already closed.")
        dispute["status"] = "won" if won else "lost"
        if won:
            self._emit("charge.dispute.funds_reinstated", dispute)
        self._emit("charge.dispute.closed", dispute)
        return dispute


def _compatible(allowed: list[str], amount: int, currency: str) -> list[str]:
    """The allowed types that go with the amount and currency. Stripe leaves the others out without an error.

    See docs.stripe.com/changelog/dahlia/2026-07-29/allowed-payment-method-types-parameter.
    """
    compatible = [each for each in CHARGEABLE if each in allowed]
    if currency != "eur" and "sepa_debit" in compatible:
        compatible.remove("sepa_debit")
    if compatible == ["sepa_debit"] and amount > amounts.SEPA_DEBIT_LARGEST:
        raise invalid(
            f"Amount must be at most {amounts.amount_text(amounts.SEPA_DEBIT_LARGEST, currency)}",
            code="amount_too_large",
            param="amount",
        )
    if amount > amounts.SEPA_DEBIT_LARGEST and "sepa_debit" in compatible:
        compatible.remove("sepa_debit")
    if not compatible:
        raise invalid(
            "No valid payment method types for this Payment Intent. Please ensure that you have activated payment "
            "methods compatible with your chosen currency in your dashboard "
            "(https://dashboard.stripe.com/settings/payment_methods).",
            code="payment_intent_invalid_parameter",
        )
    return compatible


def _require_type(method: Object, intent: Object, noun: str, code: str) -> None:
    """Raises Refused for a payment method whose type the intent does not allow."""
    allowed = intent["payment_method_types"]
    if method["type"] not in allowed:
        raise invalid(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this {noun}. Please attach a "
            f"PaymentMethod of one of the following types: {', '.join(allowed)}.",
            code=code,
            param="payment_method",
        )


def _require_iban(iban: str) -> None:
    """Raises Refused for an IBAN whose form or check digits are wrong (ISO 13616).

    The code: docs.stripe.com/error-codes#invalid-bank-account-iban.
    """
    turned = iban[4:] + iban[:4]
    if not _IBAN.fullmatch(iban) or int("".join(str(int(each, 36)) for each in turned)) % 97 != 1:
        raise invalid("The IBAN you provided is invalid.", code="invalid_bank_account_iban", param="sepa_debit[iban]")


def _required(given: Object, name: str) -> str:
    if not given.get(name):
        raise invalid(f"Missing required param: {name}.", code="parameter_missing", param=name)
    return str(given[name])


def _limit(given: Object) -> int:
    return max(1, min(LIMIT_MAX, int(given.get("limit", LIMIT_DEFAULT))))


def _check_secret(intent: Object, given: Object) -> None:
    """Raises Refused for a wrong client secret. A browser must send it; a server need not."""
    if given.get("client_secret", intent["client_secret"]) != intent["client_secret"]:
        raise invalid("The client_secret provided does not match.", code="resource_missing", param="client_secret")


def _declined(decline: Decline, **more: Any) -> Refused:
    return Refused(
        HTTPStatus.PAYMENT_REQUIRED,
        "card_error",
        decline.message,
        code=decline.code,
        decline_code=decline.decline_code,
        doc_url=f"https://docs.stripe.com/error-codes/{decline.code.replace('_', '-')}",
        **more,
    )


def _fault_response(status: int, kind: str, message: str, **more: str) -> Answer:
    return Answer(status, {"error": {"type": kind, "message": message, **more}})


_FAULT_RESPONSES = {
    "500": _fault_response(500, "api_error", "An unknown error occurred."),
    # docs.stripe.com/rate-limits
    "429": _fault_response(429, "invalid_request_error", "Request rate limit exceeded.", code="rate_limit"),
    "lock_timeout": _fault_response(
        429,
        "invalid_request_error",
        "This object cannot be accessed right now because another API request or Stripe process is currently "
        "accessing it.",
        code="lock_timeout",
    ),
    # docs.stripe.com/api/errors and docs.stripe.com/error-codes#idempotency-key-in-use
    "409": _fault_response(
        409,
        "idempotency_error",
        "There is currently another in-progress request using this idempotency key.",
        code="idempotency_key_in_use",
    ),
}
"""The responses of a Stripe in trouble that does not execute the request, by the name of the fault."""


def _fingerprint(number: str) -> str:
    return hashlib.sha256(number.encode()).hexdigest()[:16]


def _inside(place: Any, step: str) -> list[Object]:
    inner = place.get(step) if isinstance(place, dict) else None
    if isinstance(inner, list):
        return [each for each in inner if isinstance(each, dict)]
    return [inner] if isinstance(inner, dict) else []
