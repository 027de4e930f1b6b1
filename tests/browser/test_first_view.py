"""The first thing that a person meets, and what the browser tests find wrong with a page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Response, expect

from tests.browser.harness import Visitor

Visit = Callable[..., Visitor]

WRONG = """<!doctype html><html><body><p style="width: 400px">Wide</p><img src="/logo.svg">
<script src="/wrong.js"></script><script>document.title = "run"</script></body></html>"""


def policy(response: Response | None) -> dict[str, list[str]]:
    """The directives of the policy of an answer, with their sources."""
    assert response is not None
    directives = [each.split() for each in response.headers["content-security-policy"].split(";")]
    return {name: sources for name, *sources in directives}


def test_who_is_not_logged_in_is_asked_to(visit: Visit) -> None:
    person = visit()
    answers: list[Response] = []
    person.page.on("response", lambda each: answers.append(each) if each.request.is_navigation_request() else None)

    person.open("nordlys-kaffe/billing")

    person.page.wait_for_url("**/oauth2/**")
    expect(person.page.get_by_role("heading", level=1)).to_be_visible()
    person.accessible()
    person.fits()
    person.picture("log-in")
    pages = [each for each in answers if each.ok]
    assert [each.url.split("/")[3].partition("?")[0] for each in (pages[0], pages[-1])] == ["", "oauth2"]
    for each in pages:
        directives = policy(each)
        assert directives["default-src"] == ["'none'"]
        assert not [source for sources in directives.values() for source in sources if "unsafe" in source]
        assert each.headers["x-content-type-options"] == "nosniff"
        assert each.headers["referrer-policy"] == "no-referrer"


def test_a_page_with_faults_does_not_pass(visit: Visit) -> None:
    person = visit()
    origin = person.stack.settings.address
    headers = {"content-security-policy": "default-src 'none'; script-src 'self'; img-src 'self'"}
    person.page.route(
        f"{origin}/wrong", lambda route: route.fulfill(body=WRONG, headers=headers, content_type="text/html")
    )
    person.page.route(
        f"{origin}/wrong.js", lambda route: route.fulfill(body="nonesuch()", content_type="text/javascript")
    )
    person.page.route(f"{origin}/logo.svg", lambda route: route.abort("connectionreset"))

    person.page.goto(f"{origin}/wrong")

    assert person.page.title() == ""
    style, script, *others = sorted(person.faults)
    assert "inline style" in style
    assert "inline script" in script
    assert others == [
        "error: nonesuch is not defined",
        f"net::ERR_CONNECTION_RESET: {origin}/logo.svg",
    ]
    found = {each.partition(":")[0] for each in person.violations()}
    assert {"document-title", "html-has-lang", "image-alt"} <= found
    person.page.evaluate("document.body.firstElementChild.style.width = '400px'")
    with pytest.raises(AssertionError, match=r"^4\d\d px wide"):
        person.fits()
    person.faults.clear()
