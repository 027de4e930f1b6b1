"""Writes docs/events/ from the code: the JSON Schema of every kind of event, by type and version.

With --check it writes nothing, and fails if the committed files differ from the code.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import get_args

from billing.correspondence.event_kinds import SCHEMA_OF

FOLDER = Path(__file__).parent.parent / "docs" / "events"


def schemas() -> dict[str, str]:
    """The text of each schema, by file name, from the code."""
    return {
        "{}.v{}.json".format(*(get_args(schema.model_fields[name].annotation)[0] for name in ("type", "version"))): (
            json.dumps(schema.model_json_schema(mode="serialization"), indent=2) + "\n"
        )
        for schema in SCHEMA_OF.values()
    }


def committed() -> dict[str, str]:
    """The text of each committed schema, by file name."""
    return {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}


def main() -> int:
    """Writes the schemas, or compares them with --check. Returns the exit status."""
    if "--check" in sys.argv:
        if committed() == schemas():
            return 0
        sys.stderr.write("docs/events/ is not what the code says: make openapi\n")
        return 1
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.json"):
        path.unlink()
    for name, schema in schemas().items():
        (FOLDER / name).write_text(schema, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
