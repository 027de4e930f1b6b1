"""Each function answers its own sample event under events/."""

from __future__ import annotations

import importlib
import json

import pytest

from tests.api_gateway import answer, person
from tests.company import Company
from tests.template import ROOT

STATUS = {
    "administer_cancellation": 200,
    "administer_catalogue": 200,
    "administer_downloads": 200,
    "administer_reactivation": 409,
    "administer_reviews": 200,
    "administer_success_managers": 200,
    "administer_subscriptions": 200,
    "administer_test_clocks": 200,
    "administer_users": 200,
    "correct_usage": 201,
    "describe_api": 200,
    "get_billing": 200,
    "get_deletions": 200,
    "get_events": 200,
    "get_invoice_document": 404,
    "get_invoices": 200,
    "issue_credit_note": 404,
    "get_usage": 200,
    "list_accounts": 200,
    "provision_account": 201,
    "record_usage": 200,
    "release_invoicing": 409,
    "update_billing_information": 200,
}


@pytest.mark.parametrize("function", sorted(STATUS))
def test_a_function_answers_its_sample_event(function: str, company: Company) -> None:
    event = json.loads((ROOT / "events" / f"{function}.json").read_text(encoding="utf-8"))
    claims = event["requestContext"]["authorizer"].get("claims")
    if claims and claims["token_use"] == "id" and "cognito:groups" not in claims:
        # Developers who run a sample by hand use the id of their own user.
        event["requestContext"]["authorizer"]["claims"] = person(company.admin["sub"])

    assert answer(importlib.import_module(f"functions.{function}.app").handler, event).status == STATUS[function]
