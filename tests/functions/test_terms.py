"""Staff change how many months of a running contract are paid at once; an admin agrees to a longer term."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from functions.administer_subscriptions.app import handler as administer_subscriptions
from functions.get_billing.app import handler as get_billing
from tests.api_gateway import NOW, STAFF, Answer, answer, request
from tests.aws import stored_items
from tests.company import Company, provisioned
from tests.functions.ending import cancel, events_of, fire
from tests.functions.test_discounts import QUARTER, invoiced
from tests.functions.test_products import follows
from tests.samples import ACCOUNT, with_value

ROUTE = "/accounts/{account}/contract/term"
RENEWAL = "2026-07-15"
REASON = {"reason": "As agreed on the phone"}
MONTH = 10_200 - 612 - 300
"""Search and e-mail, less 12.5 percent of search, less 5.00: 4287.5 + 5900 - 500."""


@pytest.fixture(autouse=True)
def _quarter_is_invoiced(company: Company) -> None:
    """The sample account is paid every three months; the quarter until RENEWAL is invoiced."""
    assert len(invoiced(company, "2026-06-10")) == 2


def ask(
    company: Company,
    method: str,
    body: Any = None,
    *,
    what: str = "",
    tag: str | None = None,
    preview: bool = False,
    now: datetime = NOW,
    claims: dict[str, str] = STAFF,
) -> Answer:
    """A request about the term, at the version that the caller sees unless `tag` names another ("": none)."""
    headers = {}
    if method == "PUT" and tag != "":
        headers = {"If-Match": tag or ask(company, "GET", now=now).headers["ETag"]}
    query = {"preview": "true"} if preview else None
    event = request(
        method, ROUTE + what, claims=claims, path=company.path, body=body, headers=headers, query=query, now=now
    )
    return answer(administer_subscriptions, event)


def propose(company: Company, interval_months: int, **more: Any) -> Answer:
    return ask(company, "PUT", {"interval_months": interval_months, **REASON}, **more)


def consent(company: Company, term: str, claims: dict[str, str] | None = None, **more: Any) -> Answer:
    return ask(company, "POST", {"term": term}, what="/consent", claims=claims or company.admin, **more)


def status(company: Company, now: datetime = NOW) -> str | None:
    change = ask(company, "GET", now=now).body["change"]
    return None if change is None else str(change["status"])


def problem(given: Answer) -> tuple[int, str]:
    return given.status, given.body["type"].rpartition(":")[2]


def next_charge(company: Company) -> tuple[str, int]:
    event = request("GET", "/accounts/{account}/billing", claims=company.member, path=company.path, now=NOW)
    charge = answer(get_billing, event).body["payment_details"]["next_charge"]
    return charge["on"], charge["net"]["amount"]


def test_a_shorter_term_holds_from_the_next_renewal_on(company: Company) -> None:
    shown = propose(company, 1, preview=True, tag="")
    assert status(company) is None
    given = propose(company, 1)

    assert follows(given) == follows(shown)
    since, with_it, without = follows(given)
    assert (since, [on for on, _ in with_it], without) == (RENEWAL, [RENEWAL], [(RENEWAL, QUARTER)])
    assert with_it[0][1] * 3 == pytest.approx(QUARTER, abs=3)
    assert (given.body["change"]["status"], given.body["change"]["since"]) == ("agreed", RENEWAL)
    assert next_charge(company) == with_it[0]
    assert ask(company, "GET").body["interval_months"] == 3
    assert [number_and_net[1] for number_and_net in invoiced(company, "2026-09-15")][2:] == [with_it[0][1]] * 3
    [event] = events_of("contract_term.agreed")
    after = event.after or {}
    assert (event.before, after["interval_months"], after["since"]) == ({"interval_months": 3}, 1, RENEWAL)


def test_a_longer_term_needs_the_consent_of_an_admin(company: Company) -> None:
    given = propose(company, 12)
    term = given.body["change"]["term"]
    assert given.body["change"]["status"] == "proposed"
    assert next_charge(company) == (RENEWAL, QUARTER)

    for claims in (company.member, STAFF):
        assert consent(company, term, claims).status == 403
    assert problem(consent(company, "another")) == (404, "term-not-found")
    assert consent(company, term, preview=True).body["change"]["status"] == "agreed"
    assert status(company) == "proposed"
    agreed = consent(company, term)
    again = consent(company, term)

    assert agreed.body["change"] == again.body["change"]
    _, with_it, without = follows(agreed)
    assert without == [(RENEWAL, QUARTER)]
    assert next_charge(company) == with_it[0]
    assert with_it[0][1] > 3 * QUARTER
    assert [each[1] for each in invoiced(company, "2026-12-15")][2:] == [with_it[0][1]]
    [event] = events_of("contract_term.agreed")
    assert event.actor.user == company.admin["sub"]


def test_a_proposal_without_consent_lapses_with_its_renewal(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    term = propose(company, 12).body["change"]["term"]
    day = datetime(2026, 7, 15, 10, tzinfo=UTC)

    fire(datetime(2026, 7, 14, 10, tzinfo=UTC), work, monkeypatch, "ending")
    assert status(company) == "proposed"
    assert problem(consent(company, term, now=day)) == (409, "term-ended")
    fire(day, work, monkeypatch, "ending")

    assert status(company) == "lapsed"
    [event] = events_of("contract_term.ended")
    assert event.after == {"outcome": "lapsed", "is_cancelled": False}
    assert problem(consent(company, term, now=day)) == (409, "term-ended")
    assert problem(ask(company, "DELETE", now=day)) == (409, "term-ended")
    assert [each[1] for each in invoiced(company, "2026-07-15")][2:] == [QUARTER]
    fire(day, work, monkeypatch, "ending")
    assert len(events_of("contract_term.ended")) == 1


@pytest.mark.parametrize("interval", [1, 12])
@pytest.mark.parametrize("by", ["staff", "admin"])
def test_a_change_is_taken_back_before_its_day(interval: int, by: str, company: Company) -> None:
    propose(company, interval)

    assert ask(company, "DELETE", claims=company.member).status == 403
    for _ in range(2):
        assert ask(company, "DELETE", claims=STAFF if by == "staff" else company.admin).status == 204

    assert status(company) == "taken_back"
    assert next_charge(company) == (RENEWAL, QUARTER)
    assert len(events_of("contract_term.ended")) == 1
    assert propose(company, interval).status == 200


def test_a_term_in_effect_is_not_taken_back(company: Company) -> None:
    propose(company, 1)
    later = datetime(2026, 7, 20, tzinfo=UTC)

    assert problem(ask(company, "DELETE", now=later)) == (409, "term-ended")
    assert problem(ask(company, "DELETE", now=datetime(2026, 7, 15, tzinfo=UTC))) == (409, "term-ended")
    changed = propose(company, 3, now=later)
    assert changed.body["change"]["status"] == "proposed"  # longer than what holds now
    assert changed.body["change"]["since"] == "2026-08-15"


def test_another_change_takes_the_place_of_the_first(company: Company) -> None:
    propose(company, 1)
    given = propose(company, 6)

    assert given.body["change"]["status"] == "proposed"
    assert next_charge(company) == (RENEWAL, QUARTER)
    assert [(event.after or {})["outcome"] for event in events_of("contract_term.ended")] == ["replaced"]
    assert propose(company, 6).body["change"] == given.body["change"]
    assert len(events_of("contract_term.proposed")) == 1


def test_a_renewal_that_is_late_is_left_alone(company: Company) -> None:
    """The quarter of July is not issued yet: it is paid by the term that held when it began."""
    given = propose(company, 1, now=datetime(2026, 7, 20, tzinfo=UTC))

    assert given.body["change"]["since"] == "2026-10-15"
    assert [each[1] for each in invoiced(company, "2026-10-15")][2:] == [QUARTER, pytest.approx(QUARTER / 3, abs=3)]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"interval_months": 3, **REASON}, "#/interval_months"),
        ({"interval_months": 2, **REASON}, "#/interval_months"),
        ({"interval_months": 1, "reason": ""}, "#/reason"),
        ({"interval_months": 1}, "#/reason"),
    ],
)
def test_a_term_that_there_is_not_is_refused(body: Any, pointer: str, company: Company) -> None:
    given = ask(company, "PUT", body)

    assert (given.status, given.body["errors"][0]["pointer"]) == (422, pointer), given


def test_two_members_of_staff_at_once(company: Company) -> None:
    seen = ask(company, "GET").headers["ETag"]
    assert propose(company, 1, tag=seen).status == 200

    assert propose(company, 6, tag=seen).status == 412
    assert propose(company, 6, tag="").status == 428
    assert propose(company, 1, tag=seen).status == 200  # the same again
    assert len(events_of("contract_term.agreed")) == 1


def test_a_cancelled_account_keeps_its_term(company: Company) -> None:
    term = propose(company, 12).body["change"]["term"]
    assert cancel(company).status == 201

    assert consent(company, term).status == 409
    assert propose(company, 1).status == 409
    assert ask(company, "DELETE").status == 204
    [event] = events_of("contract_term.ended")
    assert event.after == {"outcome": "taken_back", "is_cancelled": True}


@pytest.mark.parametrize(
    ("start", "zone", "renewal"),
    [
        ("2026-01-31", "Pacific/Auckland", "2026-06-30"),
        ("2025-08-30", "America/Los_Angeles", "2026-06-30"),
        ("2026-05-31", "Pacific/Kiritimati", "2026-06-30"),
    ],
)
def test_a_term_begins_on_the_contracts_own_days(start: str, zone: str, renewal: str, company: Company) -> None:
    body = with_value(with_value(ACCOUNT, f"from-{start}", "account"), zone, "contract", "time_zone")
    body = with_value(with_value(body, start, "contract", "start"), 1, "contract", "interval_months")
    body = with_value(with_value(body, [], "discounts"), renewal, "invoiced_until")
    assert provisioned(body).status == 201
    other = Company(f"from-{start}", company.admin, company.member)

    given = propose(other, 12)

    assert given.body["change"]["since"] == renewal
    assert [each["on"] for each in given.body["follows"]["invoices"]] == [renewal]


def test_a_cancellation_has_followed_from_the_agreed_term(company: Company) -> None:
    """It stays: the days until which the account is active were told."""
    propose(company, 1)
    assert cancel(company).status == 201
    due = [item for item in stored_items() if item["sk"] == "DUE#ending"]

    assert ask(company, "DELETE").status == 409
    assert [item for item in stored_items() if item["sk"] == "DUE#ending"] == due


def test_the_renewal_notice_follows_the_term(company: Company) -> None:
    """A contract that is paid monthly has none (DESIGN 3.1.9)."""

    def due() -> list[str]:
        return [json.loads(item["body"])["on"] for item in stored_items() if item["sk"] == "DUE#ending"]

    before = due()
    propose(company, 1)
    assert (len(before), due()) == (1, [])
    assert ask(company, "DELETE").status == 204
    assert due() == before
