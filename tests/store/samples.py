"""Sample values of the domain, for the tests of the stores."""

import os
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from billing.accounts.information import (
    BillingDetails,
    BillingInformation,
    CompanyDetails,
    ContactDetails,
    Information,
)
from billing.accounts.rules import Account, Status, Store, User
from billing.billing_page.page import BillingPage
from billing.invoicing.due import InvoicingDue
from billing.invoicing.invoices import Invoice, InvoiceStatus
from billing.kernel.contract_calendar import Contract
from billing.kernel.events import RANDOM_BYTES, Actor, ActorKind, Event, EventType, RequestContext, ulid
from billing.kernel.money import Money
from billing.kernel.permissions import Role
from billing.scaling.due import AutoscalingDue
from billing.scaling.reviews.rules import Manager, Review, ReviewedProduct
from billing.scaling.reviews.success_managers import WEEKDAYS, Absence, Hours, Slot, SuccessManager
from billing.subscriptions.rules import Discount, Line, Subscription

ADMIN = User("user-1", "ada@nordlys.example", "Ada Holm", Role.ADMIN)
MEMBER = User("user-2", "bo@nordlys.example", "Bo Lind", Role.MEMBER)
ACCOUNT = Account(
    id="nordlys-kaffe",
    name="Nordlys Kaffe",
    status=Status.ACTIVE,
    contract=Contract(date(2026, 1, 15), 3, "EUR", "Europe/Copenhagen"),
    stores=(Store("nordlys-dk", "nordlys.example"),),
    roles={ADMIN.id: Role.ADMIN},
    provisioned_as="0" * 64,
    version=1,
)
DUE = AutoscalingDue(date(2026, 7, 1), {})
BILLING = InvoicingDue(0)
PAGE = BillingPage(
    account=ACCOUNT,
    subscription=Subscription(
        1,
        (Line("search", "Search", "searches", 10_000, Money(4900, "EUR")),),
        (Discount("search", Decimal("12.5"), None, date(2026, 1, 15), None, "Launch"),),
        version=1,
    ),
    information=BillingInformation(
        company=Information(
            CompanyDetails("Nordlys Kaffe ApS", "Havnegade 1", None, "1058", "København", "DK", "DK13585628"), 1
        ),
        billing=Information(BillingDetails("invoices@nordlys.example"), 1),
        contact=Information(ContactDetails("Ada Holm", "+45 33 12 34 56"), 1),
    ),
    payment_method=None,
    invoices=(),
)


NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
CONTEXT = RequestContext(Actor(ActorKind.STAFF, "staff-1"), NOON, "c6af9ac6-7b61-11e6-9a41-93e8deadbeef")

SOFIE = SuccessManager(
    id="sofie-lindgren",
    name="Sofie Lindgren",
    email="sofie.staff@livello.example",
    time_zone="Europe/Copenhagen",
    working_hours={weekday: (Hours(time(9), time(12)), Hours(time(13), time(16, 30))) for weekday in WEEKDAYS},
    review_minutes=30,
    place=None,
    absences=(Absence(date(2026, 7, 1), date(2026, 8, 1)),),
    version=1,
)
REVIEW = Review(
    id=ulid(NOON, bytes(RANDOM_BYTES)),
    slot=Slot(NOON + timedelta(days=2), NOON + timedelta(days=2, minutes=30)),
    manager=Manager(SOFIE.id, SOFIE.name, SOFIE.email, SOFIE.place),
    products=(ReviewedProduct("search", "Search", "searches"),),
    booked_at=NOON,
    version=1,
)


def sample_event(second: int = 0, account: str | None = ACCOUNT.id) -> Event:
    """An event of the account, `second` seconds after NOON."""
    return Event(
        id=ulid(NOON + timedelta(seconds=second), os.urandom(RANDOM_BYTES)),
        type=EventType.USER_REMOVED,
        account=account,
        time=NOON + timedelta(seconds=second),
        actor=CONTEXT.actor,
        correlation=CONTEXT.correlation,
        before={"user": "user-2", "email": "bo@nordlys.example", "name": "Bo Lind", "role": "member"},
        after=None,
    )


def invoices(count: int) -> list[Invoice]:
    """`count` invoices, one a month, oldest first."""
    return [
        Invoice(
            number=f"A-2024-{number:06}",
            produced_on=date(2024 + (number - 1) // 12, (number - 1) % 12 + 1, 15),
            due_on=date(2024 + (number - 1) // 12, (number - 1) % 12 + 1, 28),
            paid_on=None,
            status=InvoiceStatus.OPEN,
            total=Money(1000 + number, "EUR"),
            left=1000 + number,
        )
        for number in range(1, count + 1)
    ]
