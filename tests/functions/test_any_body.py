"""For any body the answer is one that the API describes. A refused request writes nothing."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from functions.administer_cancellation.app import handler as administer_cancellation
from functions.administer_catalogue.app import handler as administer_catalogue
from functions.administer_reactivation.app import handler as administer_reactivation
from functions.administer_reviews.app import handler as administer_reviews
from functions.administer_success_managers.app import handler as administer_success_managers
from functions.administer_users.app import handler as administer_users
from functions.issue_credit_note.app import handler as issue_credit_note
from functions.provision_account.app import handler as provision_account
from functions.record_payment.app import handler as record_payment
from functions.release_invoicing.app import handler as release_invoicing
from functions.update_billing_information.app import handler as update_billing_information
from functions.update_payment_method.app import handler as update_payment_method
from local.stripe.api import Stripe
from tests.api_gateway import STAFF, Handler, answer, request
from tests.aws import stored_items
from tests.company import Company
from tests.functions.reviews import BEGINS, DECLINED, LOWER, MANAGER, REVIEWS, SOFIE, put_manager
from tests.properties import examples
from tests.samples import ACCOUNT, CATALOGUE, with_value

Place = tuple[str | int, ...]

AWKWARD: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        10**30,
        -0.0,
        "",
        " ",
        "\u0000",
        "\u202e",
        "null",
        "NaN",
        "١٢٣",
        "\u0661\u2460",
        "\ud83d\ude00",
    ),
    *("0001-01-01", "9999-12-31", "2026-02-29", "24:00", "UTC", "EUR", "DK", "-", "a@b", "a" * 5000, [], {}, [[]]),
]
values = st.sampled_from(AWKWARD) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, way: Place = ()) -> Iterator[Place]:
    """The paths of all values in a sample."""
    steps: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield (*way, step)
        yield from places(inner, (*way, step))


def bodies(sample: dict[str, Any]) -> st.SearchStrategy[Any]:
    """The sample with one to three of its values replaced, or another value."""
    everywhere = list(places(sample))

    def replaced(changes: list[tuple[Place, Any]]) -> Any:
        body = copy.deepcopy(sample)
        for place, value in changes:
            try:
                body = with_value(body, value, *place)
            except (KeyError, IndexError, TypeError):  # an earlier change removed this path
                continue
        return body

    changes = st.lists(st.tuples(st.sampled_from(everywhere), values), min_size=1, max_size=3)
    return st.one_of(st.builds(replaced, changes), values)


few = examples(15, deep=1_000, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])


def check(
    company: Company,
    handler: Handler,
    method: str,
    route: str,
    claims: dict[str, str],
    body: Any,
    allowed: set[int],
    path: dict[str, str] | None = None,
) -> None:
    path = path or (company.path if "{account}" in route else {})
    before = stored_items()

    given_answer = answer(
        handler, request(method, route, claims=claims, path=path, body=body, headers={"If-Match": '"1"'})
    )

    assert given_answer.status in allowed | {400, 422}, given_answer
    if given_answer.status >= 400:
        assert given_answer.headers["Content-Type"] == "application/problem+json"
        assert given_answer.status != 422 or given_answer.body["errors"]
        assert stored_items() == before


@few
@given(bodies(ACCOUNT))
def test_any_account_body_gets_a_described_answer(company: Company, body: Any) -> None:
    check(company, provision_account, "POST", "/accounts", STAFF, body, {201, 409})


@few
@given(bodies(CATALOGUE))
def test_any_catalogue_body_gets_a_described_answer(company: Company, body: Any) -> None:
    check(company, administer_catalogue, "PUT", "/catalogue", STAFF, body, {200, 412})


@few
@given(bodies({"email": "cy@nordlys.example", "name": "Cy", "role": "member"}))
def test_any_user_body_gets_a_described_answer(company: Company, body: Any) -> None:
    check(company, administer_users, "PUT", "/accounts/{account}/users", company.admin, body, {200})


@few
@given(bodies({"reason": "other", "text": "We close the shop.", "confirmed": True, "active_until": "2026-07-15"}))
def test_any_cancellation_body_gets_a_described_answer(company: Company, body: Any) -> None:
    route = "/accounts/{account}/cancellation"

    check(company, administer_cancellation, "POST", route, company.admin, body, {201, 409})


@few
@given(bodies({"due": {"amount": 1, "currency": "EUR"}, "confirmed": True}))
def test_any_reactivation_body_gets_a_described_answer(company: Company, body: Any) -> None:
    check(company, administer_reactivation, "POST", "/accounts/{account}/reactivation", company.admin, body, {409})


@few
@given(bodies({"paid_on": "2026-06-10", "reference": "A transfer"}))
def test_any_recorded_payment_body_gets_a_described_answer(company: Company, body: Any) -> None:
    route, path = "/accounts/{account}/invoices/{number}/payments", {"account": company.account, "number": "LV-2026-1"}

    check(company, record_payment, "POST", route, STAFF, body, {404}, path)


@few
@given(bodies({"lines": [0, 1], "reason": "Wrong tier"}))
def test_any_credit_note_body_gets_a_described_answer(company: Company, body: Any) -> None:
    route, path = "/accounts/{account}/invoices/{number}/credit-notes", {**company.path, "number": "LV-2026-1"}

    check(company, issue_credit_note, "POST", route, STAFF, body, {404}, path)


@few
@given(bodies({"lines": None, "parts": [{"line": 0, "amount": 1}, {"line": 1, "months": 2}], "reason": "A part"}))
def test_any_credit_note_of_parts_gets_a_described_answer(company: Company, body: Any) -> None:
    route, path = "/accounts/{account}/invoices/{number}/credit-notes", {**company.path, "number": "LV-2026-1"}

    check(company, issue_credit_note, "POST", route, STAFF, body, {404}, path)


@few
@given(bodies({"reason": "Wrong address", "lines": [{"line": 0, "net": 100}], "tax": "anew"}))
def test_any_correction_gets_a_described_answer(company: Company, body: Any) -> None:
    route, path = "/accounts/{account}/invoices/{number}/correction", {**company.path, "number": "LV-2026-1"}

    check(company, issue_credit_note, "POST", route, STAFF, body, {404}, path)


@few
@given(bodies({"invoices": 4, "total": {"amount": 1, "currency": "EUR"}}))
def test_any_release_body_gets_a_described_answer(company: Company, body: Any) -> None:
    route = "/accounts/{account}/invoicing/release"

    check(company, release_invoicing, "POST", route, STAFF, body, {409})


@few
@given(
    bodies(
        {
            "kind": "charge",
            "description": "Training",
            "translations": {"it": "Formazione"},
            "amount": 1,
            "currency": "EUR",
            "quantity": 1,
            "invoice": "next",
            "reason": "Agreed",
        }
    )
)
def test_any_one_off_body_gets_a_described_answer(company: Company, body: Any) -> None:
    route, path = "/accounts/{account}/one-offs/{one_off}", {**company.path, "one_off": "training"}

    check(company, release_invoicing, "PUT", route, STAFF, body, {200, 409}, path)


@few
@given(bodies({"setup_intent": "seti_000002d4735e3a265e16eee0"}))
def test_any_payment_method_body_gets_a_described_answer(company: Company, stripe_account: Stripe, body: Any) -> None:
    check(company, update_payment_method, "PUT", "/accounts/{account}/payment-method", company.admin, body, {200})


@few
@given(bodies(SOFIE))
def test_any_success_manager_body_gets_a_described_answer(company: Company, body: Any) -> None:
    route, path = "/success-managers/{success_manager}", {"success_manager": MANAGER}
    put_manager()

    check(company, administer_success_managers, "PUT", route, STAFF, body, {200, 412}, path)


@few
@given(bodies({"begins": BEGINS}))
def test_any_booking_body_gets_a_described_answer(company: Company, body: Any) -> None:
    # The account has no success manager. This is checked before the time of the booking.
    check(company, administer_reviews, "POST", REVIEWS, company.admin, body, {409})


@few
@given(bodies(LOWER) | bodies(DECLINED))
def test_any_decision_body_gets_a_described_answer(company: Company, body: Any) -> None:
    path = {"account": company.account, "review": "01KTRPENG07H37QHTTH7QTSRGK"}

    check(company, administer_reviews, "PUT", REVIEWS + "/{review}/decision", STAFF, body, {404}, path)


@pytest.mark.parametrize("area", ["company", "billing", "contact"])
@few
@given(st.data())
def test_any_information_body_gets_a_described_answer(area: str, company: Company, data: st.DataObject) -> None:
    route = f"/accounts/{{account}}/billing-information/{area}"
    body = data.draw(bodies(ACCOUNT[area]))

    check(company, update_billing_information, "PUT", route, company.admin, body, {200, 412})
