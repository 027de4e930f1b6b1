"""Processes that go on after `make run` has ended, and are found again by the next one."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from local.settings import HOST, ROOT, LocalError

POLL_SECONDS = 0.05
STOP_SECONDS_MAX = 60
LOG_TAIL_LINES = 30


@dataclass(frozen=True, slots=True)
class Background:
    """One process with a log and a pid file.

    The process holds a lock on its pid file as long as it lives. So a pid that the system has given to somebody
    else meanwhile is never taken for ours, and never killed.
    """

    name: str
    folder: Path

    # Whoever stops a process of this very program has not always the object that has started it. Elsewhere it is empty.
    _children: ClassVar[dict[Path, subprocess.Popen[bytes]]] = {}

    @property
    def pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    @property
    def log_file(self) -> Path:
        return self.folder / f"{self.name}.log"

    def running(self) -> bool:
        """Whether it lives."""
        if not self.pid_file.exists():
            return False
        with self.pid_file.open("rb") as lock:
            return not _locked(lock.fileno())

    def start(self, command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        """Starts it in a session of its own, so that closing the terminal does not end it."""
        with self.pid_file.open("a+b") as lock, self.log_file.open("wb") as log:
            if not _locked(lock.fileno()):
                raise LocalError(f"{self.name} is running already.")
            child = subprocess.Popen(
                [str(part) for part in command],
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[lock.fileno()],  # the lock goes over to the process
                start_new_session=True,
            )
            self._children[self.pid_file] = child
            lock.truncate(0)
            lock.write(str(child.pid).encode())

    def stop(self) -> None:
        """Asks it to end, and waits until it has. Does nothing if it does not run.

        It is never killed: what the emulated AWS holds is saved while it ends, and only then.
        """
        if self.running():
            pid = int(self.pid_file.read_text("ascii"))
            os.kill(pid, signal.SIGTERM)
            if not wait_until(lambda: not self.running(), STOP_SECONDS_MAX):
                raise LocalError(f"{self.name} (process {pid}) does not end. See {self.log_file}.")
        self.pid_file.unlink(missing_ok=True)
        child = self._children.pop(self.pid_file, None)
        if child is not None:
            child.wait(STOP_SECONDS_MAX)

    def log_tail(self) -> str:
        """The last lines of what it said."""
        return tail(self.log_file)


def _locked(descriptor: int) -> bool:
    """Whether this process has got the lock, because nobody else holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def tail(file: Path) -> str:
    """The last lines of a log, to be shown beside an error."""
    if not file.exists():
        return ""
    return "\n".join(file.read_text("utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:])


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(POLL_SECONDS)
    return condition()


def port_is_free(port: int) -> bool:
    """Whether something can listen there."""
    with socket.socket() as listener:
        # As servers do: a connection that has just ended does not keep the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Some port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port
