"""Between items and the domain's values: `…_body` writes, `…_from` reads. Nothing else translates."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

from billing.domain.account import Account, Ending, Status, Store, User
from billing.domain.catalogue import Catalogue, Product, Tier
from billing.domain.contract import Contract
from billing.domain.events import Actor, ActorKind, Event, EventType
from billing.domain.information import BillingDetails, CompanyDetails, ContactDetails, Details
from billing.domain.invoices import Invoice, InvoiceStatus
from billing.domain.money import Money
from billing.domain.payment import Card, CardWarning, Debit, Method, PaymentMethod, PaymentProfile
from billing.domain.permissions import Role
from billing.domain.schedules import BillingDue, Due, News
from billing.domain.subscription import Cause, Discount, Line, Order, Subscription, TierChange
from billing.domain.thresholds import Told

if TYPE_CHECKING:  # only those who deal with reviews load what is known of them
    from billing.domain.reviews import Decision, Review
    from billing.domain.success_managers import SuccessManager

Body = dict[str, Any]


def text(body: object) -> str:
    """A body as it is stored. Decimals keep every digit; dates are ISO 8601."""
    return orjson.dumps(body, default=_exact).decode()


def parsed(text: str) -> Body:
    """A stored body."""
    body: Body = orjson.loads(text)
    return body


def account_body(account: Account) -> str:
    return text(
        {
            "account": account.account,
            "name": account.name,
            "status": account.status,
            "contract": asdict(account.contract),
            "stores": [asdict(store) for store in account.stores],
            "roles": dict(account.roles),
            "provisioned_as": account.provisioned_as,
            "success_manager": account.success_manager,
            "ending": account.ending,
            "reactivation": account.reactivation,
        }
    )


def account_from(stored: str, version: int) -> Account:
    body = parsed(stored)
    return Account(
        account=body["account"],
        name=body["name"],
        status=Status(body["status"]),
        contract=contract_from(body["contract"]),
        stores=tuple(Store(**store) for store in body["stores"]),
        roles={user: Role(role) for user, role in body["roles"].items()},
        provisioned_as=body["provisioned_as"],
        version=version,
        success_manager=body.get("success_manager"),  # older accounts were written without
        ending=_ending_from(body.get("ending")),  # and without these
        reactivation=body.get("reactivation"),
    )


def contract_from(body: Body) -> Contract:
    return Contract(
        start=date.fromisoformat(body["start"]),
        interval_months=body["interval_months"],
        currency=body["currency"],
        time_zone=body["time_zone"],
    )


def _ending_from(body: Body | None) -> Ending | None:
    if body is None:
        return None
    return Ending(body["receipt"], date.fromisoformat(body["active_until"]), date.fromisoformat(body["purge_on"]))


def user_body(user: User, account_name: str) -> str:
    """A person with the account's name beside them, so that their list of accounts is one query."""
    return text({**asdict(user), "account_name": account_name})


def user_from(stored: str) -> User:
    return user_and_account_name_from(stored)[0]


def user_and_account_name_from(stored: str) -> tuple[User, str]:
    body = parsed(stored)
    user = User(user=body["user"], email=body["email"], name=body["name"], role=Role(body["role"]))
    return user, body["account_name"]


def subscription_body(subscription: Subscription) -> str:
    return text(_without_version(asdict(subscription)))


def subscription_from(stored: str, version: int = 0) -> Subscription:
    body = parsed(stored)
    return Subscription(
        catalogue_version=body["catalogue_version"],
        lines=tuple(Line(**{**line, "price": Money(**line["price"])}) for line in body["lines"]),
        discounts=tuple(
            Discount(
                product=each["product"],
                percent=None if each["percent"] is None else Decimal(each["percent"]),
                amount=each["amount"],
                valid_from=date.fromisoformat(each["valid_from"]),
                valid_until=_date_or_none(each["valid_until"]),
                reason=each["reason"],
            )
            for each in body["discounts"]
        ),
        changes=tuple(
            TierChange(
                product=each["product"],
                up_to=each["up_to"],
                price=Money(**each["price"]),
                effective_on=date.fromisoformat(each["effective_on"]),
                cause=Cause(each["cause"]),
                decision=each["decision"],
            )
            for each in body.get("changes", ())  # older subscriptions were written without
        ),
        version=version,
    )


def success_manager_body(manager: SuccessManager) -> str:
    return text(_without_version(asdict(manager)))


def success_manager_from(stored: str, version: int) -> SuccessManager:
    from billing.domain.success_managers import Absence, Hours, SuccessManager

    body = parsed(stored)
    return SuccessManager(
        success_manager=body["success_manager"],
        name=body["name"],
        email=body["email"],
        time_zone=body["time_zone"],
        working_hours={
            weekday: tuple(
                Hours(time.fromisoformat(each["since"]), time.fromisoformat(each["until"])) for each in hours
            )
            for weekday, hours in body["working_hours"].items()
        },
        review_minutes=body["review_minutes"],
        place=body["place"],
        absences=tuple(
            Absence(date.fromisoformat(each["since"]), date.fromisoformat(each["until"])) for each in body["absences"]
        ),
        version=version,
    )


def review_body(review: Review) -> str:
    return text(_without_version(asdict(review)))


def review_from(stored: str, version: int) -> Review:
    from billing.domain.reviews import Manager, Review, ReviewedProduct
    from billing.domain.success_managers import Slot

    body = parsed(stored)
    return Review(
        review=body["review"],
        slot=Slot(datetime.fromisoformat(body["slot"]["begins"]), datetime.fromisoformat(body["slot"]["ends"])),
        manager=Manager(**body["manager"]),
        products=tuple(ReviewedProduct(**each) for each in body["products"]),
        booked_at=datetime.fromisoformat(body["booked_at"]),
        cancelled_at=None if body["cancelled_at"] is None else datetime.fromisoformat(body["cancelled_at"]),
        decision=None if body["decision"] is None else _decision_from(body["decision"]),
        version=version,
    )


def _decision_from(body: Body) -> Decision:
    from billing.domain.reviews import Applied, Declined

    decided_at = datetime.fromisoformat(body["decided_at"])
    if "reason" in body:
        return Declined(body["reason"], decided_at)
    orders = tuple(Order(**each) for each in body["orders"])
    return Applied(orders, date.fromisoformat(body["effective_on"]), decided_at)


def information_body(details: Details) -> str:
    return text(asdict(details))


def company_from(stored: str) -> CompanyDetails:
    return CompanyDetails(**parsed(stored))


def billing_from(stored: str) -> BillingDetails:
    return BillingDetails(**parsed(stored))


def contact_from(stored: str) -> ContactDetails:
    return ContactDetails(**parsed(stored))


def payment_profile_body(profile: PaymentProfile) -> str:
    return text(_without_version(asdict(profile)))


def payment_profile_from(stored: str, version: int) -> PaymentProfile:
    body = parsed(stored)
    return PaymentProfile(
        customer=body["customer"],
        shown=_payment_method(body["shown"]),
        payment_method=body["payment_method"],
        fingerprint=body["fingerprint"],
        setup=body["setup"],
        set_up_at=None if body["set_up_at"] is None else datetime.fromisoformat(body["set_up_at"]),
        used=tuple(body["used"]),
        version=version,
    )


def shown_payment_method_from(stored: str) -> PaymentMethod | None:
    """What may be seen of how an account pays."""
    return _payment_method(parsed(stored)["shown"])


def _payment_method(body: Body | None) -> PaymentMethod | None:
    if body is None:
        return None
    card, debit = body["card"], body["debit"]
    return PaymentMethod(
        Method(body["method"]), None if card is None else Card(**card), None if debit is None else Debit(**debit)
    )


def billing_due_body(due: BillingDue) -> str:
    return text(asdict(due))


def billing_due_from(stored: str) -> BillingDue:
    body = parsed(stored)
    return BillingDue(body["month"], tuple(body["settled"]))


def card_warning_body(warning: CardWarning) -> str:
    return text({"days": warning.days, "at": warning.at})


def card_warning_from(stored: str) -> CardWarning:
    body = parsed(stored)
    return CardWarning(body["days"], datetime.fromisoformat(body["at"]))


def invoice_body(invoice: Invoice) -> str:
    return text(asdict(invoice))


def invoice_from(stored: str) -> Invoice:
    body = parsed(stored)
    return Invoice(
        number=body["number"],
        produced_on=date.fromisoformat(body["produced_on"]),
        due_on=date.fromisoformat(body["due_on"]),
        paid_on=_date_or_none(body["paid_on"]),
        status=InvoiceStatus(body["status"]),
        total=Money(**body["total"]),
        corrects=body.get("corrects"),
    )


def catalogue_body(products: tuple[Product, ...]) -> str:
    return text({"products": [asdict(product) for product in products]})


def catalogue_from(stored: str, version: int) -> Catalogue:
    return Catalogue(
        version,
        tuple(
            Product(**{**product, "tiers": tuple(Tier(**tier) for tier in product["tiers"])})
            for product in parsed(stored)["products"]
        ),
    )


def told_body(told: Told) -> str:
    return text(asdict(told))


def told_from(stored: str) -> Told:
    body = parsed(stored)
    return Told(body["up_to"], date.fromisoformat(body["month"]), body["percent"])


def due_body(due: Due) -> str:
    return text({"month": due.month, "told": {product: asdict(told) for product, told in sorted(due.told.items())}})


def due_from(stored: str) -> Due:
    body = parsed(stored)
    told = {product: News(each["what"], date.fromisoformat(each["month"])) for product, each in body["told"].items()}
    return Due(date.fromisoformat(body["month"]), told)


def event_body(event: Event) -> str:
    return text(asdict(event))


def event_from(stored: str) -> Event:
    return event_of(parsed(stored))


def event_of(body: Body) -> Event:
    """An event as it is stored, and as it is published."""
    return Event(
        event=body["event"],
        type=EventType(body["type"]),
        account=body["account"],
        time=datetime.fromisoformat(body["time"]),
        actor=Actor(ActorKind(body["actor"]["kind"]), body["actor"]["user"]),
        correlation=body["correlation"],
        before=body["before"],
        after=body["after"],
        version=body["version"],
    )


def _without_version(body: Body) -> Body:
    """A version stands beside the body: it is what a write is conditioned by."""
    return {name: value for name, value in body.items() if name != "version"}


def _exact(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no stored form")


def _date_or_none(value: str | None) -> date | None:
    return None if value is None else date.fromisoformat(value)
