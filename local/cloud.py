"""The emulated AWS: ministack as a background process, and clients that can reach nothing else."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local.background import Background, wait_until
from local.settings import HOST, REGION, ROOT, LocalError, Settings

START_SECONDS_MAX = 60
MINISTACK = ROOT / ".venvs" / "cloud" / "bin" / "ministack"

CREDENTIALS = "test"
"""Key and secret of the emulated account's root. They open nothing anywhere else."""

# proxies={}: a proxy of this machine must not be asked for what stands on it.
_CONFIG = Config(connect_timeout=5, read_timeout=60, proxies={})


def client(settings: Settings, service: str) -> Any:
    """A client of one service of the emulated AWS."""
    return boto3.client(
        service,  # type: ignore[call-overload] # the stubs know only literal names
        endpoint_url=settings.cloud_address,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS,
        aws_secret_access_key=CREDENTIALS,
        config=_CONFIG,
    )


def clean_environment() -> dict[str, str]:
    """This process's environment without what would lead to another AWS, another Python or another make."""
    foreign = ("AWS_", "MAKE", "MFLAGS", "PYTHON", "VIRTUAL_ENV", "SAM_CLI_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    local_hosts = ",".join(filter(None, [os.environ.get("NO_PROXY"), HOST, "localhost"]))
    return {**kept, "NO_PROXY": local_hosts, "no_proxy": local_hosts}


@dataclass(slots=True)
class Cloud:
    """The emulated AWS of one stack."""

    settings: Settings
    process: Background

    @classmethod
    def of(cls, settings: Settings) -> Cloud:
        return cls(settings, Background("ministack", settings.folder))

    def start(self) -> None:
        """Starts it, unless it runs as it should. Does not wait: see wait_until_ready."""
        wanted = _environment(self.settings)
        if self.process.running():
            if self._started_with() == wanted:
                return
            self.process.stop()
        _forget_stream_positions(self.settings.folder / "state" / "lambda.json")
        # The functions' workers of the last run have left their folders behind.
        shutil.rmtree(self.settings.folder / "tmp", ignore_errors=True)
        for name in ("state", "s3", "tmp"):
            (self.settings.folder / name).mkdir(parents=True, exist_ok=True)
        self._settings_file.write_text(json.dumps(wanted), "utf-8")
        self.process.start([MINISTACK], {**clean_environment(), **wanted})

    def wait_until_ready(self) -> None:
        """Returns when it answers."""
        wait_until(lambda: self._ready() or not self.process.running(), START_SECONDS_MAX)
        if not self._ready():
            raise LocalError(f"The emulated AWS does not start.\n{self.process.log_tail()}")

    def listens_on(self, port: int) -> bool:
        """Whether it is itself that has the port."""
        started_with = self._started_with()
        return started_with is not None and started_with["GATEWAY_PORT"] == str(port)

    def stop(self) -> None:
        """Ends it. If it is persistent, it saves its state meanwhile."""
        self.process.stop()

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.settings.cloud_port, timeout=5)
        try:
            connection.request("GET", "/_ministack/ready")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()

    @property
    def _settings_file(self) -> Path:
        return self.settings.folder / "ministack.json"

    def _started_with(self) -> dict[str, str] | None:
        if not (self.process.running() and self._settings_file.exists()):
            return None
        started_with: dict[str, str] = json.loads(self._settings_file.read_text("utf-8"))
        return started_with


def _environment(settings: Settings) -> dict[str, str]:
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
        "TMPDIR": str(settings.folder / "tmp"),
        # Not read by it: the next "make run" sees by it that its own version has changed, and starts it anew.
        "LIVELLO_LOCK": hashlib.sha256((ROOT / "uv.lock").read_bytes()).hexdigest(),
    }


def _forget_stream_positions(state: Path) -> None:
    """ministack 1.5.33 saves how far a stream has been read, but not the stream.

    After a restart the reader would wait until the table has seen as many writes again.
    """
    if state.exists():
        saved = json.loads(state.read_text("utf-8"))
        saved["payload"]["dynamodb_stream_positions"] = {"__account_region_scoped__": True, "data": {}}
        state.write_text(json.dumps(saved), "utf-8")
