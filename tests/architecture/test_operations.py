"""What an operator gets: alarms with a page each, a dashboard, and metric filters of lines that the code writes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from billing.correspondence.audiences import AUDIENCES
from billing.kernel.events import EventType
from billing.payments import stripe_gateway

from tests.template import ROOT, resources, template
from tests.transformed import resolved

RUNBOOK = ROOT / "docs" / "runbook"
ALARMS = {name: each["Properties"] for name, each in resources().items() if each["Type"] == "AWS::CloudWatch::Alarm"}
FILTERS = {name: each["Properties"] for name, each in resources().items() if each["Type"] == "AWS::Logs::MetricFilter"}
FUNCTIONS = {
    name: each["Properties"] for name, each in resources().items() if each["Type"] == "AWS::Serverless::Function"
}
QUEUES = [name for name, each in resources().items() if each["Type"] == "AWS::SQS::Queue"]

METRICS_OF_AN_ALARM_MAX = 10
"""AWS's documents, PutMetricAlarm: a metric math alarm takes up to 10 metrics (Metrics with a MetricStat)."""
METRICS_OF_FREE_DASHBOARDS = 50
"""Amazon CloudWatch pricing: three dashboards with up to 50 metrics a month are free."""
FIGURES_MAX = 10
WIDTH = 24
"""CloudWatch's dashboard body structure: x is 0 to 23, width 1 to 24, height 1 to 1000."""
DESCRIPTION_MAX = 1024
"""PutMetricAlarm, AlarmDescription."""


def text_of(value: Any) -> str:
    return str(value["Fn::Sub"]) if isinstance(value, dict) else str(value)


def page_of(alarm: str) -> str | None:
    """The name of the page that an alarm's description links to."""
    link = re.search(r"\$\{RunbookUrl\}/(\w+)\.md", text_of(ALARMS[alarm]["AlarmDescription"]))
    return link[1] if link else None


# ---- Alarms and their pages --------------------------------------------------------------------------


def test_each_alarm_links_to_a_page_that_names_it() -> None:
    missing = []
    for alarm in sorted(ALARMS):
        page = page_of(alarm)
        if page is None:
            missing.append(f"{alarm}: its description has no link: ${{RunbookUrl}}/<page>.md")
        elif not (RUNBOOK / f"{page}.md").is_file():
            missing.append(f"{alarm}: there is no docs/runbook/{page}.md")
        elif f"`{alarm}`" not in (RUNBOOK / f"{page}.md").read_text("utf-8").partition("## ")[0]:
            missing.append(f"{alarm}: docs/runbook/{page}.md does not name it")

    assert missing == []


def test_each_page_is_of_an_alarm() -> None:
    linked = {page_of(alarm) for alarm in ALARMS}
    named = {
        name: re.findall(r"`(\w+)`", (RUNBOOK / f"{name}.md").read_text("utf-8").partition("## ")[0])
        for name in sorted(path.stem for path in RUNBOOK.glob("*.md"))
    }

    assert [name for name in named if name not in linked] == [], "pages without an alarm"
    assert {name: alarms for name, alarms in named.items() if set(alarms) - set(ALARMS)} == {}, "alarms that are gone"


@pytest.mark.parametrize("page", sorted(RUNBOOK.glob("*.md")), ids=lambda path: path.stem)
def test_a_page_says_what_it_means_what_to_look_at_and_what_to_do(page: Any) -> None:
    text = page.read_text("utf-8")

    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["What it means", "What to look at", "What to do"]
    assert text.startswith(f"# {page.stem}\n")
    looked_at = text.partition("## What to look at")[2].partition("## What to do")[0]
    assert re.search(r"^    \S", looked_at, re.MULTILINE), "a query or a command"


def test_a_query_of_the_runbook_asks_for_lines_that_the_code_writes() -> None:
    asked = set()
    for page in RUNBOOK.glob("*.md"):
        text = page.read_text("utf-8")
        asked |= set(re.findall(r"message = '([^']+)'", text))
        for several in re.findall(r"message in \[([^\]]+)\]", text):
            asked |= set(re.findall(r"'([^']+)'", several))

    assert asked
    assert {message for message in asked if f'"{message}"' not in code()} == set()


@pytest.mark.parametrize("alarm", sorted(ALARMS))
def test_an_alarm_is_within_the_limits_of_cloudwatch_and_is_sent_to_somebody(alarm: str) -> None:
    properties = ALARMS[alarm]
    metrics = properties.get("Metrics", [])

    assert len([each for each in metrics if "MetricStat" in each]) <= METRICS_OF_AN_ALARM_MAX
    assert len(text_of(properties["AlarmDescription"])) <= DESCRIPTION_MAX - 200, "room for a long RunbookUrl"
    assert properties["AlarmActions"] == properties["OKActions"] == [{"Ref": "Alarms"}]
    assert properties["TreatMissingData"] in {"ignore", "notBreaching", "breaching"}
    if metrics:
        assert [each["Id"] for each in metrics if each.get("ReturnData", True)] == ["all"]
        assert all(re.fullmatch(r"[a-z][A-Za-z0-9_]*", each["Id"]) for each in metrics)


def watched(metric: str) -> list[str]:
    """The resources whose metric of this name has an alarm."""
    found = []
    for properties in ALARMS.values():
        for each in [
            properties,
            *(part.get("MetricStat", {}).get("Metric", {}) for part in properties.get("Metrics", [])),
        ]:
            if each.get("MetricName") == metric:
                found += [name_of(dimension["Value"]) for dimension in each.get("Dimensions", [])]
    return found


def name_of(value: Any) -> str:
    return str(value.get("Ref") or value["Fn::GetAtt"].partition(".")[0]) if isinstance(value, dict) else str(value)


def test_the_errors_of_every_function_without_a_route_have_an_alarm() -> None:
    """The gateway counts those of the others as 5XX."""
    behind = {
        name
        for name, each in FUNCTIONS.items()
        if all(event["Type"] != "Api" for event in each.get("Events", {}).values())
    }

    assert sorted(behind - set(watched("Errors"))) == []


def test_each_queue_has_an_alarm_of_its_age_or_is_of_dead_letters() -> None:
    work = [name for name in QUEUES if not name.endswith("DeadLetters")]

    assert set(watched("ApproximateAgeOfOldestMessage")) == set(work)


def code() -> str:
    """All code of the functions and the layer."""
    return "".join(
        path.read_text("utf-8")
        for folder in ("functions", "layers/shared/billing")
        for path in (ROOT / folder).rglob("*.py")
    )


def test_a_metric_filter_counts_lines_that_the_code_writes() -> None:
    """A renamed message would silence its alarm."""
    for properties in FILTERS.values():
        assert properties["LogGroupName"] == {"Ref": "Logs"}
        for message in re.findall(r'\$\.message = "([^"]+)"', properties["FilterPattern"]):
            assert f'"{message}"' in code(), message
    patterns = {name: properties["FilterPattern"] for name, properties in FILTERS.items()}
    assert stripe_gateway.REFUSED in patterns["StripeRefusesLines"]
    assert stripe_gateway.OTHER_MERCHANT in patterns["OtherMerchantLines"]


def test_each_own_metric_is_counted_by_a_filter_and_watched_by_an_alarm() -> None:
    own = {"Fn::Sub": "livello-${Stage}"}
    counted = {each["MetricName"] for filters in FILTERS.values() for each in filters["MetricTransformations"]}

    assert all(
        each["MetricNamespace"] == own for filters in FILTERS.values() for each in filters["MetricTransformations"]
    )
    assert counted == {each["MetricName"] for each in ALARMS.values() if each.get("Namespace") == own}


# ---- The dashboard -----------------------------------------------------------------------------------


def widgets() -> list[dict[str, Any]]:
    body = resources()["Figures"]["Properties"]["DashboardBody"]["Fn::Sub"]
    parsed: list[dict[str, Any]] = json.loads(re.sub(r"\$\{[\w.:]+\}", lambda found: found[0][2:-1], body))["widgets"]
    return parsed


def spelt_out(metrics: list[list[Any]]) -> list[tuple[str, ...]]:
    """Each metric as namespace, name and dimensions. "." repeats a value of the one before, "..." all up to here."""
    found: list[tuple[str, ...]] = []
    for metric in metrics:
        values = [each for each in metric if not isinstance(each, dict)]
        before = list(found[-1]) if found else []
        if values[0] == "...":
            values = [*before[: len(before) - len(values) + 1], *values[1:]]
        found.append(tuple(before[place] if value == "." else value for place, value in enumerate(values)))
    return found


def test_the_dashboard_has_at_most_ten_figures_that_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in widgets():
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert 0 <= widget["x"] <= widget["x"] + widget["width"] <= WIDTH
        assert not cells & taken
        taken |= cells
        assert widget["type"] == "metric"
        assert set(widget["properties"]) <= {"title", "region", "period", "stat", "metrics"}
        assert widget["properties"]["period"] % 60 == 0

    assert 1 <= len(widgets()) <= FIGURES_MAX


def test_the_dashboard_costs_nothing_and_shows_what_exists() -> None:
    shown = [metric for widget in widgets() for metric in spelt_out(widget["properties"]["metrics"])]

    assert len(shown) <= METRICS_OF_FREE_DASHBOARDS
    for namespace, name, *dimensions in shown:
        assert len(dimensions) % 2 == 0, (namespace, name)
        for key, value in zip(dimensions[::2], dimensions[1::2], strict=True):
            assert key in {"ApiName", "Stage", "QueueName", "FunctionName", "TableName"}
            if key in {"QueueName", "FunctionName", "TableName"}:
                assert value.removesuffix(".QueueName") in resources(), value


def test_the_dashboard_shows_every_queue_and_every_own_metric() -> None:
    shown = {metric for widget in widgets() for metric in spelt_out(widget["properties"]["metrics"])}
    queues = {value.removesuffix(".QueueName") for metric in shown for value in metric if value.endswith(".QueueName")}
    counted = {each["MetricName"] for filters in FILTERS.values() for each in filters["MetricTransformations"]}

    assert queues == set(QUEUES)
    assert counted <= {name for namespace, name, *_ in shown if namespace == "livello-Stage"}


@pytest.mark.parametrize("folder", ["docs/runbook", "https://git.example.com/livello/-/blob/v1.2/docs/runbook"])
def test_a_description_ends_with_where_its_page_is(folder: str) -> None:
    """The default names a file of the project: nobody but the deployer knows where a browser finds it."""
    assert template()["Parameters"]["RunbookUrl"]["Default"] == "docs/runbook"
    assert re.fullmatch(template()["Parameters"]["RunbookUrl"]["AllowedPattern"], folder)
    alarms = {
        name: each["Properties"]["AlarmDescription"]
        for name, each in resolved({"RunbookUrl": folder, "VatNumberCheck": "on"}).items()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }

    assert set(alarms) == set(ALARMS)
    for name, description in alarms.items():
        link = description.split()[-1]
        assert link.startswith(f"{folder}/"), name
        assert (RUNBOOK / link.removeprefix(f"{folder}/")).is_file(), name


def test_a_folder_of_pages_ends_without_a_slash() -> None:
    pattern = template()["Parameters"]["RunbookUrl"]["AllowedPattern"]

    for folder in ("https://git.example.com/docs/runbook/", "", "a b", f"https://{'x' * 200}"):
        assert not re.fullmatch(pattern, folder), folder


@pytest.mark.parametrize("alarm", [name for name, each in FILTERS.items() if "$.type" in each["FilterPattern"]])
def test_a_filter_by_type_is_of_an_event_that_there_is(alarm: str) -> None:
    [kind] = re.findall(r'\$\.type = "([^"]+)"', FILTERS[alarm]["FilterPattern"])

    assert EventType(kind) in AUDIENCES, "Notify writes the line"
