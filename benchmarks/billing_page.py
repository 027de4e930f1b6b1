"""Sample data: a billing page of the usual size as DynamoDB returns it, and the event of API Gateway for it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

from billing.accounts import mapping as account_mapping
from billing.accounts.information import Area, BillingDetails, CompanyDetails, ContactDetails
from billing.accounts.rules import Account, Status, Store
from billing.invoicing import summary_mapping as invoice_summary_mapping
from billing.invoicing.invoices import Invoice, InvoiceStatus
from billing.kernel.contract_calendar import Contract
from billing.kernel.money import Money
from billing.kernel.permissions import Role
from billing.payments import mapping as payment_mapping
from billing.payments.methods import Card, Method, PaymentMethod, PaymentProfile
from billing.platform.dynamodb import keys
from billing.subscriptions import mapping as subscription_mapping
from billing.subscriptions.rules import Discount, Line, Subscription

ACCOUNT = "nordlys-kaffe"
ADMIN = "6f2b4c1e-1f6a-4c1e-9b1a-000000000000"
NOW = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
INVOICES = 12
PRODUCTS = {"search": 9900, "recommendations": 14_900, "email": 5900, "audience": 7900, "chat": 2900}

START = date(2025, 1, 15)


def reply() -> bytes:
    """The response body of the page's one query, newest item first."""
    items = [
        {
            "pk": {"S": keys.account(ACCOUNT)},
            "sk": {"S": key},
            "version": {"N": "1"},
            "body": {"S": body},
            # The admin is no new one: a first request would write.
            **({keys.logged_in(ADMIN): {"S": NOW.isoformat()}} if key == keys.PAGE_ACCOUNT else {}),
        }
        for key, body in sorted({**page_bodies(), **_invoices()}.items(), reverse=True)
    ]
    return json.dumps({"Count": len(items), "Items": items, "ScannedCount": len(items)}, ensure_ascii=False).encode()


def event() -> str:
    """The event of the admin's request, as JSON text."""
    path = f"/accounts/{ACCOUNT}/billing"
    claims = {"sub": ADMIN, "token_use": "id", "email": "ada@nordlys.example", "aud": "client", "iss": "https://idp"}
    headers = {"Accept": "application/json", "Host": "api.example", "User-Agent": "browser", "Authorization": "e30"}
    return json.dumps(
        {
            "resource": "/accounts/{account}/billing",
            "path": path,
            "httpMethod": "GET",
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "queryStringParameters": None,
            "multiValueQueryStringParameters": None,
            "pathParameters": {"account": ACCOUNT},
            "stageVariables": None,
            "requestContext": {
                "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
                "stage": "v1",
                "path": f"/v1{path}",
                "resourcePath": "/accounts/{account}/billing",
                "httpMethod": "GET",
                "requestTimeEpoch": int(NOW.timestamp() * 1000),
                "identity": {"sourceIp": "127.0.0.1"},
                "authorizer": {"claims": claims},
            },
            "body": None,
            "isBase64Encoded": False,
        }
    )


def page_bodies() -> dict[str, str]:
    """The bodies of the page's items, by sort key."""
    account = Account(
        id=ACCOUNT,
        name="Nordlys Kaffe",
        status=Status.ACTIVE,
        contract=Contract(START, 3, "EUR", "Europe/Copenhagen"),
        stores=(Store("nordlys-dk", "nordlys.example"), Store("nordlys-se", "nordlys.example/se")),
        roles={ADMIN: Role.ADMIN, **{f"{ADMIN[:-1]}{number}": Role.MEMBER for number in range(1, 5)}},
        provisioned_as="0" * 64,
    )
    subscription = Subscription(
        catalogue_version=4,
        lines=tuple(
            Line(product, product.title(), "events", 10_000, Money(price, "EUR")) for product, price in PRODUCTS.items()
        ),
        discounts=(
            Discount("search", Decimal("12.5"), None, START, date(2027, 1, 15), "Launch"),
            Discount(None, None, 500, START, None, "Loyalty"),
        ),
    )
    company = CompanyDetails("Nordlys Kaffe ApS", "Havnegade 1", None, "1058", "København", "DK", "DK12345674")
    billing = BillingDetails("invoices@nordlys.example")
    contact = ContactDetails("Ada Holm", "+45 55 55 01 00")
    return {
        keys.PAGE_ACCOUNT: account_mapping.account_body(account),
        keys.PAGE_SUBSCRIPTION: subscription_mapping.subscription_body(subscription),
        keys.PAGE_PAYMENT_METHOD: payment_mapping.payment_profile_body(
            PaymentProfile(shown=PaymentMethod(Method.CARD, Card("visa", "4242", 12, 2028)))
        ),
        keys.page_information(Area.COMPANY): account_mapping.information_body(company),
        keys.page_information(Area.BILLING): account_mapping.information_body(billing),
        keys.page_information(Area.CONTACT): account_mapping.information_body(contact),
    }


def _invoices() -> dict[str, str]:
    invoices = [
        Invoice(
            number=f"A-2025-{month:06}",
            produced_on=date(2025, month, 15),
            due_on=date(2025, month, 28),
            paid_on=date(2025, month, 20),
            status=InvoiceStatus.PAID,
            total=Money(41_500 + month, "EUR"),
            left=0,
        )
        for month in range(1, INVOICES + 1)
    ]
    return {
        keys.invoice(each.produced_on, each.number): invoice_summary_mapping.invoice_body(each) for each in invoices
    }
