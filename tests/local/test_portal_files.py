"""The billing page at the front door, through HTTP, without an emulated AWS behind it."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from local import front_door
from local.api_client import Answer, ApiClient
from local.background import free_port
from local.deployment import DeployedStack
from local.front_door import FrontDoor, Upstream
from local.portal_files import PageConfiguration, accepts_gzip, with_configuration
from local.settings import Settings

INDEX = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="livello-config" content="">
<script type="module" src="/assets/index-Ab1_c-D2.js"></script></head><body></body></html>
"""
SCRIPT = "console.log('Livello')\n" * 200
VENDOR = "Müller & Söhne's <Search>"


class Door:
    """A front door with a built page."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self.folder = settings, folder
        self.port = settings.front_door_port

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return ApiClient(self.settings.address).request(method, path, headers=sent)


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(INDEX, "utf-8")
    (folder / "assets" / "index-Ab1_c-D2.js").write_text(SCRIPT, "utf-8")
    (folder / "assets" / "text.woff2").write_bytes(b"wOF2" * 100)
    (folder / "theme.css").write_text(":root { --accent: #123456 }", "utf-8")
    (folder / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", "utf-8")
    settings = Settings(tmp_path, tmp_path, front_door_port=free_port(), stripe_port=free_port())
    stack = DeployedStack(
        {"ApiId": "abc", "BillingPageClientId": "client"},
        {"VendorName": VENDOR, "ReplyToAddress": "", "SenderAddress": "billing@vendor.example"},
    )
    monkeypatch.setattr(front_door, "deployed_stack", lambda _: stack)
    with FrontDoor(settings, folder) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        yield Door(settings, folder)
        server.shutdown()
        serving.join()


def configuration_of(answer: Answer) -> Any:
    """The configuration, as the page reads it."""
    content = answer.body.decode().partition('<meta name="livello-config" content="')[2].partition('"')[0]
    return json.loads(unescape(content))


def test_the_page_has_the_configuration_of_this_stack(door: Door) -> None:
    answer = door.get("/")

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert configuration_of(answer) == {
        "vendor": VENDOR,
        "client_id": "client",
        "login": door.settings.address,
        "stripe_script": f"{door.settings.stripe_address}/v3/",
        "stripe_key": "pk_test_livello",
        "support": "billing@vendor.example",
    }
    assert "<Search>" not in answer.body.decode()
    assert configuration_of(door.get("/?code=one&state=two")) == configuration_of(answer), "back from a log-in"


def test_the_policy_allows_nothing_unsafe_and_stripe_by_its_origin(door: Door) -> None:
    for path in ("/", "/theme.css", "/logo.svg", "/assets/index-Ab1_c-D2.js"):
        headers = door.get(path).headers
        policy = dict(each.split(" ", 1) for each in headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == f"'self' {door.settings.stripe_address}"
        assert policy["style-src"] == policy["form-action"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("path", "media_type", "cached"),
    [
        ("/assets/index-Ab1_c-D2.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
        ("/assets/text.woff2", "font/woff2", "public, max-age=31536000, immutable"),
        ("/theme.css", "text/css; charset=utf-8", "no-cache"),
        ("/logo.svg", "image/svg+xml", "no-cache"),
    ],
)
def test_a_file_has_its_type_and_how_long_it_is_kept(door: Door, path: str, media_type: str, cached: str) -> None:
    answer = door.get(f"{path}?v=1")

    assert answer.status == 200
    assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (media_type, cached)
    assert answer.body == (door.folder / path[1:]).read_bytes()
    head = door.get(path, "HEAD")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(answer.body)))


def test_a_text_is_compressed_for_who_asks_for_it(door: Door) -> None:
    plain = door.get("/assets/index-Ab1_c-D2.js", Accept_Encoding="br, gzip;q=0")
    compressed = door.get("/assets/index-Ab1_c-D2.js", Accept_Encoding="br, gzip")
    font = door.get("/assets/text.woff2", Accept_Encoding="gzip")

    assert plain.body == gzip.decompress(compressed.body) == SCRIPT.encode()
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert len(compressed.body) < len(plain.body) / 10
    assert plain.headers["Content-Encoding"] is font.headers["Content-Encoding"] is None
    assert plain.headers["Vary"] == compressed.headers["Vary"] == "Accept-Encoding"


def test_a_file_is_compressed_once_and_again_after_a_build(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    file = door.folder / "theme.css"
    compress = Mock(wraps=gzip.compress)
    monkeypatch.setattr(gzip, "compress", compress)

    before, again = (door.get("/theme.css", Accept_Encoding="gzip").body for _ in range(2))
    assert before == again
    assert compress.call_count == 1

    file.write_text(":root { --accent: #654321; color: red }", "utf-8")
    assert door.get("/theme.css").body == file.read_bytes()
    assert compress.call_count == 2
    file.unlink()
    assert door.get("/theme.css").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/assets//etc/passwd",
        "//secret.txt",
        "/assets/",
        "/assets",
        "/assets/no-such-file.js",
        "/assets/index-Ab1_c-D2.js/",
        "/assets/index-Ab1_c-D2.js%00.css",
        "/linked.txt",
        "/folder.js",
        "/.hidden.json",
        "/notes.md",
        "/index",
        "/no-such-page",
        "/theme.css\\..\\secret.txt",
    ],
)
def test_a_path_outside_the_page_is_a_problem_document(door: Door, path: str) -> None:
    (door.folder.parent / "secret.txt").write_text("secret")
    (door.folder / "linked.txt").symlink_to(door.folder.parent / "secret.txt")
    (door.folder / "folder.js").mkdir()
    for name in (".hidden.json", "notes.md"):
        (door.folder / name).write_text("secret")

    answer = door.get(path)

    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert b"secret" not in answer.body


def test_the_page_is_read_only(door: Door) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        assert door.get("/", method).status == 404
        assert door.get("/theme.css", method).status == 404


def test_files_do_not_wait_for_the_emulated_aws(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Upstream, "forward", forward)

    assert door.get("/").status == door.get("/logo.svg").status == 200


def test_another_name_of_this_machine_leads_to_the_one_origin(door: Door) -> None:
    answer = door.get("/?code=1", Host=f"localhost:{door.port}")

    assert answer.status == 302
    assert answer.headers["Location"] == f"{door.settings.address}/?code=1"
    assert door.get("/", Host="evil.example").status == 421


def test_a_page_that_is_not_built_says_how(door: Door) -> None:
    (door.folder / "index.html").unlink()

    answer = door.get("/")

    assert answer.status == 404
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert b"make portal" in answer.body


@pytest.mark.parametrize("places", [0, 2])
def test_a_page_without_one_place_for_the_configuration_is_refused(door: Door, places: int) -> None:
    meta = '<meta name="livello-config" content="">'
    (door.folder / "index.html").write_text(meta * places, "utf-8")

    answer = door.get("/")

    assert answer.status == 500
    assert "make portal" in answer.json()["detail"]


def test_a_name_can_close_neither_the_attribute_nor_the_tag() -> None:
    hostile = PageConfiguration("\"'></head><script>\\1\u2028", "", "", "", "", None)

    page = with_configuration(INDEX, hostile)

    assert page.count("<script") == INDEX.count("<script")
    content = page.partition('content="')[2].partition('"')[0]
    assert json.loads(unescape(content))["vendor"] == hostile.vendor


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("gzip; q=0", False),
        ("*", True),
        ("*, gzip;q=0.0", False),
        ("identity", False),
    ],
)
def test_gzip_is_sent_only_if_it_is_accepted(header: str | None, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted
