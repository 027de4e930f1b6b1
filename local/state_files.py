"""The state files of a local stack: written whole or not at all, and read with a clear error."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from local.settings import LocalError


def write_file(file: Path, content: bytes) -> None:
    """Replaces the file's content, and syncs it to the disk. Raises OSError; the file is then unchanged."""
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
    """Writes JSON as `write_file` does."""
    write_file(file, json.dumps(content).encode())


def read_json(file: Path, remedy: str) -> Any:
    """The JSON object in the file; None if there is no file. Raises LocalError, with the remedy, for other content."""
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
    """Syncs the folder to the disk, so a renamed file survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
