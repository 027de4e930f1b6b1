"""The saves of the emulated AWS: each a folder of its own that is complete, or is not there.

`<folder>/saves/00000012` holds everything of that moment. The newest two are kept. A folder's time is the moment up to
which nothing that the save does not hold has happened. Standard library only: the emulator's own Python runs this too.
"""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from local.state_files import read_json, sync_folder

KEPT = 2
_UNFINISHED = ".part"


@dataclass(frozen=True, slots=True)
class Save:
    """One save."""

    folder: Path

    @property
    def number(self) -> int:
        return int(self.folder.name)

    @property
    def at(self) -> datetime:
        """Up to when it holds everything."""
        return datetime.fromtimestamp(self.folder.stat().st_mtime, UTC)

    def still_holds(self) -> None:
        """Notes that nothing has happened since. Raises OSError."""
        os.utime(self.folder)


@dataclass(frozen=True, slots=True)
class Saves:
    """The saves of one stack."""

    folder: Path

    def all(self) -> list[Save]:
        """Newest first."""
        if not self.folder.is_dir():
            return []
        found = [Save(each) for each in self.folder.iterdir() if each.name.isdecimal() and each.is_dir()]
        return sorted(found, key=lambda each: each.number, reverse=True)

    def newest(self) -> Save | None:
        return next(iter(self.all()), None)

    def begin(self) -> Path:
        """An empty folder to save into. Raises OSError.

        Removes what a cut-off save has left behind. A save that is still being written can then no longer be committed:
        the one that began last wins.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for each in self.folder.glob(f"*{_UNFINISHED}"):
            shutil.rmtree(each)
        unfinished = self.folder / f"{secrets.token_hex(8)}{_UNFINISHED}"
        unfinished.mkdir(mode=0o700)
        return unfinished

    def commit(self, unfinished: Path, at: float) -> Save:
        """Makes it the newest save, and removes the oldest. Raises OSError; the former saves are then as they were."""
        for each in [*unfinished.rglob("*")]:
            if each.is_file():
                with each.open("rb") as opened:
                    os.fsync(opened.fileno())
        os.utime(unfinished, (at, at))
        newest = self.newest()
        save = Save(self.folder / f"{(newest.number if newest else 0) + 1:08}")
        unfinished.rename(save.folder)
        sync_folder(self.folder)
        for old in self.all()[KEPT:]:
            shutil.rmtree(old.folder, ignore_errors=True)  # the next one tries again
        return save

    def check(self) -> None:
        """Raises LocalError if the newest one is damaged: names the file, and how to go on without it."""
        newest = self.newest()
        if newest is None:
            return
        former = [each for each in self.all() if each.number < newest.number]
        back = f"to what was saved at {former[0].at:%Y-%m-%d %H:%M:%S} UTC" if former else "to an empty stack"
        remedy = f"Remove the folder {newest.folder} to go back {back}; make clean forgets everything."
        for file in sorted(newest.folder.glob("*.json")):
            read_json(file, remedy)

    def restore(self, state: Path) -> Save | None:
        """Puts the newest save where the emulator looks for its state. Returns it; None if there is none.

        Without a save, state that an older version has left there stays. Raises LocalError for a damaged save.
        """
        self.check()
        newest = self.newest()
        if newest is not None:
            shutil.rmtree(state, ignore_errors=True)
            shutil.copytree(newest.folder, state)
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        return newest
