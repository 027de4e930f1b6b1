"""Files in which a local stack keeps what it must find again: written whole or not at all, read with a clear error."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from local.settings import LocalError


def write_file(file: Path, content: bytes) -> None:
    """Replaces the file by one with this content. Raises OSError, and the file is then as it was."""
    fresh = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        with fresh.open("wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        fresh.replace(file)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def write_json(file: Path, content: Any) -> None:
    """As write_file, in JSON."""
    write_file(file, json.dumps(content).encode())


def read_json(file: Path, remedy: str) -> Any:
    """What the file holds; None if there is none. Raises LocalError, with the remedy, for what is no JSON object."""
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise LocalError(f"{file} is damaged: it does not hold what was written there. {remedy}")
    return content


def sync_folder(folder: Path) -> None:
    """Makes what was renamed in the folder last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
