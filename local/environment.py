"""The environment of every process that a local Livello starts: an allow-list, so that a person's settings stay out.

A profile, a proxy, a PYTHONPATH or a PIP_TARGET that helps elsewhere breaks a build here, or leads to the real AWS.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from local.settings import HOST

_KEPT = ("PATH", "TERM", "TZ", "USER", "LOGNAME")

_REGISTRY = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "NETRC", "XDG_CONFIG_HOME"),
    *("UV_CACHE_DIR", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"),
    *("UV_HTTP_TIMEOUT", "UV_INSECURE_HOST", "UV_KEYRING_PROVIDER", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS"),
)
"""Where packages come from. Only the build of the layer gets these; the Makefile keeps the same."""

_REGISTRY_CREDENTIALS = "UV_INDEX_"

_OURS = {
    # Both: a system without the locale C.UTF-8 falls back to ASCII, and Python then still reads and writes UTF-8.
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PYTHONUTF8": "1",
    "PYTHONNOUSERSITE": "1",
    # A person's profiles may name other end points, or be malformed.
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "BOTO_CONFIG": os.devnull,
    # On macOS, Python finds a proxy in the system's settings as well.
    "NO_PROXY": f"{HOST},localhost",
    "no_proxy": f"{HOST},localhost",
}


def tool_environment(folder: Path) -> dict[str, str]:
    """What a server or a tool gets. Its HOME and its temporary folder are made in `folder`; raises OSError."""
    home, temporary = folder / "home", folder / "tmp"
    for each in (home, temporary):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {**bare_environment(), "HOME": str(home), "TMPDIR": str(temporary)}


def bare_environment() -> dict[str, str]:
    """The same without a HOME and a temporary folder: for a process that writes to neither."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    kept.setdefault("PATH", os.defpath)
    return {**kept, **_OURS}


def registry_environment() -> dict[str, str]:
    """How packages are found and where they are cached, as this process was told; for the build of the layer."""
    given: Mapping[str, str] = os.environ
    found = {name: given[name] for name in _REGISTRY if name in given}
    # UV_INDEX_<NAME>_USERNAME and _PASSWORD.
    found |= {name: value for name, value in given.items() if name.startswith(_REGISTRY_CREDENTIALS)}
    bypassed = ",".join(filter(None, [given.get("NO_PROXY") or given.get("no_proxy"), HOST, "localhost"]))
    return {**found, "UV_CACHE_DIR": str(uv_cache(given)), "NO_PROXY": bypassed, "no_proxy": bypassed}


def uv_cache(given: Mapping[str, str]) -> Path:
    """uv's cache. It is named to uv, because the build's HOME is not the person's."""
    if given.get("UV_CACHE_DIR"):
        return Path(given["UV_CACHE_DIR"])
    return Path(given.get("XDG_CACHE_HOME") or Path(given.get("HOME") or Path.cwd()) / ".cache") / "uv"


def take_on(environment: Mapping[str, str]) -> None:
    """Makes this process's own environment the given one: no library finds anything else in it."""
    os.environ.clear()
    os.environ.update(environment)


def python_module(name: str) -> list[str | Path]:
    """A module of this checkout, run by this Python. The working directory must be the checkout."""
    return [sys.executable, "-m", name]
