"""The emulated AWS: ministack as a background process, and clients that reach only this process."""

from __future__ import annotations

import functools
import hashlib
import http.client
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.session import Session

from local.background import Background, wait_until
from local.environment import tool_environment
from local.saves import Saves
from local.settings import CLOUD_PORT_VARIABLE, HOST, REGION, ROOT, LocalError, Settings, remembered_ports
from local.state_files import read_json, write_json

START_SECONDS_MAX = 60
STOP_REQUEST_SECONDS_MAX = 60
CLOUD_PYTHON = ROOT / ".venvs" / "cloud" / "bin" / "python"

_CODE = tuple(ROOT / "local" / each for each in ("emulator.py", "saves.py", "state_files.py"))

CREDENTIALS = "test"
"""Key and secret of the emulated account's root. They are worthless elsewhere."""

# proxies={}: requests to this machine must not go through a person's proxy.
_CONFIG = Config(connect_timeout=5, read_timeout=60, proxies={})


def client(settings: Settings, service: str) -> Any:
    """A boto3 client of one service of the emulated AWS."""
    return _session().client(
        service,  # type: ignore[call-overload] # the stubs know only literal names
        endpoint_url=settings.cloud_address,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS,
        aws_secret_access_key=CREDENTIALS,
        config=_CONFIG,
    )


@functools.cache
def _session() -> boto3.Session:
    """A session that ignores a person's profiles, which may be missing or malformed."""
    nothing: dict[str, Any] = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    return boto3.Session(botocore_session=Session(session_vars=nothing))


@dataclass(slots=True)
class Cloud:
    """The emulated AWS of one stack."""

    settings: Settings
    process: Background

    @classmethod
    def of(cls, settings: Settings) -> Cloud:
        return cls(settings, Background("ministack", settings.folder))

    def start(self, tell: Callable[[str], None] = lambda _: None) -> None:
        """Starts it, unless it runs with the current configuration. Does not wait: see wait_until_ready.

        Tells what is lost if it was killed. Raises LocalError if the saved state is damaged. A running emulator with
        another configuration is restarted; if it cannot save, it goes on and LocalError is raised. Raises OSError on a
        full disk.
        """
        folder, configuration = self.settings.folder, self._configuration()
        if self._running_configuration() == configuration:
            return
        killed = self.process.was_killed()
        self.stop()
        save = self.saves.restore(folder / "state")
        _forget_stream_positions(folder / "state" / "lambda.json")
        # The last run's Lambda workers have left their folders behind.
        shutil.rmtree(folder / "tmp", ignore_errors=True)
        (folder / "s3").mkdir(parents=True, exist_ok=True)
        environment = {**tool_environment(folder), **configuration}
        if killed and self.settings.persistent:
            state = f"as it was at {save.at:%Y-%m-%d %H:%M:%S} UTC" if save else "empty: it had not been saved yet"
            tell(f"The emulated AWS was not ended by make stop. It comes back {state}; what followed is lost.")
        write_json(self._record, configuration)
        self.process.start([CLOUD_PYTHON, "-m", "local.emulator"], environment)

    def end_if_changed(self) -> None:
        """Ends it if it runs with another configuration. Raises LocalError if it cannot save; it then goes on."""
        if self.process.running() and self._running_configuration() != self._configuration():
            self.stop()

    def wait_until_ready(self) -> None:
        """Returns when it answers. Raises LocalError after START_SECONDS_MAX, or if it has ended."""
        wait_until(lambda: self._ready() or not self.process.running(), START_SECONDS_MAX)
        if not self._ready():
            raise LocalError(f"The emulated AWS does not start.\n{self.process.log_tail()}")

    def running_port(self) -> int | None:
        """The port of the running process; None if it does not run, or its port is not on record."""
        port = self._running_configuration().get("GATEWAY_PORT", "")
        if port.isdecimal():
            return int(port)
        with suppress(LocalError):
            return remembered_ports(self.settings.folder).get(CLOUD_PORT_VARIABLE) if self.process.running() else None
        return None

    def stop(self, *, by_force: bool = False) -> None:
        """Ends it. A persistent emulator saves its state first.

        Raises LocalError if it cannot save; it then goes on. With `by_force` it is ended without saving.
        """
        if self.settings.persistent and not by_force:
            self._save_and_end()
        self.process.stop(by_force=by_force)

    @property
    def saves(self) -> Saves:
        return Saves(self.settings.folder / "saves")

    def _save_and_end(self) -> None:
        port = self.running_port()
        if port is None:
            return
        connection = http.client.HTTPConnection(HOST, port, timeout=STOP_REQUEST_SECONDS_MAX)
        try:
            connection.request("POST", "/_livello/stop", headers={"X-Livello": "stop"})
            answer = connection.getresponse()
            reason = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as failure:
            raise LocalError(
                f"The emulated AWS does not answer ({failure}), so it is not ended: it would lose its unsaved state. "
                f"See {self.process.log_file}; make clean ends it and deletes its state."
            ) from failure
        finally:
            connection.close()
        if answer.status == HTTPStatus.INSUFFICIENT_STORAGE:
            raise LocalError(
                f"The emulated AWS cannot save its state, so it goes on: {reason}\n"
                "Make room, and try again; make clean ends it and deletes its state."
            )
        # An older version gives another answer, and saves while it ends.

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.settings.cloud_port, timeout=5)
        try:
            connection.request("GET", "/_ministack/ready")
            return connection.getresponse().status == HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    @property
    def _record(self) -> Path:
        return self.settings.folder / "ministack.json"

    def _running_configuration(self) -> dict[str, str]:
        """The configuration of the running process; empty if it does not run, or nothing is on record."""
        if not self.process.running():
            return {}
        try:
            return read_json(self._record, "") or {}
        except LocalError:
            return {}

    def _configuration(self) -> dict[str, str]:
        """The variables that configure ministack. If they change, it is restarted."""
        settings = self.settings
        persist = "1" if settings.persistent else "0"
        return {
            "GATEWAY_PORT": str(settings.cloud_port),
            "BIND_HOST": HOST,
            "MINISTACK_REGION": REGION,
            # Roles are enforced: a permission that is missing from template.yaml is missing here as well.
            "AUTH": "true",
            # These services would listen on ports of their own.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # The mail sink. Without it, ministack drops attachments.
            "SMTP_HOST": f"{HOST}:{settings.mail_port}",
            "LOG_LEVEL": "WARNING",
            "PERSIST_STATE": persist,
            "S3_PERSIST": persist,
            "STATE_DIR": str(settings.folder / "state"),
            "S3_DATA_DIR": str(settings.folder / "s3"),
            "LIVELLO_SAVES": str(self.saves.folder) if settings.persistent else "",
            # Not read by ministack. It changes with the code and the lock, so the next "make run" restarts it.
            "LIVELLO_LOCK": hashlib.sha256(
                b"".join(each.read_bytes() for each in (ROOT / "uv.lock", *_CODE))
            ).hexdigest(),
        }


def _forget_stream_positions(state: Path) -> None:
    """Removes the stream positions from the saved state of Lambda.

    ministack 1.5.33 saves how far a stream was read, but not the stream. After a restart its reader would wait for as
    many new writes.
    """
    saved = read_json(state, "make clean deletes it.")
    if saved is not None:
        saved["payload"]["dynamodb_stream_positions"] = {"__account_region_scoped__": True, "data": {}}
        state.write_text(json.dumps(saved), "utf-8")
