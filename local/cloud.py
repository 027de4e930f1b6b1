"""The emulated AWS: ministack as a background process, and clients that can reach nothing else."""

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
"""Key and secret of the emulated account's root. They open nothing anywhere else."""

# proxies={}: a proxy of this machine must not be asked for what stands on it.
_CONFIG = Config(connect_timeout=5, read_timeout=60, proxies={})


def client(settings: Settings, service: str) -> Any:
    """A client of one service of the emulated AWS."""
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
    """A session that reads none of a person's profiles: they may not exist, or be malformed."""
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
        """Starts it, unless it runs as it should. Does not wait: see wait_until_ready.

        Tells what is lost if it was killed. Raises LocalError if its state is damaged or, where it must be started
        anew, cannot be saved; what runs then goes on. OSError on a full disk.
        """
        folder, wanted = self.settings.folder, self._wanted()
        if self._started_with() == wanted:
            return
        killed = self.process.was_killed()
        self.stop()
        save = self.saves.restore(folder / "state")
        _forget_stream_positions(folder / "state" / "lambda.json")
        # The functions' workers of the last run have left their folders behind.
        shutil.rmtree(folder / "tmp", ignore_errors=True)
        (folder / "s3").mkdir(parents=True, exist_ok=True)
        environment = {**tool_environment(folder), **wanted}
        if killed and self.settings.persistent:
            goes_back = f"as it was at {save.at:%Y-%m-%d %H:%M:%S} UTC" if save else "empty: it had not been saved yet"
            tell(f"The emulated AWS was not ended by make stop. It comes back {goes_back}; what followed is lost.")
        write_json(self._record, wanted)
        self.process.start([CLOUD_PYTHON, "-m", "local.emulator"], environment)

    def end_if_changed(self) -> None:
        """Ends it if it runs otherwise than it should. Raises LocalError if it cannot save; it then goes on."""
        if self.process.running() and self._started_with() != self._wanted():
            self.stop()

    def wait_until_ready(self) -> None:
        """Returns when it answers. Raises LocalError if it does not."""
        wait_until(lambda: self._ready() or not self.process.running(), START_SECONDS_MAX)
        if not self._ready():
            raise LocalError(f"The emulated AWS does not start.\n{self.process.log_tail()}")

    def running_port(self) -> int | None:
        """Where it listens; None if it does not run, or nothing says how it was started."""
        port = self._started_with().get("GATEWAY_PORT", "")
        if port.isdecimal():
            return int(port)
        with suppress(LocalError):
            return remembered_ports(self.settings.folder).get(CLOUD_PORT_VARIABLE) if self.process.running() else None
        return None

    def stop(self, *, by_force: bool = False) -> None:
        """Ends it. If it is persistent, it saves its state before.

        Raises LocalError if it cannot save, and it goes on. By force it is ended all the same, and nothing is saved.
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
                f"The emulated AWS does not answer ({failure}), so it is not ended: it would lose what it has not "
                f"saved. See {self.process.log_file}; make clean ends and forgets it."
            ) from failure
        finally:
            connection.close()
        if answer.status == HTTPStatus.INSUFFICIENT_STORAGE:
            raise LocalError(
                f"The emulated AWS cannot save its state, so it goes on: {reason}\n"
                "Make room, and try again; make clean ends and forgets it."
            )
        # Any other answer is that of an older version, which saves while it ends.

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

    def _started_with(self) -> dict[str, str]:
        """Empty if it does not run, or nothing says how it was started."""
        if not self.process.running():
            return {}
        try:
            return read_json(self._record, "") or {}
        except LocalError:
            return {}

    def _wanted(self) -> dict[str, str]:
        """The part of its environment that is decided here: another one, and it is started anew."""
        settings = self.settings
        persist = "1" if settings.persistent else "0"
        return {
            "GATEWAY_PORT": str(settings.cloud_port),
            "BIND_HOST": HOST,
            "MINISTACK_REGION": REGION,
            # Roles are enforced: a permission that is missing from template.yaml is missing here as well.
            "AUTH": "true",
            # Both would listen on ports of their own.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # Where it sends mail on to. Without it nothing is left of an attachment.
            "SMTP_HOST": f"{HOST}:{settings.mail_port}",
            "LOG_LEVEL": "WARNING",
            "PERSIST_STATE": persist,
            "S3_PERSIST": persist,
            "STATE_DIR": str(settings.folder / "state"),
            "S3_DATA_DIR": str(settings.folder / "s3"),
            "LIVELLO_SAVES": str(self.saves.folder) if settings.persistent else "",
            # Not read by it: the next "make run" sees by it that its own version has changed, and starts it anew.
            "LIVELLO_LOCK": hashlib.sha256(
                b"".join(each.read_bytes() for each in (ROOT / "uv.lock", *_CODE))
            ).hexdigest(),
        }


def _forget_stream_positions(state: Path) -> None:
    """ministack 1.5.33 saves how far a stream has been read, but not the stream.

    After a restart the reader would wait until the table has seen as many writes again.
    """
    saved = read_json(state, "make clean forgets it.")
    if saved is not None:
        saved["payload"]["dynamodb_stream_positions"] = {"__account_region_scoped__": True, "data": {}}
        state.write_text(json.dumps(saved), "utf-8")
