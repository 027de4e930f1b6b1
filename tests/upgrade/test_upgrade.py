"""An upgrade loses nothing, replaces nothing, fails nowhere, and goes on where the earlier release stopped."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Any

import pytest

from local.demo.companies import COMPANIES
from local.stripe.browser import ask
from local.stripe.process import KEYS
from tests.upgrade.answers import differences, is_announced
from tests.upgrade.conftest import Upgrade
from tests.upgrade.running_stack import STATEFUL, Item, Key, Snapshot, answered, failures, listed, waiting
from tests.upgrade.states import CANCELLED, DECLINED, HARBOUR, IN_CREDIT, LEFT, NORDLYS, PURGING, RETURNING, TRANSFER

DELETED = (CANCELLED, LEFT, PURGING)
"""The accounts whose deletion comes within the days after the upgrade."""


@pytest.fixture(scope="module", autouse=True)
def figures(upgrade: Upgrade) -> Iterator[None]:
    """Prints what was upgraded and how long it took, after the tests."""
    yield
    families = Counter(sk.partition("#")[0] for _, sk in upgrade.before.items)
    print(f"\nFrom {upgrade.commit}:")
    print(f"{len(upgrade.before.items):6} items of {len(families)} families")
    print(f"{len(documents(upgrade.before)):6} invoices and credit notes, then {len(documents(after(upgrade)))}")
    print(f"{len(upgrade.before.files):6} files, {len(upgrade.before.log_ins)} log-ins")
    print(f"{len(upgrade.answers_before.by_path):6} GETs compared, {len(upgrade.days)} later days")
    for step, seconds in upgrade.seconds.items():
        print(f"{seconds:6.0f} s {step}")


def after(upgrade: Upgrade) -> Snapshot:
    assert upgrade.after is not None
    return upgrade.after


def body(item: Item) -> Any:
    return json.loads(item["body"]["S"])


def account_of(item: Item) -> str:
    return str(item["pk"]["S"].removeprefix("ACCOUNT#"))


def documents(state: Snapshot) -> dict[str, str]:
    """What each invoice says, by number, byte for byte, in either form. Raises AssertionError for a double."""
    found = []
    for item in [*state.of("INVOICE#").values(), *state.of("DOCUMENT#").values()]:
        _, mark, said = item["body"]["S"].partition('"issued":')
        if mark:
            issued, end = json.JSONDecoder().raw_decode(said)
            found.append((issued["number"], said[:end]))
    assert len(dict(found)) == len(found), "a document twice"
    return dict(found)


def test_no_resource_that_holds_data_is_replaced(upgrade: Upgrade) -> None:
    kept = {name: each for name, each in upgrade.before.resources.items() if each[0] in STATEFUL}

    assert {type_ for type_, _ in kept.values()} >= {
        "AWS::DynamoDB::Table",
        "AWS::Cognito::UserPool",
        "AWS::S3::Bucket",
    }
    assert {name: upgrade.upgraded.resources.get(name) for name in kept} == kept


def without_first_requests(item: Item) -> Item:
    return {name: value for name, value in item.items() if not name.startswith(("logged_in#", "used_since"))}


def test_the_deployment_changes_no_item_and_no_file_and_no_log_in(upgrade: Upgrade) -> None:
    before, upgraded = upgrade.before, upgrade.upgraded

    # `make run` makes requests as the demonstration's people: their first ones are noted beside the account's body.
    kept = {key: without_first_requests(upgraded.items.get(key, {})) for key in before.items}
    assert kept == before.items
    assert {key: upgraded.files.get(key) for key in before.files} == before.files
    assert upgraded.log_ins == before.log_ins


def test_each_get_answers_as_before(upgrade: Upgrade) -> None:
    """New fields are added. The changelog has what is different."""
    different: list[str] = []
    for path, earlier in upgrade.answers_before.by_path.items():
        now = upgrade.answers_after.by_path[path]
        if earlier.status != now.status:
            different.append(f"{path}: status {earlier.status} is now {now.status}")
        else:
            different += differences(earlier.body, now.body, path)

    unannounced = [each for each in different if not is_announced(each)]
    assert not unannounced, "\n".join(unannounced)


def test_what_was_issued_is_said_byte_for_byte_and_stays(upgrade: Upgrade) -> None:
    before, now = documents(upgrade.before), documents(after(upgrade))
    deleted = {
        each["number"]
        for item in upgrade.before.of("INVOICE#").values()
        if account_of(item) in DELETED
        for each in [body(item)]
    }

    assert len(before) > len(deleted) > 0
    assert {number: now.get(number) for number in before if number not in deleted} == {
        number: text for number, text in before.items() if number not in deleted
    }
    files = {key: digest for key, digest in upgrade.before.files.items() if "/invoices/" in key[1]}
    kept = {key: digest for key, digest in files.items() if not any(f"/{each}/" in key[1] for each in DELETED)}
    assert {key: after(upgrade).files.get(key) for key in kept} == kept


def test_numbers_go_on_without_a_gap(upgrade: Upgrade) -> None:
    """Each number is in the table or, of a deleted account, in the archive. The register has the new ones."""
    state = after(upgrade)
    numbers = {*documents(state), *archived(state)}
    for key in state.of("SERIES#"):
        _, series, year = key[1].split("#")
        count, before = (count_of(each, key) for each in (state, upgrade.before))
        expected = [f"{series}-{year}-{number:06}" for number in range(1, count + 1)]
        registered = [sk for _, sk in state.items if sk.startswith(f"NUMBER#{series}#{year}#")]

        assert [each for each in expected if each not in numbers] == []
        assert len(registered) >= count - before


def count_of(state: Snapshot, counter: Key) -> int:
    return int(state.items[counter]["count"]["N"]) if counter in state.items else 0


def archived(state: Snapshot) -> set[str]:
    """The numbers of the invoices in the legal archive."""
    return {key[1].split("/")[2] for key in state.files if key[1].startswith("invoices/")}


def test_nothing_is_billed_twice(upgrade: Upgrade) -> None:
    """The paid periods of an account do not overlap, and no invoice is charged more than is due."""
    said = {number: json.loads(text) for number, text in documents(after(upgrade)).items()}
    periods: dict[str, list[tuple[str, str, str]]] = {}
    for number, each in said.items():
        draft = each["draft"]
        # RETURNING was reactivated within its paid period, because its end was played before its day.
        if draft["occasion"] == "period" and each["account"] != RETURNING:
            periods.setdefault(each["account"], []).append((draft["since"], draft["until"], number))
    for of_account in periods.values():
        for (_, until, one), (since, _, other) in pairwise(sorted(of_account)):
            assert since >= until, (one, other)

    charged: Counter[str] = Counter()
    for each in charges(upgrade):
        if each["status"] == "succeeded":
            charged[each["metadata"].get("invoice", "")] += each["amount"]
    due = {number: each["draft"]["due"]["amount"] for number, each in said.items()}
    assert charged.keys() & due.keys()
    above = {number: sum_ for number, sum_ in charged.items() if sum_ > due.get(number, sum_)}
    assert above == {}


def charges(upgrade: Upgrade) -> list[Any]:
    found: list[Any] = []
    path = "/v1/charges?limit=100"
    while True:
        page = ask(upgrade.stack.settings, path, KEYS["api_key"])
        found += page["data"]
        if not page["has_more"]:
            return found
        path = f"/v1/charges?limit=100&starting_after={page['data'][-1]['id']}"


def test_no_message_waits_or_failed(upgrade: Upgrade) -> None:
    """Neither in a queue, where a failed message is tried for a day, nor among the dead letters."""
    assert waiting(upgrade.stack) == {}
    assert failures(upgrade.stack, upgrade.at) == []


def test_the_list_of_past_due_invoices_is_complete(upgrade: Upgrade) -> None:
    stack = upgrade.stack
    earlier = upgrade.answers_before.by_path["/invoices/past-due"].body["items"]
    assert [each["account"] for each in earlier] == [DECLINED]
    upgraded = upgrade.answers_after.by_path["/invoices/past-due"].body["items"]
    # Fields may have been added, such as the reminders.
    assert [
        {name: each.get(name) for name in before} for before, each in zip(earlier, upgraded, strict=True)
    ] == earlier

    now = listed(stack, "/invoices/past-due", stack.staff_token())

    stored = {
        body(item)["number"] for item in after(upgrade).of("INVOICE#").values() if body(item)["status"] == "past_due"
    }
    assert {each["number"] for each in now} == stored
    assert {each["account"] for each in now} >= {DECLINED, TRANSFER}, (
        "an earlier one, and one that the upgrade found open"
    )


def test_the_due_items_of_the_earlier_form_are_processed_and_retired(upgrade: Upgrade) -> None:
    whole = [item for item in upgrade.before.of("INVOICE#").values() if "issued" in body(item)]
    assert bool(upgrade.upgraded.of("DUE#collection")) == bool(whole)
    assert [item["pk"]["S"] for item in after(upgrade).of("DUE#collection").values()] == []
    open_ = [item for item in after(upgrade).of("INVOICE#").values() if body(item)["status"] in ("open", "in_transit")]
    assert [body(item)["number"] for item in open_ if "gsi1pk" not in item] == []


def test_a_pending_reactivation_is_completed(upgrade: Upgrade) -> None:
    stack = upgrade.stack

    page = answered(stack, f"/accounts/{RETURNING}/billing", stack.staff_token())

    assert page["status"] == "active"
    [reactivated] = [
        item
        for item in after(upgrade).of("EVENT#").values()
        if account_of(item) == RETURNING and body(item)["type"] == "account.reactivated"
    ]
    assert reactivated


def test_credit_is_used_once(upgrade: Upgrade) -> None:
    said = [json.loads(each) for each in documents(after(upgrade)).values()]
    credit = -sum(
        each["draft"]["total"]["amount"] for each in said if each["account"] == IN_CREDIT and each["corrects"]
    )

    assert credit > 0
    assert sum(each["draft"]["credit"]["amount"] for each in said if each["account"] == IN_CREDIT) == credit
    assert [body(item)["credit"] for item in after(upgrade).of("BALANCE").values()] == [0]


def test_ended_accounts_are_deleted_with_everything_that_the_earlier_release_stored(upgrade: Upgrade) -> None:
    stack, state = upgrade.stack, after(upgrade)

    left = [key for key, item in state.items.items() if key[0].partition("#")[2] in DELETED]
    assert left == []
    assert [key for key in state.files if any(f"accounts/{each}/" in key[1] for each in DELETED)] == []
    assert len(listed(stack, "/deletions", stack.staff_token())) == len(DELETED) + 1, "and one from before"
    numbers = {body(item)["number"] for item in upgrade.before.of("INVOICE#").values() if account_of(item) in DELETED}
    assert archived(state) >= numbers


def test_refunds_that_were_to_come_are_made_once(upgrade: Upgrade) -> None:
    refunds = ask(upgrade.stack.settings, "/v1/refunds?limit=100", KEYS["api_key"])["data"]
    by_note = Counter(each["metadata"].get("credit_note") for each in refunds)
    notes = {
        body(item)["number"]: account_of(item)
        for item in upgrade.before.of("INVOICE#").values()
        if body(item).get("corrects") and account_of(item) in (NORDLYS.account, HARBOUR.account)
    }

    assert sorted(notes.values()) == sorted([NORDLYS.account, HARBOUR.account])
    assert by_note == dict.fromkeys(notes, 1)


@pytest.mark.parametrize("company", COMPANIES, ids=lambda each: each.account)
def test_people_log_in_as_before_and_see_their_page(upgrade: Upgrade, company: Any) -> None:
    stack = upgrade.stack
    for token in (stack.admin_token(company), stack.member_token(company)):
        page = answered(stack, f"/accounts/{company.account}/billing", token)
        assert page["name"] == company.name
        assert date.fromisoformat(page["payment_details"]["next_charge"]["on"]) > upgrade.days[-1]


def test_a_review_that_was_booked_before_is_decided(upgrade: Upgrade) -> None:
    stack, staff = upgrade.stack, upgrade.stack.staff_token()
    [review] = answered(stack, f"/accounts/{NORDLYS.account}/reviews", staff)["items"]
    path = f"/v1/accounts/{NORDLYS.account}/reviews/{review['review']}/decision"
    decision = {"outcome": "declined", "reason": "Christmas would not fit."}

    decided = stack.api.request("PUT", path, token=staff, body=decision)

    assert decided.status == 200, decided
