"""A test clock on the deployed stack: through the front door, the bus, the queue and the workers themselves."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from local.background import wait_until
from local.cloud import client
from local.demo.companies import COMPANIES
from local.demo.seeding import PASSWORD
from local.stack import Stack
from local.stripe.browser import TEST_CARD, confirm_setup

SECONDS_MAX = 120


def test_months_pass_on_a_clock_and_its_deletion_leaves_nothing(stack: Stack) -> None:
    clock, now = uuid.uuid4().hex[:8], datetime.now(UTC).replace(microsecond=0)
    account, email = f"{clock}.shop", f"ada@{clock}.example"
    staff = stack.staff_token()

    def ask(status: int, method: str, path: str, body: Any = None, token: str = staff) -> Any:
        given = stack.api.request(method, f"/v1/{path}", token=token, body=body)
        assert given.status == status, given
        return given.json()

    def is_(status: str) -> bool:
        current = ask(200, "GET", f"test-clocks/{clock}")
        assert current["status"] != "failed", current
        return bool(current["status"] == status)

    ask(201, "POST", "test-clocks", {"test_clock": clock, "now": now.isoformat()})
    provisioning = {
        **COMPANIES[0].provisioning(now.date()),
        "account": account,
        "first_admin": {"email": email, "name": "Ada Holm"},
        "discounts": [],
        "invoiced_until": None,
    }
    provisioning["contract"] |= {"start": str(now.date()), "interval_months": 1}
    ask(201, "POST", "accounts", provisioning)
    client(stack.settings, "cognito-idp").admin_set_user_password(
        UserPoolId=stack.outputs["UserPoolId"], Username=email, Password=PASSWORD, Permanent=True
    )
    admin = stack.api.person_token(stack.outputs["BillingPageClientId"], email, PASSWORD)
    setup = ask(201, "POST", f"accounts/{account}/payment-method/setup", {}, admin)
    confirm_setup(stack.settings, setup, TEST_CARD)
    ask(200, "PUT", f"accounts/{account}/payment-method", {"setup_intent": setup["setup_intent"]}, admin)

    ask(202, "POST", f"test-clocks/{clock}/advance", {"to": (now + timedelta(days=65)).isoformat()})

    assert wait_until(lambda: is_("ready"), SECONDS_MAX)
    invoices = ask(200, "GET", f"accounts/{account}/invoices", token=admin)["items"]
    assert [each["status"] for each in invoices] == ["paid"] * 3
    assert all(each["number"].startswith(f"TEST-{clock}-") for each in invoices)
    subjects = [str(each["Subject"]).strip() for each in stack.mails() if email in str(each["To"])]
    assert subjects
    assert [each for each in subjects if not each.startswith(f"[TEST {clock}]")] == []

    ask(202, "DELETE", f"test-clocks/{clock}")

    assert wait_until(lambda: is_("deleted"), SECONDS_MAX)
    assert stack.api.request("GET", f"/v1/accounts/{account}/billing", token=staff).status == 404
