"""Writes what an earlier release stored and answered as the fixture of tests/functions/test_earlier_release.py."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.upgrade.answers import Answers
from tests.upgrade.running_stack import Item, Snapshot

MANY = ("CONTENT#", "DECISION#", "DELIVERY#", "EVENT#", "MARKER#")
"""Families of which the fixture has the last few of each account, and not all."""

FEW = 6
LEFT_OUT = re.compile("/autoscaling$|/events$|/usage|/archive$|/export$|/slots$|/reviews/")
"""Paths whose answers need the items that are left out."""


def record(file: Path, commit: str, now: datetime, before: Snapshot, answers: Answers, stripe: Path) -> None:
    """Writes the fixture: an item, an answer or an object of Stripe per line. `stripe` is the stand-in's file."""
    account = json.loads(stripe.read_text("utf-8"))
    account["objects"]["event"], account["keys"], account["undelivered"] = {}, {}, []
    said = {
        path: each.body
        for path, each in answers.by_path.items()
        if each.status == 200 and each.body is not None and not LEFT_OUT.search(path)
    }
    parts = {
        "commit": commit,
        "now": now.isoformat(),
        "stripe": {name: value for name, value in account.items() if name != "objects"},
    }
    lines = [f"{_text(name)}: {_text(value)}" for name, value in parts.items()]
    lines.append(_block("objects", account["objects"]))
    lines.append(_block("answers", said))
    items = ",\n".join(map(_text, _some(before.items)))
    lines.append(f'"items": [\n{items}\n]')
    file.write_text("{" + ",\n".join(lines) + "}\n", "utf-8")


def _some(items: Mapping[Any, Item]) -> Iterator[Item]:
    written: Counter[tuple[str, str]] = Counter()
    for (pk, sk), item in sorted(items.items(), reverse=True):
        family = next((each for each in MANY if sk.startswith(each)), None)
        if family is not None:
            written[pk, family] += 1
            if written[pk, family] > FEW:
                continue
        yield item


def _block(name: str, values: Mapping[str, Any]) -> str:
    each = ",\n".join(f"{_text(key)}: {_text(value)}" for key, value in values.items())
    return f"{_text(name)}: {{\n{each}\n}}"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
