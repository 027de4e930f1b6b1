"""Requests and responses of the payment method routes."""

from __future__ import annotations

from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Header
from pydantic import Field, StringConstraints

from billing.payments.gateway import NewSetup
from billing.payments.method_views import CardView, DebitView
from billing.payments.methods import TERM_DAYS_MAX, Method, PaymentMethod, PaymentProfile
from billing.platform.http.models import Body, Text, View

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="A text of the client's own. The same request with it gets the same answer, for a day.",
        min_length=1,
        max_length=100,
        pattern="^[!-~]+$",
    ),
]


class SetupBody(Body):
    """What is to be set up."""

    method: Literal["card", "sepa_debit"] = "card"

    def chosen_method(self) -> Method:
        return Method(self.method)


class SetupView(View):
    """What a browser needs to confirm it with Stripe. The secret is for this customer's browser alone."""

    setup_intent: str
    client_secret: str
    publishable_key: str

    @classmethod
    def of(cls, setup: NewSetup) -> SetupView:
        return cls(setup_intent=setup.setup, client_secret=setup.client_secret, publishable_key=setup.publishable_key)


class ConsentView(View):
    """What a browser needs to confirm a payment with Stripe, where the customer's bank asks its customer."""

    payment_intent: str
    client_secret: str
    publishable_key: str

    @classmethod
    def of(cls, setup: NewSetup) -> ConsentView:
        return cls(payment_intent=setup.setup, client_secret=setup.client_secret, publishable_key=setup.publishable_key)


class PaymentMethodBody(Body):
    """The SetupIntent that the customer has confirmed."""

    setup_intent: Annotated[str, StringConstraints(pattern="^seti_[A-Za-z0-9]{1,100}$")]


class PaymentTermBody(Body):
    """In how many days a bank transfer is due, null for the deployment's term. The admins read why it changes."""

    days: Annotated[int, Field(strict=True, ge=0, le=TERM_DAYS_MAX)] | None
    reason: Text


class PaymentTermView(View):
    """In how many `days` a bank transfer is due; `is_own` says that the account has a term of its own.

    It is used for invoices that are issued while the account pays by transfer.
    """

    days: int
    is_own: bool

    @classmethod
    def of(cls, profile: PaymentProfile, deployed_days: int) -> PaymentTermView:
        return cls(days=profile.payment_term(deployed_days), is_own=profile.term_days is not None)


class PaymentMethodView(View):
    """How the account pays from now on."""

    method: Method
    card: CardView | None
    debit: DebitView | None

    @classmethod
    def of(cls, method: PaymentMethod) -> PaymentMethodView:
        return cls(
            method=method.method,
            card=CardView.model_validate(method.card, from_attributes=True) if method.card else None,
            debit=DebitView.model_validate(method.debit, from_attributes=True) if method.debit else None,
        )
