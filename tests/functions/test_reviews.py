"""Reviews through the functions: reasons against one, slots, bookings, decisions, and the resulting lower tier."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from billing.accounts.rules import Status
from billing.correspondence.event_kinds import published
from billing.platform.dynamodb import keys

from functions.get_billing.app import handler as get_billing
from tests.api_gateway import NOW, STAFF, answer, request
from tests.aws import stored_items
from tests.company import Company, provisioned, put_catalogue
from tests.functions.ending import invoiced_elsewhere
from tests.functions.reviews import (
    BEGINS,
    DECLINED,
    LOWER,
    SOFIE,
    ReviewClient,
    assign,
    make_reviewable,
    put_manager,
    report,
)
from tests.samples import ACCOUNT, CATALOGUE, with_value
from tests.store.samples import sample_event
from tests.stores import Stores

LATER = "2026-06-16T07:30:00Z"
"""The slot after BEGINS."""


@pytest.fixture
def client(company: Company) -> ReviewClient:
    return make_reviewable(company)


def published_events(store: Stores) -> dict[str, Any]:
    """The published events about reviews, by type."""
    events = store.events(ACCOUNT["account"], limit=100, after=None).items
    return {
        str(each.type): published(each)
        for each in events
        if each.type.startswith(("review.", "subscription.tier_lowered"))
    }


def cells() -> list[str]:
    """The sort keys of the booked cells."""
    return [str(item["sk"]) for item in stored_items() if str(item["sk"]).startswith(keys.BOOKED)]


def with_status(store: Stores, status: Status) -> None:
    """Gives the account another status, as a cancellation does."""
    account = store.account(ACCOUNT["account"])
    store.assign_success_manager(replace(account, status=status), sample_event())


# ---- Slots ----


def test_the_default_is_the_slots_of_the_next_two_weeks(client: ReviewClient) -> None:
    given = client.slots()

    assert given.status == 200
    begins = [slot["begins"] for slot in given.body["items"]]
    assert begins[0] == "2026-06-11T12:00:00Z", "a day from now"
    assert begins[-1] == "2026-06-23T14:00:00Z"
    assert BEGINS in begins
    assert {key: given.body[key] for key in ("manager", "time_zone", "place")} == {
        "manager": "Sofie Lindgren",
        "time_zone": "Europe/Copenhagen",
        "place": SOFIE["place"],
    }


def test_slots_can_be_limited_to_days(client: ReviewClient) -> None:
    one_day = client.slots({"from": "2026-06-16", "until": "2026-06-17"}).body["items"]
    assert (one_day[0], len(one_day)) == ({"begins": BEGINS, "ends": LATER}, 13)
    far = client.slots({"from": "2026-08-05", "until": "2026-08-20"}).body["items"]
    assert far[-1]["begins"] == "2026-08-06T14:00:00Z", "sixty days from now, and then Monday"
    assert client.slots({"from": "2026-06-01", "until": "2026-06-11"}).body["items"] == []
    assert client.slots({"from": "9999-12-31"}).body["items"] == []


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"from": "2026-06-16", "until": "2026-06-16"}, "until"),
        ({"from": "2026-06-16", "until": "2026-07-18"}, "until"),
        ({"from": "0001-01-01", "until": "9999-12-31"}, "until"),
        ({"from": "tomorrow"}, "from"),
        ({"until": "2026-02-30"}, "until"),
        ({"until": "1781092800"}, "until"),
    ],
)
def test_an_invalid_range_of_days_is_refused(query: dict[str, str], parameter: str, client: ReviewClient) -> None:
    given = client.slots(query)

    assert given.status == 422
    assert [error["parameter"] for error in given.body["errors"]] == [parameter]


def test_a_booked_slot_is_not_offered_nor_are_overlapping_ones(client: ReviewClient) -> None:
    client.booked()
    day = {"from": "2026-06-16", "until": "2026-06-17"}

    assert client.slots(day).body["items"][0]["begins"] == LATER
    # With longer reviews the first slot of the day would overlap the booked review.
    assert put_manager({**SOFIE, "review_minutes": 60}, replaces=1).status == 200
    assert client.slots(day).body["items"][0]["begins"] == "2026-06-16T08:00:00Z"


def test_an_account_without_a_success_manager_has_no_slots(company: Company) -> None:
    given = ReviewClient(company).slots()

    assert given.status == 409
    assert given.body["type"] == "urn:livello:problem:no-success-manager"


# ---- No fitting tier ----


def test_a_booking_is_refused_with_the_reason_of_each_product(client: ReviewClient) -> None:
    report(ACCOUNT["account"], "email", date(2026, 5, 2), "6000.25")

    given = client.book()

    assert given.status == 409
    assert given.body["type"] == "urn:livello:problem:review-not-yet"
    assert given.body["missing"] == [
        {
            "product": "search",
            "name": "Search",
            "reason": "lowest_tier",
            "months_needed": 3,
            "months_known": 3,
            "months_below": 0,
            "average": "5000",
            "limit": None,
            "detail": "lowest tier",
        },
        {
            "product": "email",
            "name": "E-mail",
            "reason": "above",
            "months_needed": 3,
            "months_known": 3,
            "months_below": 2,
            "average": "10000.09",
            "limit": 10_000,
            "detail": "2 of 3 months below; average 10,000.09, must be ≤ 10,000",
        },
    ]
    slots = client.slots().body
    assert (slots["usage_fits"], slots["missing"]) == (False, given.body["missing"])


def test_the_slots_say_whether_usage_fits_a_lower_tier(client: ReviewClient) -> None:
    slots = client.slots().body

    assert slots["usage_fits"] is True
    assert [each["product"] for each in slots["missing"]] == ["search"]


def test_a_new_account_has_fewer_than_three_closed_months(company: Company) -> None:
    young = with_value(with_value(ACCOUNT, "young-shop", "account"), "2026-05-01", "contract", "start")
    assert provisioned({**young, "invoiced_until": "2026-05-01"}).status == 201
    put_manager()
    assign("young-shop")
    admin = {**company.admin}
    theirs = ReviewClient(Company("young-shop", admin, admin))

    given = theirs.book()

    assert given.status == 409
    assert given.body["missing"][1]["detail"] == "1 of 3 closed months known"


# ---- Booking ----


def test_a_review_is_booked(client: ReviewClient, store: Stores) -> None:
    given = client.book()

    assert given.status == 201
    review = given.body["review"]
    assert given.headers["Location"] == f"/v1/accounts/{ACCOUNT['account']}/reviews/{review}"
    assert given.body == {
        "review": review,
        "status": "booked",
        "begins": BEGINS,
        "ends": LATER,
        "manager": {"name": "Sofie Lindgren", "email": "sofie.staff@livello.example"},
        "place": SOFIE["place"],
        "products": [{"product": "email", "name": "E-mail", "unit": "e-mails"}],
        "decision": None,
    }
    [booked] = published_events(store).values()
    assert (booked.type, booked.after.review, booked.after.manager.email) == (
        "review.booked",
        review,
        "sofie.staff@livello.example",
    )
    assert cells() == ["BOOKED#2026-06-16T07:00Z", "BOOKED#2026-06-16T07:15Z"]


def test_a_booked_cell_names_no_account_and_expires(client: ReviewClient) -> None:
    review = client.booked()

    [first, _] = [item for item in stored_items() if str(item["sk"]).startswith(keys.BOOKED)]
    assert first["body"] == f'{{"review":"{review}"}}'
    assert datetime.fromtimestamp(int(first["expires_at"]), UTC) == datetime(2026, 6, 17, 7, 30, tzinfo=UTC)


def test_a_repeated_booking_returns_the_same_review(client: ReviewClient) -> None:
    first = client.book()
    before = stored_items()

    again = client.book("2026-06-16T09:00:00+02:00")

    assert (again.status, again.body) == (201, first.body)
    assert stored_items() == before


def test_an_account_has_one_open_review_at_a_time(client: ReviewClient) -> None:
    client.booked()
    before = stored_items()

    given = client.book(LATER)

    assert given.status == 409
    assert given.body["type"] == "urn:livello:problem:review-open"
    assert stored_items() == before


@pytest.mark.parametrize(
    "begins",
    [
        "2026-06-16T07:10:00Z",
        "2026-06-16T07:15:00Z",
        "2026-06-16T10:00:00Z",
        "2026-06-19T07:00:00Z",
        "2026-06-11T11:30:00Z",
        "2026-06-09T07:00:00Z",
        "2026-08-18T07:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ],
    ids=["odd", "between", "lunch", "Friday", "too soon", "past", "too late", "first", "last"],
)
def test_an_instant_without_a_slot_is_refused(begins: str, client: ReviewClient) -> None:
    before = stored_items()

    given = client.book(begins)

    assert given.status == 422
    assert [error["pointer"] for error in given.body["errors"]] == ["#/begins"]
    assert stored_items() == before


@pytest.mark.parametrize("begins", ["2026-06-16T07:00:00", "2026-06-16", "soon", 1_781_593_200, None, True])
def test_a_value_that_is_no_instant_is_refused(begins: Any, client: ReviewClient) -> None:
    given = client.book(begins)

    assert given.status == 422
    assert [error["pointer"] for error in given.body["errors"]] == ["#/begins"]


def other_company(company: Company) -> ReviewClient:
    """Another company with the same success manager, whose usage fits a lower tier too."""
    assert provisioned(with_value(ACCOUNT, "other-shop", "account")).status == 201
    assert assign("other-shop").status == 200
    return ReviewClient(Company("other-shop", company.admin, company.member))


def test_no_slot_is_booked_twice(client: ReviewClient) -> None:
    theirs = other_company(client.company)
    assert theirs.slots().status == 200  # their first request is noted
    client.booked()
    before = stored_items()

    given = theirs.book()

    assert given.status == 409
    assert given.body["type"] == "urn:livello:problem:slot-taken"
    assert stored_items() == before


@pytest.mark.parametrize("review_minutes", [15, 45, 60])
def test_no_time_is_booked_twice_when_the_length_of_reviews_changes(client: ReviewClient, review_minutes: int) -> None:
    theirs = other_company(client.company)
    client.booked(LATER)
    hours = {weekday: [{"from": "09:00", "until": "16:30"}] for weekday in SOFIE["working_hours"]}
    assert put_manager({**SOFIE, "review_minutes": review_minutes, "working_hours": hours}, replaces=1).status == 200
    quarters = [f"2026-06-16T{7 + quarter // 4:02}:{quarter % 4 * 15:02}:00Z" for quarter in range(8)]

    taken = set()
    for begins in quarters:
        given = theirs.book(begins)
        if given.status == 201:
            assert theirs.cancel(given.body["review"]).status == 204
        elif given.body["type"] == "urn:livello:problem:slot-taken":
            taken.add(begins)
    offered = {slot["begins"] for slot in theirs.slots({"from": "2026-06-16", "until": "2026-06-17"}).body["items"]}

    assert taken
    assert not taken & offered


@pytest.mark.parametrize("status", [Status.CANCELLING, Status.DEACTIVATED])
def test_a_cancelled_account_cannot_book_a_review(status: Status, client: ReviewClient, store: Stores) -> None:
    with_status(store, status)

    given = client.book()

    assert given.status == 409
    assert given.body["type"] == "urn:livello:problem:conflict"


# ---- Cancelling ----


def test_a_cancelled_review_frees_its_time(client: ReviewClient, store: Stores) -> None:
    review = client.booked()

    assert client.cancel(review).status == 204
    before = stored_items()
    assert client.cancel(review).status == 204

    assert stored_items() == before
    assert client.one(review).body["status"] == "cancelled"
    assert cells() == []
    assert published_events(store)["review.cancelled"].before == published_events(store)["review.booked"].after
    assert client.booked() != review


def test_a_review_that_has_begun_cannot_be_cancelled(client: ReviewClient) -> None:
    review = client.booked()
    begins = datetime.fromisoformat(BEGINS)

    assert client.cancel(review, now=begins).status == 409
    assert client.cancel(review, now=begins - timedelta(seconds=1)).status == 204


def test_a_decided_review_cannot_be_cancelled(client: ReviewClient) -> None:
    review = client.booked()
    client.decide(review, DECLINED)

    assert client.cancel(review).status == 409


@pytest.mark.parametrize("review", ["01KTRPENG07H37QHTTH7QTSRGK", "OPEN", "%23"])
def test_an_unknown_review_is_not_found(review: str, client: ReviewClient) -> None:
    client.booked()

    assert client.one(review).status == 404
    assert client.cancel(review).status == 404
    assert client.decide(review, DECLINED).status == 404


# ---- Reading ----


def test_reviews_are_listed_newest_first_in_pages(client: ReviewClient) -> None:
    made = []
    for minute in range(3):
        now = NOW + timedelta(minutes=minute)
        made.append(client.book(now=now).body["review"])
        assert client.cancel(made[-1], now=now).status == 204
    made.append(client.booked())

    first = client.all(limit="3").body
    second = client.all(limit="3", cursor=first["next_cursor"]).body

    # The fourth review has the booking time of the first, so their order is not defined.
    assert {each["review"] for each in first["items"] + second["items"]} == {*made}
    assert [each["review"] for each in first["items"][:2]] == [made[2], made[1]]
    assert second["next_cursor"] is None
    assert client.all(limit="3", cursor="").body == first
    assert client.all(cursor="nonsense").status == 422


def test_only_staff_see_the_prepared_figures(client: ReviewClient) -> None:
    review = client.booked()

    assert client.one(review).body["prepared"] is None
    assert client.one(review, client.company.member).body["prepared"] is None
    prepared = client.one(review, STAFF).body["prepared"]
    assert [each["product"] for each in prepared] == ["search", "email"]
    assert prepared[1] == {
        "product": "email",
        "name": "E-mail",
        "unit": "e-mails",
        "months": [
            {"month": "2026-03", "usage": "9000"},
            {"month": "2026-04", "usage": "8000.5"},
            {"month": "2026-05", "usage": "6999.5"},
        ],
        "average": "8000",
        "current": {"up_to": 25_000, "price_per_month": {"amount": 5900, "currency": "EUR"}},
        "price_is_agreed": False,
        "lower": [{"up_to": 10_000, "price_per_month": {"amount": 2900, "currency": "EUR"}}],
        "fitting": {"up_to": 10_000, "price_per_month": {"amount": 2900, "currency": "EUR"}},
        "saving_per_month": {"amount": 3000, "currency": "EUR"},
        "missing": None,
    }


def test_a_decided_review_has_no_prepared_figures(client: ReviewClient) -> None:
    review = client.booked()
    client.decide(review, DECLINED)

    assert client.one(review, STAFF).body["prepared"] is None


# ---- Deciding ----


def email_line(client: ReviewClient, now: datetime) -> dict[str, Any]:
    """The line of e-mails on the billing page at the instant `now`."""
    path, route = client.company.path, "/accounts/{account}/billing"
    page = answer(get_billing, request("GET", route, claims=client.company.admin, path=path, now=now)).body
    [_, line] = page["subscription"]["lines"]
    return {**line, "amount_per_charge": page["payment_details"]["amount_per_charge"]["amount"]}


def test_a_lower_tier_takes_effect_at_the_next_renewal(client: ReviewClient, store: Stores) -> None:
    review = client.booked()
    after_it = datetime(2026, 6, 16, 8, tzinfo=UTC)
    invoiced_elsewhere(client.company)
    before = email_line(client, NOW)

    given = client.decide(review, LOWER, now=after_it)

    assert given.status == 200
    assert given.body["status"] == "applied"
    assert given.body["decision"] == {
        "outcome": "applied",
        "tiers": [{"product": "email", "up_to": 10_000}],
        "effective_on": "2026-07-15",
        "reason": None,
        "decided_at": "2026-06-16T08:00:00Z",
    }
    line = email_line(client, datetime(2026, 7, 14, 12, tzinfo=UTC))
    assert (line["up_to"], line["price_per_month"]["amount"]) == (25_000, 5900)
    assert line["pending_change"] == {
        "up_to": 10_000,
        "price_per_month": {"amount": 2900, "currency": "EUR"},
        "effective_on": "2026-07-15",
    }
    assert line["amount_per_charge"] == before["amount_per_charge"] - 3 * 3000, "the amount of the next renewal"
    line = email_line(client, datetime(2026, 7, 15, 12, tzinfo=UTC))
    assert (line["up_to"], line["price_per_month"]["amount"], line["pending_change"]) == (10_000, 2900, None)


def test_the_event_of_a_lower_tier_has_usage_tiers_and_appointment(client: ReviewClient, store: Stores) -> None:
    review = client.booked()
    client.decide(review, LOWER, now=datetime(2026, 6, 16, 8, tzinfo=UTC))

    facts = published_events(store)["subscription.tier_lowered"].after
    assert facts.model_dump(mode="json", exclude={"appointment"}) == {
        "appointment_cancelled": False,
        "effective_on": "2026-07-15",
        "tiers": [
            {
                "product": {"product": "email", "name": "E-mail", "unit": "e-mails"},
                "months": [
                    {"month": "2026-03", "usage": "9000"},
                    {"month": "2026-04", "usage": "8000.5"},
                    {"month": "2026-05", "usage": "6999.5"},
                ],
                "average": "8000",
                "before": {"up_to": 25_000, "price": {"amount": 5900, "currency": "EUR"}},
                "after": {"up_to": 10_000, "price": {"amount": 2900, "currency": "EUR"}},
                "replaces_agreed": False,
            }
        ],
    }
    assert facts.appointment == published_events(store)["review.booked"].after


def test_a_decision_before_the_appointment_frees_its_time(client: ReviewClient, store: Stores) -> None:
    client.decide(client.booked(), DECLINED)

    assert cells() == []
    assert published_events(store)["review.declined"].after.appointment_cancelled is True


def test_a_decision_after_the_appointment_keeps_its_time_booked(client: ReviewClient, store: Stores) -> None:
    client.decide(client.booked(), DECLINED, now=datetime.fromisoformat(BEGINS))

    assert len(cells()) == 2
    assert published_events(store)["review.declined"].after.appointment_cancelled is False


def test_a_review_is_declined_with_a_reason(client: ReviewClient, store: Stores) -> None:
    review = client.booked()
    page = store.billing_page(ACCOUNT["account"], consistent=True)

    given = client.decide(review, DECLINED)

    assert (given.status, given.body["status"]) == (200, "declined")
    assert given.body["decision"]["reason"] == DECLINED["reason"]
    assert published_events(store)["review.declined"].after.reason == DECLINED["reason"]
    assert store.billing_page(ACCOUNT["account"], consistent=True) == page
    assert client.booked(LATER), "another review can be booked"


@pytest.mark.parametrize("body", [LOWER, DECLINED])
def test_a_repeated_decision_gets_the_same_answer(body: dict[str, Any], client: ReviewClient) -> None:
    review = client.booked()
    first = client.decide(review, body)
    before = stored_items()

    again = client.decide(review, body, now=NOW + timedelta(days=40))

    assert (again.status, again.body) == (200, first.body)
    assert stored_items() == before


@pytest.mark.parametrize(
    ("first", "second"), [(LOWER, DECLINED), (DECLINED, LOWER), (DECLINED, {**DECLINED, "reason": "Other"})]
)
def test_a_decision_cannot_be_changed(first: dict[str, Any], second: dict[str, Any], client: ReviewClient) -> None:
    review = client.booked()
    client.decide(review, first)
    before = stored_items()

    assert client.decide(review, second).status == 409
    assert stored_items() == before


def test_a_cancelled_review_cannot_be_decided(client: ReviewClient) -> None:
    review = client.booked()
    client.cancel(review)

    assert client.decide(review, LOWER).status == 409
    assert client.decide(review, DECLINED).status == 409


def test_staff_can_decline_but_not_apply_a_review_of_a_cancelled_account(client: ReviewClient, store: Stores) -> None:
    review = client.booked()
    with_status(store, Status.CANCELLING)

    assert client.decide(review, LOWER).status == 409
    assert client.decide(review, DECLINED).status == 200


@pytest.mark.parametrize(
    ("tiers", "pointers"),
    [
        ([{"product": "chat", "up_to": 10_000}], ["#/tiers/0/product"]),
        ([{"product": "email", "up_to": 25_000}], ["#/tiers/0/up_to"]),
        ([{"product": "search", "up_to": 5_000}], ["#/tiers/0/up_to"]),
        ([LOWER["tiers"][0]] * 2, ["#/tiers/1/product"]),
    ],
)
def test_tiers_that_cannot_be_applied_are_named(tiers: list[Any], pointers: list[str], client: ReviewClient) -> None:
    review = client.booked()
    before = stored_items()

    given = client.decide(review, {"outcome": "applied", "tiers": tiers})

    assert given.status == 422
    assert [error["pointer"] for error in given.body["errors"]] == pointers
    assert stored_items() == before


def test_a_tier_that_no_longer_fits_cannot_be_applied(client: ReviewClient) -> None:
    review = client.booked()
    report(ACCOUNT["account"], "email", date(2026, 5, 3), "20000")

    given = client.decide(review, LOWER)

    assert given.status == 422
    assert "average of E-mail is 14,666.67" in given.body["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"outcome": "applied"}, "#"),
        ({"outcome": "applied", "tiers": []}, "#"),
        ({"outcome": "declined"}, "#"),
        ({**LOWER, "reason": "Both"}, "#"),
        ({**DECLINED, "tiers": LOWER["tiers"]}, "#"),
        ({**DECLINED, "reason": " "}, "#/reason"),
        ({"outcome": "postponed"}, "#/outcome"),
        ({"outcome": "applied", "tiers": [{"product": "email", "up_to": None}]}, "#/tiers/0/up_to"),
        ({"outcome": "applied", "tiers": [{"product": "email", "up_to": "10000"}]}, "#/tiers/0/up_to"),
        ({**DECLINED, "colour": "blue"}, "#/colour"),
    ],
)
def test_an_invalid_decision_is_refused(body: dict[str, Any], pointer: str, client: ReviewClient) -> None:
    given = client.decide(client.booked(), body)

    assert given.status == 422
    assert [error["pointer"] for error in given.body["errors"]] == [pointer]


def test_the_next_review_starts_from_the_applied_lower_tier(client: ReviewClient) -> None:
    client.decide(client.booked(), LOWER)

    given = client.book(LATER)

    assert given.status == 409
    assert [each["reason"] for each in given.body["missing"]] == ["lowest_tier", "lowest_tier"]


def test_a_lower_tier_has_the_price_of_the_signed_catalogue(client: ReviewClient) -> None:
    dearer = with_value(CATALOGUE, 5800, "products", 1, "tiers", 0, "prices", "EUR")
    assert put_catalogue(dearer, replaces=1).status == 200

    client.decide(client.booked(), LOWER)

    assert email_line(client, NOW)["pending_change"]["price_per_month"]["amount"] == 2900
