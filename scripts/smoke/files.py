"""Step 5: the PDF of an invoice, as a browser and as a page get it."""

from __future__ import annotations

from urllib.parse import urlsplit

from local.api_client import Answer
from scripts.smoke.refusals import NotHere, Refused
from scripts.smoke.world import World

RENDERED_SECONDS = 120


def redirect(world: World) -> str:
    """The API redirects to S3, and S3 answers a browser that has followed: its origin is "null" by then.

    https://fetch.spec.whatwg.org/#concept-http-redirect-fetch
    """
    path = _path(world)
    answers: list[Answer] = []

    def rendered() -> bool:
        answers.append(world.ask("GET", path, token=world.made.admin_token))
        return answers[-1].status != 202

    world.eventually(rendered, RENDERED_SECONDS, "the PDF is not written", "Look for dead letters of Issued.")
    if answers[-1].status != 302:
        world.require(302, "GET", path, token=world.made.admin_token)
    link = answers[-1].headers["Location"]
    if not world.is_local and world.plan.region not in urlsplit(link).netloc.split("."):
        raise Refused(
            f"The link is for {urlsplit(link).netloc}, not for {world.plan.region}.", "Look at the gateway to S3."
        )
    _fetch(world, link)
    return "a redirect to the PDF can be followed"


def link_in_the_body(world: World) -> str:
    """A page gets the link in the body, because a browser hides redirects from scripts."""
    answer = world.require(
        200, "GET", _path(world), token=world.made.admin_token, headers={"Accept": "application/json"}
    )
    links = [each for each in answer.json().values() if isinstance(each, str) and each.startswith("http")]
    if not links:
        raise Refused("The body has no link.", "Paste the JSON file into an issue.")
    _fetch(world, links[0])
    return "a page gets the link in the body"


def _path(world: World) -> str:
    if not world.made.invoice:
        raise NotHere("step 4 has made no invoice")
    return world.of_account(f"invoices/{world.made.invoice}/pdf")


def _fetch(world: World, link: str) -> None:
    answer = world.http("GET", link, {"Origin": "null"}, None)
    if answer.status != 200:
        raise Refused(
            f"{urlsplit(link).netloc} gave {answer.status} for the link.",
            "A link must be signed for the bucket's own region by version 4.",
        )
    if not answer.body.startswith(b"%PDF"):
        raise Refused("The file is no PDF.", "Paste the JSON file into an issue.")
    if not answer.headers["Access-Control-Allow-Origin"]:
        raise Refused("The bucket lets no page read the file.", "Look at CorsConfiguration of the bucket Documents.")


CHECKS = (redirect, link_in_the_body)
