"""A person logs in through the pages of the front door, as a browser does: HTML forms, redirects, code and PKCE."""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import time
import uuid
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from local.api_client import Answer
from local.demo.companies import COMPANIES
from local.demo.seeding import PASSWORD
from local.stack import Stack
from tests.forms import Document, Form

COMPANY = COMPANIES[0]
SECONDS_MAX = 60
VERIFIER = "a-verifier-of-forty-three-characters-or-more-0123"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class Browser:
    """Follows links and sends forms. It does not follow redirects, so that a test sees them."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.origin = stack.settings.address
        self.client_id = stack.outputs["BillingPageClientId"]

    def authorize(self, **changed: str) -> str:
        """The address at which the page begins a log-in."""
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": f"{self.origin}/",
            "scope": "openid email profile",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "state": "#/nordlys-kaffe/invoices?a=b&c",
            "lang": "en",
            **changed,
        }
        return f"/oauth2/authorize?{urlencode(query)}"

    def get(self, address: str, method: str = "GET") -> Answer:
        return self.stack.api.request(method, address.removeprefix(self.origin))

    def send(self, form: Form, **filled: str) -> Answer:
        """Sends a form as a person has filled it in."""
        assert {*filled} <= {*form.visible}
        return self.post(form.action, {**form.fields, **filled})

    def post(self, path: str, fields: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(self.origin).netloc, timeout=60)
        try:
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", path, urlencode(fields), headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def tokens(self, **fields: str) -> Answer:
        return self.post("/oauth2/token", {"client_id": self.client_id, **fields})


@pytest.fixture
def browser(stack: Stack) -> Browser:
    return Browser(stack)


def page(answer: Answer) -> Document:
    """The page of an answer, which is safe and not kept."""
    assert answer.status == 200, answer.body
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    return Document(answer.body.decode())


def redirect(answer: Answer, status: HTTPStatus = HTTPStatus.FOUND) -> str:
    assert answer.status == status, answer.body
    return str(answer.headers["Location"])


def code_of(browser: Browser, location: str, state: str) -> str:
    """The code with which a log-in leads back to the page."""
    address, _, query = location.partition("?")
    assert address == f"{browser.origin}/"
    fields = parse_qs(query)
    assert fields["state"] == [state]
    return fields["code"][0]


def code_by_mail(stack: Stack, email: str) -> str:
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        items: list[dict[str, Any]] = stack.api.request("GET", f"/mail.json?to={email}").json()["items"]
        for item in items:
            if found := re.search(r"\b\d{6}\b", item["text"] or ""):
                return found[0]
        assert time.monotonic() < deadline, f"no code for {email}"
        time.sleep(0.2)


def test_an_invited_person_chooses_a_password_logs_in_reads_the_page_and_logs_out(
    stack: Stack, browser: Browser
) -> None:
    account = f"/v1/accounts/{COMPANY.account}"
    email, password, state = (
        f"new-{uuid.uuid4().hex[:8]}@colleagues.example",
        "Una password 1 più lunga",
        "#/x?a=b&c=/d",
    )
    body = {"email": email, "name": "New Colleague", "role": "member"}
    assert stack.api.request("PUT", f"{account}/users", token=stack.admin_token(COMPANY), body=body).status == 200

    # Forgot password, from the log-in page of the page's own request.
    asked = page(browser.get(browser.authorize(lang="it", state=state)))
    assert (asked.language, asked.texts["h1"]) == ("it", "Accedi")
    [forgot] = page(browser.get(asked.links["Password dimenticata?"])).forms
    assert forgot.visible == ["username"]
    sent = page(browser.send(forgot, username=email))
    assert email in sent.texts["status"]
    [confirm] = sent.forms
    assert confirm.visible == ["username", "code", "new_password", "confirm_password"]

    # What a person gets wrong is said, and costs nothing that was right.
    code = code_by_mail(stack, email)
    wrong = page(browser.send(confirm, code="000000", new_password=password, confirm_password=password))
    assert wrong.texts["alert"] == "Il codice non è corretto. Controllatelo o richiedetene un altro."
    differs = page(browser.send(wrong.forms[0], code=code, new_password=password, confirm_password="another"))
    assert differs.texts["alert"] == "Le due password sono diverse."
    weak = page(browser.send(differs.forms[0], new_password="tooshort", confirm_password="tooshort"))
    assert weak.texts["alert"] == "Questa password è troppo semplice."
    assert weak.forms[0].fields["code"] == code
    assert "12 caratteri" in weak.texts["p"]

    # The new password leads back to the same log-in.
    saved = browser.send(weak.forms[0], new_password=password, confirm_password=password)
    again = page(browser.get(redirect(saved, HTTPStatus.SEE_OTHER)))
    assert again.texts["status"] == "La nuova password è salvata. Usatela per accedere."
    refused = page(browser.send(again.forms[0], username=email, password="wrong"))
    assert refused.texts["alert"] == "L'indirizzo e-mail o la password non sono corretti."
    assert refused.forms[0].fields["username"] == email
    assert refused.forms[0].fields["password"] == ""
    location = redirect(browser.send(refused.forms[0], password=password))

    # The code and its verifier give tokens; the ID token opens the API.
    grant = {"grant_type": "authorization_code", "redirect_uri": f"{browser.origin}/"}
    code = code_of(browser, location, state)
    stolen = browser.tokens(**grant, code=code, code_verifier="x" * 43)
    assert (stolen.status, stolen.json()["error"]) == (400, "invalid_grant")
    tokens = browser.tokens(**grant, code=code, code_verifier=VERIFIER).json()
    assert stack.api.request("GET", f"{account}/billing", token=tokens["id_token"]).status == 200
    assert browser.tokens(**grant, code=code, code_verifier=VERIFIER).status == 400, "a code is good once"
    renewed = browser.tokens(grant_type="refresh_token", refresh_token=tokens["refresh_token"]).json()
    assert stack.api.request("GET", f"{account}/billing", token=renewed["id_token"]).status == 200

    # Log out: back to the page, and the refresh token is worth nothing.
    revoked = browser.post("/oauth2/revoke", {"client_id": browser.client_id, "token": tokens["refresh_token"]})
    assert (revoked.status, revoked.body) == (200, b"")
    leave = urlencode({"client_id": browser.client_id, "logout_uri": f"{browser.origin}/"})
    assert redirect(browser.get(f"/logout?{leave}")) == f"{browser.origin}/"
    assert browser.tokens(grant_type="refresh_token", refresh_token=tokens["refresh_token"]).status == 400


def test_an_unknown_address_is_answered_like_a_known_one(browser: Browser) -> None:
    shown = []
    for email in (COMPANY.member.email, "nobody@colleagues.example"):
        [forgot] = page(browser.get(browser.authorize().replace("/oauth2/authorize", "/forgotPassword"))).forms
        sent = browser.send(forgot, username=email)
        [confirm] = page(sent).forms
        confirmed = browser.send(confirm, code="1", new_password="A-1", confirm_password="A-1")
        [log_in] = page(browser.get(browser.authorize())).forms
        refused = browser.send(log_in, username=email, password="wrong")
        shown.append([each.body.decode().replace(email, "?") for each in (sent, confirmed, refused)])

    assert shown[0] == shown[1]
    assert "The e-mail address or the password is wrong." in shown[0][2]


def test_a_browser_without_a_language_of_ours_gets_english(browser: Browser) -> None:
    asked = page(browser.get(browser.authorize(lang="")))

    assert (asked.language, asked.texts["h1"]) == ("en", "Log in")
    assert asked.labels == {"username": "E-mail address", "password": "Password"}
    assert browser.get(browser.authorize(), "HEAD").body == b""


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": "no-such-client"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": ""},
        {"response_type": "token"},
    ],
)
def test_a_log_in_of_another_page_is_refused(browser: Browser, changed: dict[str, str]) -> None:
    answer = browser.get(browser.authorize(**changed))

    assert answer.status == 400
    assert Document(answer.body.decode()).texts["h1"] == "This log-in cannot go on"
    assert "Location" not in answer.headers


def test_a_log_out_leads_to_the_page_only(browser: Browser) -> None:
    leave = urlencode({"client_id": browser.client_id, "logout_uri": "https://evil.example/"})

    assert browser.get(f"/logout?{leave}").status == 400


def test_a_code_without_a_challenge_is_no_way_around_the_page(browser: Browser) -> None:
    """Cognito leaves PKCE to the client: the page always sends a challenge, so its codes need the verifier."""
    [log_in] = page(browser.get(browser.authorize())).forms
    location = redirect(browser.send(log_in, username=COMPANY.member.email, password=PASSWORD))
    code = code_of(browser, location, "#/nordlys-kaffe/invoices?a=b&c")

    refused = browser.tokens(grant_type="authorization_code", redirect_uri=f"{browser.origin}/", code=code)

    assert (refused.status, refused.json()["error"]) == (400, "invalid_grant")


def test_the_page_is_at_the_root_with_the_client_of_this_stack(stack: Stack, browser: Browser) -> None:
    answer = browser.get("/")
    if answer.status == HTTPStatus.NOT_FOUND:
        assert b"make portal" in answer.body
        return
    assert stack.outputs["BillingPageClientId"] in answer.body.decode()
