"""A server of the local stack: a process with a port, which is restarted when its code or its options change."""

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
    """A process that runs `module` with `options`, listens on `port`, and depends on the files in `code`."""

    name: str
    title: str
    """The name in messages, such as "The mail sink"."""

    folder: Path
    port: int
    module: str
    options: Sequence[str]
    code: Sequence[Path]

    @property
    def process(self) -> Background:
        return Background(self.name, self.folder)

    def start(self) -> None:
        """Starts or restarts it, unless it is current.

        Raises LocalError if it does not start, and OSError on a full disk.
        """
        if self.is_current():
            return
        self.stop()
        # Written first: a process without a record would be restarted by the next command.
        write_json(self._record, self._configuration())
        command = [*python_module(self.module), *self.options, "--port", str(self.port)]
        self.process.start(command, tool_environment(self.folder))
        wait_until(lambda: not port_is_free(self.port) or not self.process.running(), START_SECONDS_MAX)
        if not self.process.running():
            raise LocalError(f"{self.title} does not start.\n{self.process.log_tail()}")

    def is_current(self) -> bool:
        """Whether it runs with these options and this code."""
        return self._running_configuration() == self._configuration()

    def running_port(self) -> int | None:
        """The port of the running process; None if it does not run, or its port is not on record."""
        port = self._running_configuration().get("port", "")
        return int(port) if port.isdecimal() else None

    def stop(self, *, by_force: bool = False) -> None:
        """Ends it. Its files stay. Raises LocalError if it does not end, unless `by_force`."""
        self.process.stop(by_force=by_force)

    @property
    def _record(self) -> Path:
        return self.folder / f"{self.name}.json"

    def _configuration(self) -> dict[str, str]:
        code = hashlib.sha256(b"".join(each.read_bytes() for each in self.code)).hexdigest()
        return {"port": str(self.port), "options": "\0".join(self.options), "code": code}

    def _running_configuration(self) -> dict[str, str]:
        """The configuration of the running process; empty if it does not run, or nothing is on record."""
        if not self.process.running():
            return {}
        try:
            return read_json(self._record, "") or {}
        except LocalError:
            return {}
