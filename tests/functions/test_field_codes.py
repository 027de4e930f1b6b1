"""What is wrong with a field, as a code with limits. tests/field_codes.py checks the answers of all tests."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from billing.kernel.field_codes import FieldCode

from tests.aws import UserPool
from tests.company import provisioned
from tests.field_codes import check_problem, documented, in_openapi
from tests.samples import ACCOUNT, with_value, without
from tests.template import ROOT

ALL_CODES = {each.value for each in FieldCode}


def test_each_code_is_documented() -> None:
    assert set(documented()) == ALL_CODES
    assert in_openapi() == ALL_CODES


def test_each_code_is_used() -> None:
    used = {
        node.attr
        for path in (ROOT / "layers" / "shared" / "billing").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "FieldCode"
    }

    assert {each.name for each in FieldCode} == used


@pytest.mark.parametrize(
    "entry",
    [
        {"detail": "Without a code", "pointer": "#/name"},
        {"code": "no-such-code", "detail": "Unknown", "pointer": "#/name"},
        {"code": "missing", "detail": "With a limit of another code", "pointer": "#/name", "limits": {"pattern": "x"}},
        {"code": "missing", "detail": "Nowhere"},
    ],
    ids=lambda each: each["detail"],
)
def test_an_answer_with_anything_undocumented_fails_its_test(entry: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        check_problem({"errors": [entry]})


@pytest.mark.parametrize(
    ("body", "code", "limits"),
    [
        (without(ACCOUNT, "account"), "missing", {}),
        ({**ACCOUNT, "colour": "blue"}, "unknown-field", {}),
        (with_value(ACCOUNT, 12, "account"), "wrong-type", {"expected": "string"}),
        (with_value(ACCOUNT, {}, "stores"), "wrong-type", {"expected": "array"}),
        (with_value(ACCOUNT, 7, "company"), "wrong-type", {"expected": "object"}),
        (with_value(ACCOUNT, "10000", "lines", 0, "up_to"), "wrong-type", {"expected": "integer"}),
        (with_value(ACCOUNT, "x" * 41, "account"), "too-long", {"max": 40}),
        (with_value(ACCOUNT, "a", "account"), "too-short", {"min": 2}),
        (with_value(ACCOUNT, "A b", "account"), "pattern", {"pattern": r"^([a-z0-9]{2,16}\.)?[a-z0-9]+(-[a-z0-9]+)*$"}),
        (with_value(ACCOUNT, [], "stores"), "too-few", {"min": 1}),
        (with_value(ACCOUNT, [ACCOUNT["lines"][0]] * 31, "lines"), "too-many", {"max": 30}),
        (with_value(ACCOUNT, 0, "lines", 0, "up_to"), "too-small", {"above": 0}),
        (with_value(ACCOUNT, 10**13, "discounts", 1, "amount"), "too-large", {"max": 10**12}),
        (with_value(ACCOUNT, "12.34567", "discounts", 0, "percent"), "too-many-decimals", {"decimals": 4}),
        (with_value(ACCOUNT, "\u0661\u0662", "discounts", 0, "percent"), "not-a-number", {}),
        (with_value(ACCOUNT, 2, "contract", "interval_months"), "not-allowed", {"allowed": ["1", "3", "6", "12"]}),
        (with_value(ACCOUNT, "klingon", "billing", "language"), "not-allowed", {"allowed": ["en", "it"]}),
        (with_value(ACCOUNT, "2026-02-30", "contract", "start"), "not-a-date", {}),
        (
            with_value(ACCOUNT, "0001-01-01", "contract", "start"),
            "too-early",
            {"min": "2024-06-09", "max": "2027-06-11"},
        ),
        (with_value(ACCOUNT, "XX", "company", "country"), "not-a-country", {}),
        (with_value(ACCOUNT, "IT00743110157", "company", "vat_number"), "not-a-vat-number", {"allowed": ["DK"]}),
        (with_value(ACCOUNT, [ACCOUNT["stores"][0]] * 2, "stores"), "duplicate", {}),
        (with_value(ACCOUNT, 100, "discounts", 0, "amount"), "not-together", {}),
        (with_value(ACCOUNT, "2026-01-15", "discounts", 0, "until"), "too-early", {"above": "2026-01-15"}),
        (with_value(ACCOUNT, 12_345, "lines", 0, "up_to"), "not-allowed", {"allowed": ["10000", "25000"]}),
        (with_value(ACCOUNT, "chat", "lines", 0, "product"), "unknown", {"allowed": ["search", "email"]}),
    ],
)
def test_a_field_is_told_by_a_code_with_its_limits(
    body: Any, code: str, limits: dict[str, Any], catalogue: UserPool
) -> None:
    given = provisioned(body)

    [error] = given.body["errors"]
    assert (error["code"], error.get("limits", {})) == (code, limits)
