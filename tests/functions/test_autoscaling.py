"""The monthly run: the schedule, the queue, decisions and moves, and their answers for customers and staff."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.correspondence.event_kinds import published
from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import Event
from billing.platform.events.mapping import event_from
from billing.usage.rules import UsageEvent

from functions.administer_autoscaling.app import handler as administer_autoscaling
from functions.get_billing.app import handler as get_billing
from functions.plan_due_work.app import handler as plan
from functions.scale_account.app import handler as scale
from scripts.schedule_jobs import schedule
from tests.api_gateway import STAFF, Answer, answer, request
from tests.aws import REGION, TABLE, stored_items
from tests.company import Company, put_catalogue
from tests.samples import ACCOUNT, CATALOGUE, with_value

NOON = 12
JULY = datetime(2026, 7, 1, NOON, tzinfo=UTC)
AUTOSCALING = "/accounts/{account}/autoscaling"


class Context(LambdaContext):
    def __init__(self) -> None:
        self._aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


@pytest.fixture(autouse=True)
def work(company: Company, work_queue: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The queue between planner and worker."""
    monkeypatch.setenv("JOB", "autoscaling")
    return work_queue


def planned(at: datetime, queue: Any) -> list[dict[str, Any]]:
    """The records that the schedule queues for the worker."""
    plan({"time": at.isoformat().replace("+00:00", "Z"), "clock": at.isoformat()}, Context())
    messages = queue.receive_messages(MaxNumberOfMessages=10)
    for message in messages:
        message.delete()
    return [record(message.body) for message in messages]


def record(body: str) -> dict[str, Any]:
    return {
        "messageId": "19dd0b57-b21e-4ac1-bd88-01bbb068cb78",
        "receiptHandle": "handle",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }


def run(at: datetime, queue: Any) -> None:
    """The schedule fires, and the worker processes all its messages."""
    records = planned(at, queue)
    if records:
        assert scale({"Records": records}, Context()) == {"batchItemFailures": []}


def use(per_day: float, since: date, until: date, product: str = "search", content: str | None = None) -> None:
    days = [since + timedelta(number) for number in range((until - since).days)]
    usage = [
        UsageEvent(
            account=ACCOUNT["account"],
            source="test",
            id=f"{product} {content} {day} {per_day}",
            product=product,
            store="nordlys-dk",
            content=content,
            time=datetime(day.year, day.month, day.day, NOON, tzinfo=UTC),
            day=day,
            quantity=Decimal(str(per_day)),
        )
        for day in days
    ]
    for first in range(0, len(usage), 40):
        assert wiring.usage_store().count(usage[first : first + 40], lambda _: None) == {}


def events(type_: str) -> list[Event]:
    """The account's events of one type, oldest first. Every stored event is valid by its schema."""
    every = [event_from(item["body"]) for item in stored_items() if item["sk"].startswith("EVENT#")]
    for event in every:
        published(event)
    return [event for event in every if event.type == type_]


def see(company: Company, **query: str) -> Any:
    event = request("GET", AUTOSCALING, claims=company.member, path=company.path, query=query)
    given = answer(administer_autoscaling, event)
    assert given.status == 200, given
    return given.body


def reasons(company: Company, product: str = "search") -> list[tuple[str, str, str]]:
    """Month, outcome and reason of each decision, newest first."""
    decisions = see(company, limit="100")["items"]
    return [(each["month"], each["outcome"], each["reason"]) for each in decisions if each["product"] == product]


def set_(company: Company, body: dict[str, Any], *, version: int = 0, claims: Any = STAFF) -> Answer:
    headers = {"If-Match": f'"{version}"'}
    event = request("PUT", AUTOSCALING + "/settings", claims=claims, path=company.path, body=body, headers=headers)
    return answer(administer_autoscaling, event)


def simulate(company: Company, body: Any) -> Answer:
    return answer(
        administer_autoscaling,
        request("POST", AUTOSCALING + "/simulations", claims=company.admin, path=company.path, body=body),
    )


def due() -> str:
    [item] = [each for each in stored_items() if each["sk"] == "DUE#autoscaling"]
    month: str = json.loads(item["body"])["month"]
    return month


# ---- Moves -------------------------------------------------------------------------------------


def test_grown_usage_causes_a_move_at_the_next_contract_month(company: Company, work: Any) -> None:
    use(400, date(2026, 1, 15), date(2026, 7, 1))  # 12,175 a month, in a tier up to 10,000

    run(JULY, work)

    [event] = events("subscription.autoscaled")
    facts = event.after or {}
    assert facts["reason"] == "moved"
    assert [month["usage"] for month in facts["months"]] == ["12000", "12400", "12000"]
    assert [month["typical"] for month in facts["months"]] == ["12175"] * 3
    assert (facts["weeks_above"], len(facts["weeks"])) == (13, 13)
    assert (facts["before"]["up_to"], facts["after"]["up_to"]) == (10_000, 25_000)
    assert facts["effective_on"] == "2026-07-15"
    # A paid period begins on 15 July, so there is no extra charge. Less 12.5 %: 25,988 and 12,862.
    assert facts["extra"] is None
    assert facts["next_invoice"]["on"] == "2026-07-15"
    assert facts["next_invoice"]["amount"]["amount"] - facts["next_invoice_without"]["amount"] == 13_126
    added = {name: value["amount"] for name, value in facts["adds"].items() if name != "on"}
    assert (facts["adds"]["on"], added) == ("2026-07-15", {"amount": 13_126, "tax": 3_281, "total": 16_407})
    page = answer(get_billing, request("GET", "/accounts/{account}/billing", claims=company.member, path=company.path))
    [line] = [each for each in page.body["subscription"]["lines"] if each["product"] == "search"]
    assert line["up_to"] == 10_000
    assert line["pending_change"] == {
        "up_to": 25_000,
        "price_per_month": {"amount": 9900, "currency": "EUR"},
        "effective_on": "2026-07-15",
    }
    [newest, *_] = [each for each in see(company)["items"] if each["product"] == "search"]
    assert (newest["outcome"], newest["current"], newest["target"]) == ("moves", 10_000, 25_000)
    assert newest["explanation"].startswith("All three months are above 10,000")
    assert see(company)["next_decision"] == "2026-08"


def test_a_move_within_a_paid_period_charges_the_difference_for_its_whole_months(company: Company, work: Any) -> None:
    use(400, date(2026, 1, 15), date(2026, 6, 1))

    run(JULY - timedelta(days=30), work)  # an account created in June has its first decision in July
    assert events("subscription.autoscaled") == []
    use(400, date(2026, 6, 1), date(2026, 8, 1))
    run(datetime(2026, 8, 1, NOON, tzinfo=UTC), work)

    [event] = events("subscription.autoscaled")
    facts = event.after or {}
    # Decided on 1 August for July: effective on 15 August, one month into the period that ends on 15 October.
    assert facts["effective_on"] == "2026-08-15"
    assert facts["next_invoice"]["on"] == "2026-10-15"
    assert facts["extra"] == {"amount": 8_750, "currency": "EUR"}  # two months of 5,000 less 12.5 %
    added = {name: value["amount"] for name, value in facts["adds"].items() if name != "on"}
    assert added == {"amount": 8_750, "tax": 2_188, "total": 10_938}
    assert facts["adds"]["on"] == facts["effective_on"]


def test_a_repeated_run_changes_nothing(company: Company, work: Any) -> None:
    use(400, date(2026, 1, 15), date(2026, 7, 1))
    records = planned(JULY, work)

    scale({"Records": records}, Context())
    after = stored_items()
    scale({"Records": [*records, *records]}, Context())
    run(JULY + timedelta(hours=5), work)
    run(JULY + timedelta(days=20), work)

    assert stored_items() == after


def test_missed_months_are_decided_one_by_one(company: Company, work: Any) -> None:
    use(100, date(2026, 1, 15), date(2026, 7, 1))
    use(400, date(2026, 7, 1), date(2026, 10, 1))

    run(datetime(2026, 10, 5, NOON, tzinfo=UTC), work)

    assert reasons(company) == [
        ("2026-10", "moves", "moved"),
        ("2026-09", "stays", "near"),
        ("2026-08", "stays", "near"),
        ("2026-07", "stays", "fits"),
    ]
    [event] = events("subscription.autoscaled")
    assert (event.after or {})["effective_on"] == "2026-10-15"
    assert due() == "2026-11-01"


def test_a_peak_causes_no_move_and_is_explained(company: Company, work: Any) -> None:
    use(250, date(2026, 1, 15), date(2026, 6, 20))
    use(2_500, date(2026, 6, 20), date(2026, 6, 24))
    use(250, date(2026, 6, 24), date(2026, 7, 1))

    run(JULY, work)

    assert reasons(company) == [("2026-07", "stays", "peak")]
    [decision, *_] = [each for each in see(company)["items"] if each["product"] == "search"]
    assert [(each["day"], each["counted"]) for each in decision["left_out"]] == [
        (f"2026-06-{day}", "750") for day in (20, 21, 22, 23)
    ]
    assert events("subscription.autoscaled") == []


def test_a_move_uses_the_signed_tiers_and_prices(company: Company, work: Any) -> None:
    dearer = with_value(CATALOGUE, [{"up_to": 90_000, "prices": {"EUR": 99_900, "DKK": 1}}], "products", 0, "tiers")
    assert put_catalogue({"products": [dearer["products"][1]]}, replaces=1).status == 200  # search is no longer sold
    use(400, date(2026, 1, 15), date(2026, 7, 1))

    run(JULY, work)

    [event] = events("subscription.autoscaled")
    assert (event.after or {})["after"] == {"up_to": 25_000, "price": {"amount": 9900, "currency": "EUR"}}


def test_staff_get_one_alert_about_usage_above_all_tiers(company: Company, work: Any) -> None:
    use(1_200, date(2026, 1, 15), date(2026, 9, 1), product="email")  # up to 25,000, and no tier above

    for month in (7, 8, 9):
        run(datetime(2026, month, 1, NOON, tzinfo=UTC), work)

    assert [each[2] for each in reasons(company, "email")] == ["top_tier"] * 3
    [event] = events("usage.above_tiers")
    assert (event.after or {})["highest"]["up_to"] == 25_000


def test_a_fitting_lower_tier_causes_one_alert_until_it_no_longer_fits(company: Company, work: Any) -> None:
    use(100, date(2026, 1, 15), date(2026, 9, 1), product="email")
    use(800, date(2026, 9, 1), date(2026, 12, 1), product="email")
    use(100, date(2026, 12, 1), date(2027, 3, 1), product="email")

    for number in range(9):
        year, month = divmod(6 + number, 12)
        run(datetime(2026 + year, month + 1, 1, NOON, tzinfo=UTC), work)

    assert [f"{event.time:%Y-%m}" for event in events("usage.below_tier")] == ["2026-07", "2027-03"]
    assert (events("usage.below_tier")[0].after or {})["fitting"]["up_to"] == 10_000


# ---- No move ----------------------------------------------------------------------------------


def test_a_product_without_usage_stays(company: Company, work: Any) -> None:
    run(JULY, work)

    assert reasons(company) == [("2026-07", "stays", "fits")]


def test_a_cancelled_account_does_not_move(company: Company, work: Any) -> None:
    use(400, date(2026, 1, 15), date(2026, 7, 1))
    become("cancelling")

    run(JULY, work)

    assert reasons(company) == [("2026-07", "held", "moved")]
    assert events("subscription.autoscaled") == []


def test_a_deactivated_account_gets_no_decisions(company: Company, work: Any) -> None:
    use(400, date(2026, 1, 15), date(2026, 7, 1))
    become("deactivated")

    run(JULY, work)

    assert reasons(company) == []
    assert due() == "2026-08-01"


def test_a_deleted_account_is_no_failure(company: Company) -> None:
    body = json.dumps({"account": "never-there", "at": JULY.isoformat()})

    assert scale({"Records": [record(body)]}, Context()) == {"batchItemFailures": []}


def test_a_month_is_decided_after_it_has_begun_in_the_accounts_time_zone(company: Company, work: Any) -> None:
    """In Copenhagen July begins at 22:00 UTC."""
    june_ends = "2026-06-30T21:59:00+00:00"
    assert planned(datetime.fromisoformat(june_ends), work) == []
    early = record(json.dumps({"account": company.account, "at": june_ends, "clock": june_ends}))

    scale({"Records": [early]}, Context())

    assert reasons(company) == []
    assert len(planned(datetime(2026, 6, 30, 22, 0, tzinfo=UTC), work)) == 1


def test_late_usage_of_a_decided_month_counts_for_the_next_decision(company: Company, work: Any) -> None:
    use(300, date(2026, 1, 15), date(2026, 7, 1))
    run(JULY, work)
    [before] = [each for each in see(company)["items"] if each["product"] == "search"]

    use(150, date(2026, 5, 1), date(2026, 7, 1), content="late")
    use(450, date(2026, 7, 1), date(2026, 8, 1))
    run(datetime(2026, 8, 1, NOON, tzinfo=UTC), work)

    assert reasons(company) == [("2026-08", "moves", "moved"), ("2026-07", "stays", "fits")]
    assert [each for each in see(company)["items"] if each["product"] == "search"][1] == before


def test_a_failed_message_does_not_stop_the_others(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(400, date(2026, 1, 15), date(2026, 7, 1))
    [good] = planned(JULY, work)
    bad = {**record("{}"), "messageId": "another"}

    assert scale({"Records": [bad, good]}, Context()) == {"batchItemFailures": [{"itemIdentifier": "another"}]}
    assert reasons(company) == [("2026-07", "moves", "moved")]


def test_a_message_with_a_concurrent_change_is_retried(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    [message] = planned(JULY, work)
    store = wiring.autoscaling_store()

    def changed(*_: object, **__: object) -> None:
        raise ConcurrentChange

    monkeypatch.setattr(store, "decide", changed)
    assert scale({"Records": [message]}, Context())["batchItemFailures"] == [{"itemIdentifier": message["messageId"]}]
    assert reasons(company) == []


def become(status: str) -> None:
    table = boto3.resource("dynamodb", region_name=REGION).Table(TABLE)
    [item] = [each for each in stored_items() if each["sk"] == "PAGE#ACCOUNT"]
    item["body"] = json.dumps({**json.loads(item["body"]), "status": status})
    table.put_item(Item=item)


# ---- Settings ---------------------------------------------------------------------------------


def test_a_pause_holds_a_move_and_gives_its_reason(company: Company, work: Any) -> None:
    use(400, date(2026, 1, 15), date(2026, 8, 1))
    pause = {"pause": {"until": "2026-07-20", "reason": "Moves to another system"}}
    assert set_(company, pause).status == 200

    run(JULY, work)
    run(datetime(2026, 8, 1, NOON, tzinfo=UTC), work)

    assert reasons(company) == [("2026-08", "moves", "moved"), ("2026-07", "held", "moved")]
    held = [each for each in see(company)["items"] if each["product"] == "search"][1]
    assert (held["hold"], held["hold_reason"]) == ("paused", "Moves to another system")
    assert "autoscaling is paused (Moves to another system)" in held["explanation"]
    [event] = events("autoscaling.changed")
    assert event.actor.kind == "staff"


def test_known_peaks_count_as_usual_days(company: Company, work: Any) -> None:
    use(250, date(2026, 1, 15), date(2026, 6, 1))
    use(700, date(2026, 6, 1), date(2026, 6, 11))  # an agreed campaign, less than three times the usual day
    use(250, date(2026, 6, 11), date(2026, 7, 1))
    marked = [{"day": f"2026-06-{day:02}", "product": "search", "reason": "Agreed"} for day in range(1, 11)]
    assert set_(company, {"known_peaks": marked}).status == 200

    run(JULY, work)

    [decision] = [each for each in see(company)["items"] if each["product"] == "search"]
    assert {each["reason"] for each in decision["left_out"]} == {"known_peak"}
    assert len(decision["left_out"]) == 10
    assert decision["months"][0]["typical"] == "7609.38"
    assert decision["months"][-1]["typical"] == "7665.05"  # the marked days raise the usual day a little


def test_settings_are_replaced_only_at_the_version_that_was_seen(company: Company) -> None:
    peaks = {"known_peaks": [{"day": "2026-06-19", "reason": "Agreed"}]}

    assert set_(company, peaks).headers["ETag"] == '"1"'
    assert set_(company, peaks, version=0).headers["ETag"] == '"1"'  # a repeated request
    assert set_(company, {}, version=0).status == 412
    assert set_(company, {}, version=1).body == {"pause": None, "known_peaks": []}
    assert len(events("autoscaling.changed")) == 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"pause": {"until": "2026-06-10", "reason": "x"}}, "#/pause/until"),
        ({"pause": {"until": "soon", "reason": "x"}}, "#/pause/until"),
        ({"pause": {"until": "2026-09-01", "reason": " "}}, "#/pause/reason"),
        ({"known_peaks": [{"day": "2026-06-31", "reason": "x"}]}, "#/known_peaks/0/day"),
        ({"known_peaks": [{"day": "2026-06-01", "product": "chat", "reason": "x"}]}, "#/known_peaks/0/product"),
        ({"paused": True}, "#/paused"),
    ],
)
def test_invalid_settings_are_refused(company: Company, body: dict[str, Any], pointer: str) -> None:
    given = set_(company, body)

    assert given.status == 422
    assert [each["pointer"] for each in given.body["errors"]] == [pointer]
    assert events("autoscaling.changed") == []


# ---- Simulations ----------------------------------------------------------------------------------------


def test_a_simulation_decides_over_given_figures_and_writes_nothing(company: Company) -> None:
    days = [date(2026, 3, 1) + timedelta(number) for number in range(92)]
    before = stored_items()

    given = simulate(
        company,
        {"product": "search", "daily": [{"day": day.isoformat(), "quantity": "400.5"} for day in days]},
    )

    assert given.status == 200, given
    assert (given.body["outcome"], given.body["reason"], given.body["target"]) == ("moves", "moved", 25_000)
    assert stored_items() == before


def test_a_simulation_can_leave_out_content(company: Company) -> None:
    use(200, date(2026, 1, 15), date(2026, 6, 1), content="Slider")
    use(220, date(2026, 1, 15), date(2026, 6, 1), content="Search box")
    removed = [{"store": "nordlys-dk", "content": "Slider"}]

    assert simulate(company, {"product": "search"}).body["reason"] == "moved"
    assert simulate(company, {"product": "search", "without": removed}).body["reason"] == "fits"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"product": "chat"}, "#/product"),
        ({"product": "search", "month": "2026-07"}, "#/month"),
        ({"product": "search", "month": "2026-13"}, "#/month"),
        ({"product": "search", "daily": []}, "#/daily"),
        ({"product": "search", "daily": [{"day": "2026-05-01", "quantity": "-1"}]}, "#/daily/0/quantity"),
        ({"product": "search", "daily": [{"day": "2026-05-01", "quantity": "NaN"}]}, "#/daily/0/quantity"),
        ({"product": "search", "daily": [{"day": "2026-05-01", "quantity": "1"}] * 2}, "#"),
        ({"product": "search", "without": [{"store": "nordlys-dk", "content": "gone"}]}, "#/without"),
    ],
)
def test_an_invalid_simulation_is_refused(company: Company, body: dict[str, Any], pointer: str) -> None:
    given = simulate(company, body)

    assert given.status == 422, given
    assert given.body["errors"][0]["pointer"] == pointer


def test_decisions_are_listed_in_pages_newest_first(company: Company, work: Any) -> None:
    run(datetime(2026, 9, 1, NOON, tzinfo=UTC), work)

    first = see(company, limit="2")
    second = see(company, limit="2", cursor=first["next_cursor"])
    third = see(company, limit="2", cursor=second["next_cursor"])

    assert [each["month"] for each in first["items"]] == ["2026-09", "2026-09"]
    assert [each["month"] for each in second["items"]] == ["2026-08", "2026-08"]
    assert third["next_cursor"] is None
    assert len({(each["month"], each["product"]) for page in (first, second, third) for each in page["items"]}) == 6


def test_accounts_without_an_autoscaling_schedule_are_scheduled(company: Company) -> None:
    table = boto3.resource("dynamodb", region_name=REGION).Table(TABLE)
    table.delete_item(Key={"pk": f"ACCOUNT#{company.account}", "sk": "DUE#autoscaling"})

    assert schedule(wiring.autoscaling_store(), wiring.invoice_store(), JULY) == (1, 1, 0)
    assert schedule(wiring.autoscaling_store(), wiring.invoice_store(), JULY) == (1, 0, 0)
    assert due() == "2026-08-01"
