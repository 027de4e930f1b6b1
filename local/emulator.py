"""The emulated AWS with reliable saves: `python -m local.emulator`, run by the emulator's own Python.

ministack 1.5.33 saves only when it ends, file by file, and does not report a file that it could not write. Here the
whole state is saved at once (see local.saves), every SAVE_SECONDS if something has changed. One request ends it:

    POST /_livello/stop    204: saved, and it ends; 507: not saved, the reason in the body, and it goes on
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from local.saves import Save, Saves

SAVE_SECONDS = 15.0
SAVES_FOLDER_VARIABLE = "LIVELLO_SAVES"
STOP_PATH = "/_livello/stop"
STOP_HEADER = (b"x-livello", b"stop")
"""A page of another origin cannot send this header without a CORS permission."""

CODE_FOLDER = "lambda-blobs"
ATTEMPTS = 3

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

logger = logging.getLogger("livello")


class Saver:
    """Saves the state of all services of ministack."""

    def __init__(self, saves: Saves, ministack: Any) -> None:
        self._saves, self._ministack = saves, ministack
        self._lock = asyncio.Lock()
        self._saved: Save | None = saves.newest()
        self.changed = False
        """Whether a request has come in since the last save."""

    def save_now(self) -> None:
        """Saves at once. Raises OSError or RuntimeError; earlier saves then stay unchanged."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._save_once()
            except (RuntimeError, FileNotFoundError):  # another thread has changed the state meanwhile
                if attempt == ATTEMPTS:
                    raise
            else:
                return

    def _save_once(self) -> None:
        self.changed = False
        at = time.time()
        unfinished = self._saves.begin()
        try:
            self._write(self._states(unfinished), unfinished)
            self._saved = self._saves.commit(unfinished, at)
        except BaseException:
            self.changed = True
            shutil.rmtree(unfinished, ignore_errors=True)
            raise

    async def save_periodically(self) -> None:
        """Saves every SAVE_SECONDS, and never returns. A failed save is tried again, and its reason is logged once."""
        failure = ""
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            try:
                await self._save_if_changed()
                failure = ""
            except Exception as problem:  # noqa: BLE001 - the emulator goes on after any failure
                if str(problem) != failure:
                    failure = str(problem)
                    logger.warning("The state could not be saved: %s", problem)

    async def _save_if_changed(self) -> None:
        if not self.changed and self._saved is not None:
            self._saved.confirm()
            return
        async with self._lock:
            self.changed = False
            at = time.time()
            unfinished = self._saves.begin()
            try:
                states = self._states(unfinished)
                # The states are copies, so requests are answered meanwhile.
                await asyncio.to_thread(self._write, states, unfinished)
                self._saved = await asyncio.to_thread(self._saves.commit, unfinished, at)
            except BaseException:
                self.changed = True
                shutil.rmtree(unfinished, ignore_errors=True)
                raise

    async def save_exclusively(self) -> None:
        """Saves while no request is answered. Raises OSError or RuntimeError."""
        async with self._lock:
            self.save_now()

    def _states(self, unfinished: Path) -> dict[str, Any]:
        """A copy of the state of each service. The code of functions is written into the folder immediately."""
        functions = sys.modules.get("ministack.services.lambda_svc")
        if functions is not None:
            functions.CODE_BLOB_DIR = str(unfinished / CODE_FOLDER)  # type: ignore[attr-defined]
        try:
            states = {name: get() for name, get in self._ministack._build_persistence_save_dict().items()}
        finally:
            if functions is not None:
                functions.CODE_BLOB_DIR = str(self._state_folder / CODE_FOLDER)  # type: ignore[attr-defined]
        # A service that could not be loaded gives None; its earlier saved state stays.
        return {name: state for name, state in states.items() if state is not None}

    def _write(self, states: Mapping[str, Any], unfinished: Path) -> None:
        from ministack.core import persistence

        for name, state in states.items():
            content = {"__ministack_format__": persistence._state_format_version(name), "payload": state}
            text = json.dumps(content, default=persistence._json_default)
            (unfinished / f"{name}.json").write_text(text, "utf-8")
        # Files beside the states, such as signing keys, are written once by ministack and copied here.
        for file in self._state_folder.rglob("*"):
            inside = file.relative_to(self._state_folder)
            if file.is_file() and inside.parts[0] != CODE_FOLDER and not (unfinished / inside).exists():
                (unfinished / inside).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, unfinished / inside)

    @property
    def _state_folder(self) -> Path:
        return Path(os.environ["STATE_DIR"])


class Emulator:
    """ministack's ASGI application with periodic saves and the stop request."""

    def __init__(self, application: Application, saver: Saver) -> None:
        self._application, self._saver = application, saver
        self._tasks: list[asyncio.Task[None]] = []
        self.ended = False
        """Whether the last save is done. Later requests are refused, because their changes would be lost."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self._tasks.append(asyncio.create_task(self._saver.save_periodically()))
        elif scope["type"] == "http":
            if scope["path"] == STOP_PATH and scope["method"] == "POST" and STOP_HEADER in scope["headers"]:
                await self._stop(send)
                return
            if self.ended:
                await _answer(send, HTTPStatus.SERVICE_UNAVAILABLE, "The emulated AWS is being stopped.")
                return
            if scope["method"] != "GET":
                self._saver.changed = True
        await self._application(scope, receive, send)

    async def _stop(self, send: Send) -> None:
        try:
            await self._saver.save_exclusively()
        except Exception as problem:  # noqa: BLE001 - after any failure nothing was saved
            await _answer(send, HTTPStatus.INSUFFICIENT_STORAGE, str(problem))
            return
        self.ended = True
        await _answer(send, HTTPStatus.NO_CONTENT, "")
        os.kill(os.getpid(), signal.SIGTERM)

    def save_at_the_end(self, _: object) -> None:
        """Replaces ministack's own save, for a process that is ended without the stop request."""
        if not self.ended:
            try:
                self._saver.save_now()
            except Exception as problem:  # noqa: BLE001 - the process ends in any case
                logger.warning("The state could not be saved: %s", problem)


async def _answer(send: Send, status: HTTPStatus, text: str) -> None:
    body = text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serves until it is ended."""
    # The emulated functions and ministack's plug-ins must not import this checkout's packages.
    sys.path[:] = [each for each in sys.path if each and Path(each).resolve() != Path.cwd().resolve()]
    from ministack import app as ministack

    folder = os.environ.get(SAVES_FOLDER_VARIABLE)
    if folder:
        emulator = Emulator(ministack.app, Saver(Saves(Path(folder)), ministack))
        ministack.app = emulator
        ministack.save_all = emulator.save_at_the_end
    ministack.main()


if __name__ == "__main__":
    main()
