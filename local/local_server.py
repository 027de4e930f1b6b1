"""One of our own servers of a local stack: a process with a port, started anew when its code or its options change."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.background import Background, port_is_free, wait_until
from local.environment import python_module, tool_environment
from local.settings import LocalError
from local.state_files import read_json, write_json

START_SECONDS_MAX = 15


@dataclass(frozen=True, slots=True)
class LocalServer:
    """`module` is run with `options`, listens on `port`, and is made of the files in `code`."""

    name: str
    title: str
    """For messages: "The mail sink"."""

    folder: Path
    port: int
    module: str
    options: Sequence[str]
    code: Sequence[Path]

    @property
    def process(self) -> Background:
        return Background(self.name, self.folder)

    def start(self) -> None:
        """Starts it, unless it runs as it should. Raises LocalError if it does not start, OSError on a full disk."""
        if self.runs_as_it_should():
            return
        self.stop()
        # Before the start: what runs without a record would be taken for one of another version, and started anew.
        write_json(self._record, self._wanted())
        command = [*python_module(self.module), *self.options, "--port", str(self.port)]
        self.process.start(command, tool_environment(self.folder))
        wait_until(lambda: not port_is_free(self.port) or not self.process.running(), START_SECONDS_MAX)
        if not self.process.running():
            raise LocalError(f"{self.title} does not start.\n{self.process.log_tail()}")

    def runs_as_it_should(self) -> bool:
        """Whether it runs with these options and this code."""
        return self._started_with() == self._wanted()

    def running_port(self) -> int | None:
        """Where it listens; None if it does not run, or nothing says how it was started."""
        port = self._started_with().get("port", "")
        return int(port) if port.isdecimal() else None

    def stop(self, *, by_force: bool = False) -> None:
        """Ends it. What it holds stays."""
        self.process.stop(by_force=by_force)

    @property
    def _record(self) -> Path:
        return self.folder / f"{self.name}.json"

    def _wanted(self) -> dict[str, str]:
        code = hashlib.sha256(b"".join(each.read_bytes() for each in self.code)).hexdigest()
        return {"port": str(self.port), "options": "\0".join(self.options), "code": code}

    def _started_with(self) -> dict[str, str]:
        """Empty if it does not run, or nobody knows how it was started."""
        if not self.process.running():
            return {}
        try:
            return read_json(self._record, "") or {}
        except LocalError:
            return {}
