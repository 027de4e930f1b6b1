"""`python -m benchmarks.aws_limits`: writes what Livello takes of AWS's quotas, and what it costs, into docs/deploy.md.

`make aws-limits` runs it after a change of the template. A test fails while the page has other figures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from benchmarks.costs import tables

PAGE = Path(__file__).parent.parent / "docs" / "deploy.md"


def written(page: str, new: Mapping[str, str]) -> str:
    """The page with the tables at their places. Raises ValueError if a place is missing."""
    for name, table in new.items():
        place = re.compile(rf"(<!-- computed: {name} -->\n)(?:\|[^\n]*\n)*")
        page, found = place.subn(lambda match, table=table: f"{match[1]}{table}\n", page)  # type: ignore[misc]
        if found != 1:
            raise ValueError(f"{PAGE.name} has {found} places for the table {name}.")
    return page


def main() -> None:
    """Writes the tables."""
    PAGE.write_text(written(PAGE.read_text("utf-8"), tables()), "utf-8")


if __name__ == "__main__":
    main()
