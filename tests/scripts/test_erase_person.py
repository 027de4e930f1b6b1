"""The operator erases a person whom no admin of the account erases."""

from __future__ import annotations

from typing import Any

import pytest
from billing.platform.dynamodb import keys

from scripts import erase_person
from tests.aws import TABLE, stored_items
from tests.company import Company
from tests.functions.ending import events_of, fire
from tests.functions.test_erasure import BO, SOON, remove, where_named


@pytest.fixture(autouse=True)
def stack(work_queue: Any, buckets: Any, stripe_account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erase_person, "stack_resources", lambda *_: {"Table": ("AWS::DynamoDB::Table", TABLE)})


def run(company: Company, *options: str) -> int:
    return erase_person.main(["--account", company.account, *options])


def test_a_preview_changes_nothing(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    before = stored_items()

    assert run(company, "--email", BO["email"]) == 0

    assert capsys.readouterr().out == (
        f"{company.member['sub']}: a user of the account, named in 2 entries of the record\n"
    )
    assert stored_items() == before


@pytest.mark.parametrize("removed_before", [False, True])
def test_a_person_is_erased_by_their_address(
    removed_before: bool, company: Company, work_queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if removed_before:
        assert remove(company, company.member["sub"], erase="").status == 204

    assert run(company, "--email", BO["email"], "--yes") == 0
    fire(SOON, work_queue, monkeypatch, "ending")

    left = where_named(BO["email"], BO["name"], company.member["sub"])
    assert [each for each in left if not each.startswith(keys.LOG_IN)] == [], "the log-in goes by the real time"
    [erased] = events_of("user.erased")
    assert erased.actor.kind == "system"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--email", "ada@nordlys.example", "--yes"], "at least one admin"),
        (["--email", "nobody@nordlys.example", "--yes"], "no such person"),
        (["--user", "staff-1", "--yes"], "no such person"),
    ],
)
def test_who_cannot_be_erased_is_refused_in_words(
    options: list[str], words: str, company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    before = stored_items()

    assert run(company, *options) == 1

    assert words in capsys.readouterr().err
    assert stored_items() == before
