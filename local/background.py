"""Background processes: they outlive `make run`, and the next command finds them by their pid files."""

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

    The process holds a lock on its pid file as long as it lives. So if the system gives its pid to another process
    later, that process is never taken for ours and never ended.
    """

    name: str
    folder: Path

    # By pid file, because another Background object may end a process that this program has started.
    _children: ClassVar[dict[Path, subprocess.Popen[bytes]]] = {}

    @property
    def pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    @property
    def log_file(self) -> Path:
        return self.folder / f"{self.name}.log"

    def running(self) -> bool:
        """Whether the process lives, judged by the lock on its pid file."""
        try:
            with self.pid_file.open("rb") as lock:
                return not _locked(lock.fileno())
        except FileNotFoundError:
            return False

    def was_killed(self) -> bool:
        """Whether it ended without `stop`: its pid file is still there."""
        return self.pid_file.exists() and not self.running()

    def start(self, command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        """Starts it in a session of its own, so it survives the terminal.

        Raises LocalError if it runs already, and OSError on a full disk; then no new process is left running.
        """
        with _opened(self.pid_file) as lock, self.log_file.open("wb") as log:
            if not _locked(lock.fileno()):
                raise LocalError(f"{self.name} is running already.")
            # Written before the process starts: on a full disk it would run without a pid on record.
            _write_pid(lock.fileno(), b"")
            child = subprocess.Popen(
                [str(part) for part in command],
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[lock.fileno()],  # the process inherits the lock
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
        """Sends SIGTERM and waits until the process has ended. Does nothing if it does not run.

        With `by_force` it is killed if it does not end in time, and unsaved state is lost. Otherwise raises LocalError.
        """
        if self.running():
            pid = self._pid()
            _send(signal.SIGTERM, pid)
            if not wait_until(lambda: not self.running(), FORCED_SECONDS_MAX if by_force else STOP_SECONDS_MAX):
                if not by_force:
                    raise LocalError(f"{self.name} (process {pid}) does not end. See {self.log_file}.")
                _send(signal.SIGKILL, pid)
                wait_until(lambda: not self.running(), STOP_SECONDS_MAX)
        self._forget()

    def _forget(self) -> None:
        """Removes the record of a process that has ended."""
        self.pid_file.unlink(missing_ok=True)
        child = self._children.pop(self.pid_file, None)
        if child is not None:
            child.wait(STOP_SECONDS_MAX)

    def log_tail(self) -> str:
        """The last lines of its log."""
        return tail(self.log_file)

    def _pid(self) -> int:
        """The pid of the running process. Raises LocalError if it cannot be found."""
        written = self.pid_file.read_bytes().strip()
        if written.isdigit():
            return int(written)
        # The file is damaged, by a full disk for example. The process still has it open.
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
    """The file opened for reading and writing. It is created if it is missing, and its content stays."""
    return os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)


def _write_pid(descriptor: int, pid: bytes) -> None:
    """Writes in place, because the lock belongs to this file and not to its name. Raises OSError."""
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
    """Takes the lock, and returns whether that succeeded: no other process holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def tail(file: Path) -> str:
    """The last lines of a log, for an error message; empty if there is no log."""
    if not file.exists():
        return ""
    return "\n".join(file.read_text("utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:])


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Polls the condition for at most `seconds`. Returns whether it came true."""
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
    """The system reserves ports below 1024 for its administrator."""


def port_state(port: int) -> PortState:
    """Tries to listen on the port, and releases it again."""
    with socket.socket() as listener:
        # As our servers do: a connection that has just ended does not block the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except PermissionError:
            return PortState.FORBIDDEN
        except OSError:
            return PortState.TAKEN
    return PortState.FREE


def port_is_free(port: int) -> bool:
    """Whether a server can listen on the port."""
    return port_state(port) is PortState.FREE


def free_port() -> int:
    """A port that was free a moment ago, chosen by the system."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port
