"""The log-in pages without an emulated AWS: their words, their errors, and hostile input."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, fields
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from local.replies import Refused, Reply
from local.sign_in_pages import _CSS, CONFIRM, FORGOT, Asked, SignInPages
from local.sign_in_words import ENGLISH, ITALIAN, WORDS, language_of
from tests.forms import Document

ADDRESS, CLOUD = "http://127.0.0.1:8080", "http://127.0.0.1:4566"
SCRIPT = "\"'><script>alert(1)</script>"
LOG_IN = {"client_id": "page", "redirect_uri": f"{ADDRESS}/", "state": "#/a?b&c", "code_challenge": "x"}
PASSWORD = {
    "username": "ada@nordlys.example",
    "code": " 654 321",
    "new_password": "New-1 ",
    "confirm_password": "New-1 ",
}


class Cognito:
    """Stands in for the emulated AWS: gives one answer, and remembers the requests."""

    def __init__(self, status: int = 200, body: str = "{}", **headers: str) -> None:
        self.answer = Reply(status, [*headers.items()], body.encode())
        self.requests: list[tuple[str, str, dict[str, str], bytes | None]] = []

    def __call__(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Reply:
        self.requests.append((method, path, headers, body))
        return self.answer

    @property
    def asked(self) -> Any:
        [(_, _, _, body)] = self.requests
        return json.loads(body or b"{}")


def refused(error: str) -> Cognito:
    return Cognito(400, json.dumps({"__type": error, "message": "In Cognito's words"}))


def reply(cognito: Cognito, method: str, path: str, given: dict[str, str], **headers: str) -> Reply:
    pages = SignInPages(cognito, lambda: "Müller & <Söhne>", ADDRESS, CLOUD)
    sent = urlencode(given)
    address, body = (path, sent.encode()) if method == "POST" else (f"{path}?{sent}", None)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = pages.reply(Asked(method, address, named, body))
    assert answer is not None
    return answer


def shown(cognito: Cognito, method: str, path: str, given: dict[str, str], **headers: str) -> Document:
    return Document(reply(cognito, method, path, given, **headers).body.decode())


@pytest.mark.parametrize(
    ("error", "words", "wrong"),
    [
        ("CodeMismatchException", ENGLISH.wrong_code, "code"),
        ("UserNotFoundException", ENGLISH.wrong_code, "code"),
        ("NotAuthorizedException", ENGLISH.wrong_code, "code"),
        ("ExpiredCodeException", ENGLISH.expired_code, "code"),
        ("InvalidPasswordException", ENGLISH.weak, "new_password"),
        ("com.amazon.coral#LimitExceededException", ENGLISH.too_often, None),
        ("TooManyFailedAttemptsException", ENGLISH.too_often, None),
        ("SomethingNewException", ENGLISH.not_possible, None),
    ],
)
def test_a_refused_password_says_what_is_wrong_at_its_field(error: str, words: str, wrong: str | None) -> None:
    page = shown(refused(error), "POST", CONFIRM, {**LOG_IN, **PASSWORD})

    [form] = page.forms
    assert page.texts["alert"] == words
    assert page.texts["title"].startswith(f"Error: {ENGLISH.code_title}")
    marked = {name for name, each in form.attributes.items() if "aria-invalid" in each}
    assert marked == ({wrong} if wrong else set())
    assert form.fields["username"] == PASSWORD["username"]
    assert form.fields["new_password"] == form.fields["confirm_password"] == ""
    assert form.fields["code"] == ("654 321" if wrong == "new_password" else "")
    focused = [name for name, each in form.attributes.items() if "autofocus" in each]
    assert focused == [wrong or "code"]
    assert {name: form.fields[name] for name in LOG_IN} == LOG_IN


def test_a_code_is_sent_without_its_spaces_and_a_password_with_them() -> None:
    cognito = Cognito()
    answer = reply(cognito, "POST", CONFIRM, {**LOG_IN, **PASSWORD, "lang": "it"})

    assert cognito.asked == {
        "ClientId": "page",
        "Username": "ada@nordlys.example",
        "ConfirmationCode": "654321",
        "Password": "New-1 ",
    }
    [location] = [value for name, value in answer.headers if name == "Location"]
    path, _, query = location.partition("?")
    assert (answer.status, path) == (303, "/oauth2/authorize")
    assert parse_qs(query) == {name: [value] for name, value in {**LOG_IN, "lang": "it", "notice": "saved"}.items()}


def test_a_password_without_a_log_in_leads_to_the_page() -> None:
    answer = reply(Cognito(), "POST", CONFIRM, {"client_id": "page", **PASSWORD})

    assert ("Location", "/") in [*answer.headers]


@pytest.mark.parametrize("missing", ["username", "code", "new_password"])
def test_a_missing_field_asks_cognito_nothing(missing: str) -> None:
    cognito = Cognito()

    page = shown(cognito, "POST", CONFIRM, {**LOG_IN, **PASSWORD, missing: ""})

    assert page.texts["alert"] == ENGLISH.missing
    assert cognito.requests == []
    assert shown(cognito, "POST", FORGOT, {**LOG_IN, "username": " "}).texts["alert"] == ENGLISH.missing
    assert cognito.requests == []


def test_two_different_passwords_ask_cognito_nothing() -> None:
    cognito = Cognito()

    page = shown(cognito, "POST", CONFIRM, {**LOG_IN, **PASSWORD, "confirm_password": "New-1"})

    assert page.texts["alert"] == ENGLISH.different
    assert cognito.requests == []


@pytest.mark.parametrize(
    "error",
    ["UserNotFoundException", "InvalidParameterException", "NotAuthorizedException", "CodeDeliveryFailureException"],
)
def test_a_person_to_whom_no_code_can_be_sent_is_answered_like_any_other(error: str) -> None:
    given = {**LOG_IN, "username": "ada@nordlys.example"}

    assert reply(refused(error), "POST", FORGOT, given) == reply(Cognito(), "POST", FORGOT, given)


@pytest.mark.parametrize(
    ("error", "words"),
    [("LimitExceededException", ENGLISH.too_often), ("InternalErrorException", ENGLISH.not_possible)],
)
def test_a_failure_to_send_is_said(error: str, words: str) -> None:
    page = shown(refused(error), "POST", FORGOT, {**LOG_IN, "username": "ada@nordlys.example"})

    assert page.texts["alert"] == words
    assert page.forms[0].action == FORGOT


@pytest.mark.parametrize("path", [FORGOT, CONFIRM])
def test_another_client_is_refused(path: str) -> None:
    answer = reply(refused("ResourceNotFoundException"), "POST", path, {**LOG_IN, **PASSWORD})

    assert answer.status == 400
    assert Document(answer.body.decode()).links[ENGLISH.start_again] == "/"


def test_an_answer_that_is_no_json_is_a_failure() -> None:
    page = shown(Cognito(500, "<html>"), "POST", CONFIRM, {**LOG_IN, **PASSWORD})

    assert page.texts["alert"] == ENGLISH.not_possible


EMULATED = f"""<html><body><div class="error">{{error}}</div><form method="POST" action="/login">
<input type="hidden" name="client_id" value="page"><input type="hidden" name="state" value="{"a&quot;b"}">
{{inputs}}</form></body></html>"""
NAME_AND_PASSWORD = '<input type="text" name="username"><input type="password" name="password">'
NEW_PASSWORD = '<input type="password" name="new_password"><input type="password" name="confirm_password">'


def emulated(inputs: str, error: str) -> Cognito:
    return Cognito(200, EMULATED.format(inputs=inputs, error=error), **{"Content-Type": "text/html; charset=utf-8"})


@pytest.mark.parametrize(
    "error", ["Incorrect username or password.", "User is disabled.", "User is not confirmed.", "Something &lt;new&gt;"]
)
def test_a_refused_log_in_does_not_say_why(error: str) -> None:
    page = shown(emulated(NAME_AND_PASSWORD, error), "POST", "/login", {"username": "ada", "password": "secret"})

    [form] = page.forms
    assert page.texts["alert"] == ENGLISH.wrong_password
    assert form.fields == {"client_id": "page", "state": 'a"b', "lang": "en", "username": "ada", "password": ""}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("", None),
        ("Passwords do not match.", ITALIAN.different),
        ("Password did not conform with policy: too short", ITALIAN.weak),
    ],
)
def test_a_temporary_password_is_replaced_by_one_of_their_own(error: str, words: str | None) -> None:
    page = shown(emulated(NEW_PASSWORD, error), "POST", "/login", {"lang": "it"})

    assert page.texts["h1"] == ITALIAN.first_title
    assert page.texts.get("alert") == words
    assert page.forms[0].visible == ["new_password", "confirm_password"]


@pytest.mark.parametrize(("status", "expected"), [(400, 400), (404, 400), (500, 502)])
def test_a_request_that_the_emulated_cognito_refuses_is_a_page(status: int, expected: int) -> None:
    answer = reply(Cognito(status, '{"error": "invalid_request"}'), "GET", "/oauth2/authorize", LOG_IN)

    assert answer.status == expected
    assert b"invalid_request" not in answer.body


def test_a_redirect_to_the_emulated_aws_leads_to_the_front_door() -> None:
    for location, expected in (
        (f"{CLOUD}/login?a=b", f"{ADDRESS}/login?a=b"),
        (f"{ADDRESS}/?code=1", f"{ADDRESS}/?code=1"),
        (f"{CLOUD}.evil.example/", f"{CLOUD}.evil.example/"),
    ):
        answer = reply(Cognito(302, "", Location=location, **{"Set-Cookie": "a=b"}), "POST", "/login", {})
        assert answer.status == 302
        assert {("Location", expected), ("Set-Cookie", "a=b")} <= {*answer.headers}


def test_only_the_fields_of_a_log_in_are_passed_on() -> None:
    cognito = Cognito(302, "", Location="/")

    reply(cognito, "GET", "/login", {**LOG_IN, "password": "secret", "lang": "it"})
    reply(cognito, "GET", "/logout", {"client_id": "page", "logout_uri": f"{ADDRESS}/", "other": "1"})

    first, second = (path for _, path, _, _ in cognito.requests)
    assert parse_qs(first.partition("?")[2]) == {name: [value] for name, value in LOG_IN.items()}
    assert first.startswith("/oauth2/authorize?")
    assert parse_qs(second.partition("?")[2]) == {"client_id": ["page"], "logout_uri": [f"{ADDRESS}/"]}


@pytest.mark.parametrize("path", [FORGOT, CONFIRM])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_hostile_fields_are_escaped(method: str, path: str) -> None:
    hostile = dict.fromkeys((*LOG_IN, "username", "code", "lang", "notice", "new_password"), SCRIPT)

    html = reply(refused("CodeMismatchException"), method, path, hostile, Accept_Language=SCRIPT).body.decode()

    assert "<script" not in html
    assert Document(html).forms[0].fields["client_id"] == SCRIPT
    assert "Müller &amp; &lt;Söhne&gt;" in html


def test_a_form_with_too_many_fields_is_refused() -> None:
    pages = SignInPages(Cognito(), lambda: "", ADDRESS, CLOUD)

    with pytest.raises(Refused):
        pages.reply(Asked("POST", FORGOT, {}, b"&".join(b"a=1" for _ in range(100))))


def test_a_session_is_ended_by_its_refresh_token() -> None:
    cognito = Cognito()

    answer = reply(cognito, "POST", "/oauth2/revoke", {"client_id": "page", "token": "refresh"})

    assert (answer.status, answer.body) == (200, b"")
    assert cognito.asked == {"ClientId": "page", "Token": "refresh"}
    for refusing, given in (
        (refused("UnsupportedTokenTypeException"), {"client_id": "page", "token": "id"}),
        (cognito, {}),
    ):
        answer = reply(refusing, "POST", "/oauth2/revoke", given)
        assert (answer.status, json.loads(answer.body)) == (400, {"error": "invalid_request"})
    assert len(cognito.requests) == 1


def test_a_renewed_session_has_what_the_action_gives() -> None:
    result = {"IdToken": "id", "AccessToken": "access", "TokenType": "Bearer", "ExpiresIn": 3600}
    cognito = Cognito(200, json.dumps({"AuthenticationResult": result}))
    given = {"grant_type": "refresh_token", "client_id": "page", "refresh_token": "refresh"}

    answer = reply(cognito, "POST", "/oauth2/token", given)

    assert answer.status == 200
    assert json.loads(answer.body) == {
        "id_token": "id",
        "access_token": "access",
        "token_type": "Bearer",
        "expires_in": 3600,
    }
    assert ("Cache-Control", "no-store") in answer.headers
    assert cognito.asked == {"ClientId": "page", "RefreshToken": "refresh"}
    answer = reply(refused("NotAuthorizedException"), "POST", "/oauth2/token", given)
    assert (answer.status, json.loads(answer.body)) == (400, {"error": "invalid_grant"})
    # A fault ends no session.
    assert reply(Cognito(500), "POST", "/oauth2/token", given).status == 500


@pytest.mark.parametrize("path", ["/oauth2/userInfo", "/oauth2/authorize/", "/loginx", "/forgotpassword", "/auth", "/"])
def test_other_paths_are_not_of_these_pages(path: str) -> None:
    cognito = Cognito()
    pages = SignInPages(cognito, lambda: "", ADDRESS, CLOUD)

    for method in ("GET", "POST", "PUT", "DELETE"):
        assert pages.reply(Asked(method, path, {}, None)) is None
    assert pages.reply(Asked("DELETE", "/login", {}, None)) is None
    assert cognito.requests == []


@pytest.mark.parametrize(
    ("asked", "accept_language", "language"),
    [
        ("it", "en", "it"),
        ("it-IT", "", "it"),
        ("de", "fr, it;q=0.5, en;q=0.4", "it"),
        ("", "en;q=0.4, it-CH;q=0.5", "it"),
        ("", "it;q=0, de", "en"),
        ("", "it;q=x", "en"),
        ("", "*", "en"),
        ("", "", "en"),
    ],
)
def test_the_language_is_the_one_asked_for_else_the_browsers(asked: str, accept_language: str, language: str) -> None:
    assert language_of(asked, accept_language) == language


def test_every_word_is_in_both_languages() -> None:
    assert [*WORDS] == ["en", "it"]
    for name in (each.name for each in fields(ENGLISH)):
        english, italian = asdict(ENGLISH)[name], asdict(ITALIAN)[name]
        assert english
        assert italian
        assert ("{email}" in english) == ("{email}" in italian)
        assert english != italian or name == "password"


def contrast(one: str, other: str) -> float:
    """The contrast of two colours: WCAG 2.2, relative luminance."""

    def luminance(colour: str) -> float:
        digits = colour * 2 if len(colour) == 3 else colour
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1])
def test_the_colours_can_be_told_apart(theme: int) -> None:
    colours = dict(re.findall(r"--([a-z-]+): #([0-9a-f]+)", re.findall(r":root \{([^}]+)\}", _CSS)[theme]))

    for name in ("text", "faint", "accent", "bad", "good"):
        assert contrast(colours[name], colours["card"]) >= 4.5, name
        assert name in {"bad", "good"} or contrast(colours[name], colours["back"]) >= 4.5, name
    assert contrast(colours["on-accent"], colours["accent"]) >= 4.5
    assert contrast(colours["line"], colours["card"]) >= 3
