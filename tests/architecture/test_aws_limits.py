"""The transformed template against what AWS refuses, or does differently from the emulator (docs/decisions/0027)."""

from __future__ import annotations

import itertools
import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.aws_rules import (
    DEPLOYMENT,
    ENVIRONMENT_BYTES_MAX,
    FUNCTION,
    IDENTITY,
    OUTPUTS_MAX,
    PARAMETERS_MAX,
    REST_API,
    RULES,
    TABLE,
    TEMPLATE_BYTES_MAX,
    Rule,
    of_type,
)
from tests.properties import DEEP, PROFILE_VARIABLE
from tests.template import ROOT
from tests.transformed import Resources, declared, parameters_in, references, resolved, transform, whole

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/0b5c9d7e-1f2a-4b3c-8d4e-5f6a7b8c9d0e"

VALUES = {
    "Stage": ("dev", "prod"),
    "InvoiceArchiveYears": ("0", "10"),
    "DeletionProtection": ("true", "false"),
    "CreateSenderIdentity": ("true", "false"),
    "LogInCodesThroughSes": ("true", "false"),
    "StaffAddress": ("", "staff@example.com"),
    "ReplyToAddress": ("", "help@example.com"),
    "TestClocks": ("off", "on"),
    "VatNumberCheck": ("off", "on"),
    "UsageSenderArn": ("", "arn:aws:iam::111122223333:role/shop"),
    "PortalDomain": ("", "billing.example.com"),
    "PortalCertificateArn": ("", CERTIFICATE),
}
"""Both values of each parameter that decides on a condition."""

RUNS = 8
LAST_RELEASE: dict[str, Any] = json.loads((ROOT / "tests/fixtures/last_release.json").read_text("utf-8"))
"""What the release before declared that an update may not change: its indexes, and what its stateful resources are."""

STATEFUL = {
    "AWS::DynamoDB::Table": ("KeySchema", "TableName", "ImportSourceSpecification"),
    "AWS::Cognito::UserPool": ("UsernameAttributes", "AliasAttributes", "UsernameConfiguration", "Schema"),
    "AWS::S3::Bucket": ("BucketName", "BucketNamePrefix", "ObjectLockEnabled"),
    "AWS::SecretsManager::Secret": ("Name",),
    "AWS::SQS::Queue": ("QueueName", "FifoQueue"),
    "AWS::Logs::LogGroup": ("LogGroupName",),
}
"""Resources that hold what nobody can make again, with the properties whose change replaces or refuses them
("Update requires: Replacement" in the reference of each type, and for a user pool what Cognito cannot change).
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/"""

NAMES = re.compile(r"^(?:Name|.*Name|Domain|Identifier)$")
NAMES_OF_OTHERS = {"StageName", "FunctionName", "ConfigurationSetName", "EventBusName", "PolicyName", "LogGroupName"}
"""Properties that name another resource, or a part of one."""

NAMED_IN_A_PARENT = {
    "AWS::Cognito::UserPoolClient",
    "AWS::Cognito::UserPoolGroup",
    "AWS::Cognito::UserPoolResourceServer",
}
"""A name of these must be unique in its user pool alone."""

OF_A_METRIC = {"AWS::CloudWatch::Alarm"}


def pairwise() -> list[dict[str, str]]:
    """RUNS settings in which each two parameters have all four pairs of values.

    Each parameter is a different choice of four of the runs 1 to 7, and run 0 has the first value of all. Two such
    choices share a run and differ in two (Kleitman and Spencer, "Families of k-independent sets", 1973).
    """
    choices = itertools.islice(itertools.combinations(range(1, RUNS), RUNS // 2), len(VALUES))
    second = dict(zip(VALUES, map(set, choices), strict=True))
    return [{name: both[run in second[name]] for name, both in VALUES.items()} for run in range(RUNS)]


EVERY = [dict(zip(VALUES, each, strict=True)) for each in itertools.product(*VALUES.values())]
SETTINGS = EVERY if os.environ.get(PROFILE_VARIABLE) == DEEP else pairwise()


@cache
def _resources(number: int) -> Resources:
    return resolved(SETTINGS[number])


@pytest.mark.hypothesis  # `make test-deep` selects by this mark, and then there are all combinations
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_aws_takes_it(rule: Rule) -> None:
    found = {fault for number in range(len(SETTINGS)) for fault in rule.check(_resources(number))}

    assert not found, f"{sorted(found)}; see {rule.source}"


def test_the_few_settings_have_each_pair_of_values() -> None:
    runs = pairwise()

    for one, other in itertools.combinations(VALUES, 2):
        assert {(run[one], run[other]) for run in runs} == {*itertools.product(VALUES[one], VALUES[other])}


def test_the_settings_have_every_parameter_that_decides_on_a_condition() -> None:
    assert parameters_in([*whole()["Conditions"].values()]) == {*VALUES}


def test_every_type_of_resource_has_a_rule() -> None:
    ruled = {kind for rule in RULES for kind in rule.types}

    assert {each["Type"] for each in whole()["Resources"].values()} - ruled == set()


def test_every_rule_has_a_source() -> None:
    assert all(rule.source for rule in RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)


def _physical_names(stage: str) -> set[tuple[str, str]]:
    """Names that must be unique in an account and region."""
    return {
        (each["Type"], json.dumps(value))
        for each in resolved({"Stage": stage, "CreateSenderIdentity": "false"}).values()
        if each["Type"] not in NAMED_IN_A_PARENT
        for key, value in each["Properties"].items()
        if NAMES.match(key) and key not in NAMES_OF_OTHERS and not (each["Type"] in OF_A_METRIC and key == "MetricName")
    }


def test_two_stages_share_no_name() -> None:
    assert _physical_names("dev")
    assert _physical_names("dev") & _physical_names("prod") == set()


def test_a_parameter_in_the_apis_body_changes_the_deployment() -> None:
    """A deployment is a snapshot of the body. SAM names it by a hash of the body, parameters unresolved."""
    [api] = [each["Properties"] for each in whole()["Resources"].values() if each["Type"] == REST_API]
    used = sorted(parameters_in(api["Body"]))
    other = {"AllowedOrigin": "https://other.example"}
    assert used == sorted(other), "give each parameter of the body another value here"

    before, *after = transform([{}, *({name: value} for name, value in other.items())])

    for template in after:
        assert not {*of_type(before["Resources"], DEPLOYMENT)} & {*of_type(template["Resources"], DEPLOYMENT)}


def test_no_parameter_replaces_a_resource_that_holds_data() -> None:
    replacing = {
        name: sorted(parameters)
        for name, each in whole()["Resources"].items()
        for properties in [STATEFUL.get(each["Type"], ())]
        if (parameters := parameters_in([each["Properties"][key] for key in properties if key in each["Properties"]]))
    }

    assert replacing == {}


def stateful(resources: Resources) -> dict[str, dict[str, Any]]:
    """The stateful resources of a template: type, and the properties whose change would replace them."""
    return {
        name: {"Type": each["Type"], **{key: each["Properties"].get(key) for key in STATEFUL[each["Type"]]}}
        for name, each in sorted(resources.items())
        if each["Type"] in STATEFUL
    }


def test_no_resource_that_holds_data_is_replaced_by_this_release() -> None:
    """A renamed logical id would delete the resource too."""
    now = stateful(whole()["Resources"])

    assert {name: now.get(name) for name in LAST_RELEASE["stateful"]} == LAST_RELEASE["stateful"]


def test_this_release_adds_or_removes_one_index_at_most() -> None:
    """CloudFormation refuses two in one update of a table.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
    """
    [table] = of_type(whole()["Resources"], TABLE).values()
    indexes = {each["IndexName"]: each for each in table["GlobalSecondaryIndexes"]}
    before = {each["IndexName"]: each for each in LAST_RELEASE["indexes"]}

    assert len(indexes.keys() ^ before.keys()) <= 1
    assert {name: indexes[name] for name in indexes.keys() & before.keys()} == {
        name: before[name] for name in indexes.keys() & before.keys()
    }


def test_the_template_is_small_enough() -> None:
    assert len(json.dumps(whole())) <= TEMPLATE_BYTES_MAX
    assert len(declared()) <= PARAMETERS_MAX
    assert len(whole()["Outputs"]) <= OUTPUTS_MAX


UTF_8_BYTES_MAX = 4
AWS_VALUE_BYTES = 130
"""Bytes of a name, ARN or URL that AWS makes."""


def longest(name: str) -> float:
    """The most bytes of UTF-8 that a parameter can have."""
    limits = declared()[name]
    if "AllowedValues" in limits:
        return max(len(str(each)) for each in limits["AllowedValues"])
    if limits["Type"] == "Number":
        return len(str(limits.get("MaxValue", 10**15)))
    characters: float = limits.get("MaxLength", float("inf"))
    if "AllowedPattern" not in limits:
        return characters * UTF_8_BYTES_MAX
    parsed = re._parser.parse(limits["AllowedPattern"])  # type: ignore[attr-defined]
    by_pattern: float = parsed.getwidth()[1]
    return min(characters, by_pattern)  # our patterns are of ASCII


def largest(value: Any) -> float:
    """The most bytes that a variable can have, whatever the parameters are."""
    if isinstance(value, str):
        return len(value)
    named = {*references(value)}
    made_by_aws = named - declared().keys() - whole()["Conditions"].keys()
    return max([AWS_VALUE_BYTES if made_by_aws else 0, *(longest(each) for each in named & declared().keys())])


def largest_environment(function: dict[str, Any]) -> float:
    """The most bytes of a function's environment, whatever the parameters are."""
    variables = function.get("Environment", {}).get("Variables", {})
    return sum(map(len, variables)) + sum(map(largest, variables.values()))


def test_no_parameter_makes_an_environment_too_large() -> None:
    sizes = {name: largest_environment(function) for name, function in of_type(whole()["Resources"], FUNCTION).items()}

    assert {name: size for name, size in sizes.items() if size > ENVIRONMENT_BYTES_MAX} == {}


def test_a_parameter_that_is_looked_up_in_a_mapping_has_its_keys_alone() -> None:
    """A Number may be written as 00, which no mapping has: the deployment would fail half-way."""
    looked_up = re.findall(r'"Fn::FindInMap": \["(\w+)", \{"Ref": "(\w+)"\}', json.dumps(whole()["Resources"]))

    assert looked_up
    for mapping, parameter in looked_up:
        allowed = declared()[parameter].get("AllowedValues", [])
        assert sorted(map(str, allowed)) == sorted(whole()["Mappings"][mapping])


def test_every_runtime_has_the_c_library_that_the_layers_packages_need() -> None:
    """Python 3.11 is on Amazon Linux 2; newer ones are on Amazon Linux 2023.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html and
    https://docs.aws.amazon.com/linux/al2023/ug/glibc-gcc-and-binutils.html
    """
    glibc = {"python3.11": 26, "python3.12": 34, "python3.13": 34, "python3.14": 34}
    makefile = (ROOT / "layers" / "shared" / "Makefile").read_text("utf-8")
    [needed] = re.findall(r"^LAYER_PLATFORM \?= \w+-manylinux_2_(\d+)$", makefile, re.MULTILINE)

    assert [each for each in declared()["Runtime"]["AllowedValues"] if glibc[each] < int(needed)] == []


def test_the_regions_that_are_checked_are_those_of_the_documentation() -> None:
    regions = yaml.safe_load((ROOT / ".cfnlintrc.yaml").read_text("utf-8"))["regions"]
    [sentence] = re.findall(r"Checked regions: (.+?)\.\n", (ROOT / "docs" / "deploy.md").read_text("utf-8"))

    assert re.findall(r"`([a-z0-9-]+)`", sentence) == regions


def test_the_release_before_is_a_commit() -> None:
    assert re.fullmatch(r"[0-9a-f]{40}", LAST_RELEASE["commit"])
    assert Path(LAST_RELEASE["template"]).name == "template.yaml"
    assert IDENTITY not in STATEFUL  # retained when it is replaced, and its own rule says so
