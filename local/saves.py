"""The saves of the emulated AWS: each is a folder that is complete or does not exist.

`<folder>/saves/00000012` holds the whole state of one moment. The newest two are kept. The folder's modification time
says up to when the save is complete. Standard library only, because the emulator's own Python imports this.
"""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from local.settings import LocalError
from local.state_files import read_json, sync_folder

SAVES_MAX = 2
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
        """The moment up to which the save is complete."""
        return datetime.fromtimestamp(self.folder.stat().st_mtime, UTC)

    def confirm(self) -> None:
        """Records that nothing has changed since. Raises OSError."""
        os.utime(self.folder)


@dataclass(frozen=True, slots=True)
class Saves:
    """The saves of one stack."""

    folder: Path

    def all(self) -> list[Save]:
        """All saves, newest first."""
        if not self.folder.is_dir():
            return []
        saves = [Save(each) for each in self.folder.iterdir() if each.name.isdecimal() and each.is_dir()]
        return sorted(saves, key=lambda each: each.number, reverse=True)

    def newest(self) -> Save | None:
        return next(iter(self.all()), None)

    def begin(self) -> Path:
        """Creates an empty folder to save into. Raises OSError.

        Removes unfinished folders. So an older save that is still being written can no longer be committed: the one
        that began last wins.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for each in self.folder.glob(f"*{_UNFINISHED}"):
            shutil.rmtree(each)
        unfinished = self.folder / f"{secrets.token_hex(8)}{_UNFINISHED}"
        unfinished.mkdir(mode=0o700)
        return unfinished

    def commit(self, unfinished: Path, at: float) -> Save:
        """Makes the folder the newest save, and removes the oldest. Raises OSError; earlier saves then stay.

        `at` is the POSIX time of the state.
        """
        for each in [*unfinished.rglob("*")]:
            if each.is_file():
                with each.open("rb") as opened:
                    os.fsync(opened.fileno())
        os.utime(unfinished, (at, at))
        newest = self.newest()
        save = Save(self.folder / f"{(newest.number if newest else 0) + 1:08}")
        unfinished.rename(save.folder)
        sync_folder(self.folder)
        for old in self.all()[SAVES_MAX:]:
            shutil.rmtree(old.folder, ignore_errors=True)  # the next commit tries again
        return save

    def check(self) -> None:
        """Raises LocalError if the newest save is damaged. The message names the file and the way to go on."""
        newest = self.newest()
        if newest is None:
            return
        earlier = [each for each in self.all() if each.number < newest.number]
        back = f"to the save of {earlier[0].at:%Y-%m-%d %H:%M:%S} UTC" if earlier else "to an empty stack"
        remedy = f"Remove the folder {newest.folder} to go back {back}; make clean deletes everything."
        for file in sorted(newest.folder.glob("*.json")):
            content = read_json(file, remedy)
            # Cloud.start changes the payload of this file.
            if file.name == "lambda.json" and not isinstance((content or {}).get("payload"), dict):
                raise LocalError(f"{file} is damaged: it has no payload. {remedy}")

    def restore(self, state: Path) -> Save | None:
        """Copies the newest save to the emulator's state folder. Returns it; None if there is none.

        Without a save, the state of an older version of Livello stays there. Raises LocalError for a damaged save.
        """
        self.check()
        newest = self.newest()
        if newest is not None:
            shutil.rmtree(state, ignore_errors=True)
            shutil.copytree(newest.folder, state)
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        return newest
