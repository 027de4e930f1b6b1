"""Processes that go on after `make run` has ended, and are found again by the next one."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, ClassVar

from local.settings import HOST, ROOT, LocalError

POLL_SECONDS = 0.05
STOP_SECONDS_MAX = 60
FORCED_SECONDS_MAX = 5
PID_DIGITS_MAX = 20
LOG_TAIL_LINES = 30


@dataclass(frozen=True, slots=True)
class Background:
    """One process with a log and a pid file.

    The process holds a lock on its pid file as long as it lives. So a pid that the system has given to another
    process meanwhile is never taken for ours, and never ended.
    """

    name: str
    folder: Path

    # The object that ends a process of this very program is not always the one that has started it.
    _children: ClassVar[dict[Path, subprocess.Popen[bytes]]] = {}

    @property
    def pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    @property
    def log_file(self) -> Path:
        return self.folder / f"{self.name}.log"

    def running(self) -> bool:
        """Whether it lives."""
        try:
            with self.pid_file.open("rb") as lock:
                return not _locked(lock.fileno())
        except FileNotFoundError:
            return False

    def was_killed(self) -> bool:
        """Whether it has ended without being asked to: its pid file is still there."""
        return self.pid_file.exists() and not self.running()

    def start(self, command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        """Starts it in a session of its own, so that closing the terminal does not end it.

        Raises OSError on a full disk; nothing runs then.
        """
        with _opened(self.pid_file) as lock, self.log_file.open("wb") as log:
            if not _locked(lock.fileno()):
                raise LocalError(f"{self.name} is running already.")
            # The room for the pid is taken before there is a process: afterwards a full disk would hide it.
            _write_pid(lock.fileno(), b"")
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
            try:
                _write_pid(lock.fileno(), str(child.pid).encode())
            except OSError:
                child.kill()
                child.wait(STOP_SECONDS_MAX)
                raise
            self._children[self.pid_file] = child

    def stop(self, *, by_force: bool = False) -> None:
        """Asks it to end, and waits until it has. Does nothing if it does not run.

        Only by force is it killed if it does not end, and what it has not saved is lost.
        """
        if self.running():
            pid = self._pid()
            _send(signal.SIGTERM, pid)
            if not wait_until(lambda: not self.running(), FORCED_SECONDS_MAX if by_force else STOP_SECONDS_MAX):
                if not by_force:
                    raise LocalError(f"{self.name} (process {pid}) does not end. See {self.log_file}.")
                _send(signal.SIGKILL, pid)
                wait_until(lambda: not self.running(), STOP_SECONDS_MAX)
        self.has_ended()

    def has_ended(self) -> None:
        """Forgets a process that has ended."""
        self.pid_file.unlink(missing_ok=True)
        child = self._children.pop(self.pid_file, None)
        if child is not None:
            child.wait(STOP_SECONDS_MAX)

    def log_tail(self) -> str:
        """The last lines of what it said."""
        return tail(self.log_file)

    def _pid(self) -> int:
        """The pid of the living process. Raises LocalError if nothing tells it."""
        written = self.pid_file.read_bytes().strip()
        if written.isdigit():
            return int(written)
        # The file is damaged, by a full disk for example. The process still holds it open.
        for pid in _holders(self.pid_file):
            if pid != os.getpid():
                return pid
        raise LocalError(
            f"{self.pid_file} is damaged, and {self.name} is still running. End that process yourself "
            f"(lsof {self.pid_file} names it), and try again."
        )


def _send(number: signal.Signals, pid: int) -> None:
    with suppress(ProcessLookupError):  # it has just ended
        os.kill(pid, number)


def _opened(file: Path) -> BinaryIO:
    """To be read and written; made if it is missing. Its content stays."""
    return os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)


def _write_pid(descriptor: int, pid: bytes) -> None:
    """In place, because the lock is on this very file. Raises OSError."""
    os.pwrite(descriptor, pid.ljust(PID_DIGITS_MAX), 0)
    os.fsync(descriptor)


def _holders(file: Path) -> list[int]:
    """Who has the file open. Found on Linux by itself, elsewhere by lsof if it is there."""
    processes = Path("/proc")
    if (processes / "self" / "fd").is_dir():
        return [int(each.name) for each in processes.iterdir() if each.name.isdecimal() and _has_open(each, file)]
    try:
        listed = subprocess.run(["lsof", "-t", str(file)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return []
    return [int(each) for each in listed.stdout.split()]


def _has_open(process: Path, file: Path) -> bool:
    try:
        return any(each.samefile(file) for each in (process / "fd").iterdir() if each.exists())
    except OSError:  # it is another person's, or has ended
        return False


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


class PortState(StrEnum):
    """Whether a server of ours can listen on a port."""

    FREE = "free"
    TAKEN = "taken"
    FORBIDDEN = "forbidden"
    """To this person: the system keeps ports below 1024 for its administrator."""


def port_state(port: int) -> PortState:
    """Tries it."""
    with socket.socket() as listener:
        # As servers do: a connection that has just ended does not keep the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except PermissionError:
            return PortState.FORBIDDEN
        except OSError:
            return PortState.TAKEN
    return PortState.FREE


def port_is_free(port: int) -> bool:
    """Whether something can listen there."""
    return port_state(port) is PortState.FREE


def free_port() -> int:
    """Some port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port
