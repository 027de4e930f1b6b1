"""The log-in pages of the emulated Cognito, at the addresses that Cognito's managed login has.

    GET  /oauth2/authorize, /login    asks for e-mail address and password
    POST /login                       checks them, and leads back to the billing page with a code
    GET  /logout                      leads back to the billing page
    POST /oauth2/token                tokens for a code (with its PKCE verifier) or a refresh token
    POST /oauth2/revoke               ends a session: its refresh token gives no more tokens
    /forgotPassword                   asks for the address, and has Cognito mail a code
    /confirmForgotPassword            takes the code and the new password
    GET  /log-in.css                  the style of these pages

ministack 1.5.33 checks every request, and this module asks it. Its own pages are in English only, have inline style,
and no "Forgot password", which every invited person needs (decision 0004). So their fields are shown in pages of ours.
A page reveals nothing that Cognito does not reveal: an unknown address is answered like a known one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from http import HTTPStatus
from typing import Protocol
from urllib.parse import parse_qs, urlencode

from local.replies import Refused, Reply
from local.sign_in_words import WORDS, Words, language_of

AUTHORIZE, FORGOT, CONFIRM = "/oauth2/authorize", "/forgotPassword", "/confirmForgotPassword"
STYLE = "/log-in.css"
AUTHORIZE_PARAMETERS = (
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "nonce",
)
"""What a page carries on to the next one, so that a new password leads back to the same log-in."""

LOGOUT_PARAMETERS = ("client_id", "logout_uri")
SAVED = "saved"
"""The notice with which a new password leads back to the log-in."""

FORM_FIELDS_MAX = 50
FORM_TYPE = "application/x-www-form-urlencoded"

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_CSS = """
/* The names and the layer of the page's own style: the vendor's theme.css changes these pages too. */
@layer base {
:root { color-scheme: light dark; --accent: #0b5cad; --on-accent: #ffffff; --text: #1b1f24; --faint: #57606a;
  --back: #f6f8fa; --card: #ffffff; --line: #8a929c; --bad: #a40e26; --good: #116329 }
@media (prefers-color-scheme: dark) {
  :root { --accent: #8ec5ff; --on-accent: #06203d; --text: #e8edf2; --faint: #a9b4bf; --back: #0f1419; --card: #181f26;
    --line: #77808b; --bad: #ffa3ad; --good: #7ee2a0 }
}
* { box-sizing: border-box }
body { margin: 0; padding: 2rem 1rem; background: var(--back); color: var(--text);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Open Sans", sans-serif }
main { max-width: 26rem; margin: 0 auto; padding: 1.5rem; background: var(--card); border-radius: .5rem }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1rem; overflow-wrap: anywhere }
p { margin: 0 0 1rem; overflow-wrap: anywhere }
.vendor, .hint, .note { color: var(--faint) }
.vendor { margin: 0 }
.hint { font-size: .875rem; margin: .25rem 0 0 }
.note { margin: 1.5rem auto 0; max-width: 26rem; text-align: center; font-size: .875rem }
.error, .good { border-left: .25rem solid; padding-left: .75rem; font-weight: 600 }
.error { color: var(--bad) }
.good { color: var(--good) }
label { display: block; font-weight: 600; margin-bottom: .375rem }
.field { margin: 0 0 1rem }
input { width: 100%; font: inherit; color: inherit; background: transparent; border: 1px solid var(--line);
  border-radius: .3rem; padding: .5rem .75rem; min-height: 2.75rem }
input[aria-invalid] { border-color: var(--bad); border-width: 2px }
button { width: 100%; font: inherit; font-weight: 600; min-height: 2.75rem; border: 0; border-radius: .3rem;
  cursor: pointer; background: var(--accent); color: var(--on-accent) }
a { color: var(--accent) }
nav { display: grid; gap: .75rem; margin-top: 1.25rem }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
}
"""

_LOG_IN_ERRORS = {"Passwords do not match.": "different"}
"""The errors of ministack's pages that have words of their own. See _log_in_error."""

_WEAK = "Password did not conform with policy"

_CODE_ERRORS = {
    "CodeMismatchException": "wrong_code",
    "NotAuthorizedException": "wrong_code",
    "UserNotFoundException": "wrong_code",
    "ExpiredCodeException": "expired_code",
    "InvalidPasswordException": "weak",
    "InvalidParameterException": "weak",
    "PasswordHistoryPolicyViolationException": "weak",
    "LimitExceededException": "too_often",
    "TooManyFailedAttemptsException": "too_often",
    "TooManyRequestsException": "too_often",
}
"""The words for what Cognito answers to ConfirmForgotPassword. Who is no user is answered like a wrong code.

https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_ConfirmForgotPassword.html
"""

_REFUSALS = range(HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR)
_RATE_ERRORS = frozenset({"LimitExceededException", "TooManyRequestsException"})


class Forward(Protocol):
    """Sends a request to the emulated AWS."""

    def __call__(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Reply: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of a browser."""

    method: str
    address: str
    """The path with its query."""

    headers: Mapping[str, str]
    body: bytes | None

    @property
    def route(self) -> str:
        return self.address.partition("?")[0]

    def fields(self) -> dict[str, str]:
        """The fields of the query or of the form, the first of each name. Raises Refused (400)."""
        is_form = self.method == "POST"
        text = (self.body or b"").decode("utf-8", "replace") if is_form else self.address.partition("?")[2]
        try:
            fields = parse_qs(text, keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX)
        except ValueError:
            raise Refused(HTTPStatus.BAD_REQUEST, "The form has too many fields.") from None
        return {name: values[0] for name, values in fields.items()}


@dataclass(frozen=True, slots=True)
class SignInPages:
    """The log-in pages. `vendor` gives the vendor's name, `address` is the front door's origin."""

    forward: Forward
    vendor: Callable[[], str]
    address: str
    cloud_address: str

    def reply(self, asked: Asked) -> Reply | None:
        """The reply to a request; None if its path is not of these pages. At most one call of the emulated AWS.

        Raises Refused (400) for a malformed form, and what `forward` and `vendor` raise.
        """
        method = "GET" if asked.method == "HEAD" else asked.method
        match method, asked.route:
            case "GET", "/oauth2/authorize" | "/login":
                return self._shown(asked, self._get(AUTHORIZE, asked, AUTHORIZE_PARAMETERS))
            case "POST", "/login":
                return self._shown(asked, self.forward("POST", "/login", {"Content-Type": FORM_TYPE}, asked.body))
            case "GET", "/logout":
                return self._shown(asked, self._get("/logout", asked, LOGOUT_PARAMETERS))
            case "POST", "/oauth2/token" if asked.fields().get("grant_type") == "refresh_token":
                return self._renew(asked.fields())
            case "POST", "/oauth2/token":
                return self.forward("POST", "/oauth2/token", dict(asked.headers), asked.body)
            case "POST", "/oauth2/revoke":
                return self._revoke(asked.fields())
            case "GET", "/forgotPassword":
                return self._page(asked).forgot()
            case "POST", "/forgotPassword":
                return self._send_code(asked)
            case "GET", "/confirmForgotPassword":
                return self._page(asked).confirm()
            case "POST", "/confirmForgotPassword":
                return self._save_password(asked)
            case "GET", "/log-in.css":
                headers = [("Content-Type", "text/css; charset=utf-8"), ("Cache-Control", "no-cache")]
                return Reply(HTTPStatus.OK, headers, _CSS.encode())
        return None

    def _get(self, path: str, asked: Asked, names: Sequence[str]) -> Reply:
        """ministack's answer to GET of a path with these fields of the query, encoded again: a browser's may be raw."""
        fields = asked.fields()
        query = urlencode({name: fields[name] for name in names if name in fields})
        return self.forward("GET", f"{path}?{query}", {}, None)

    def _page(self, asked: Asked) -> _Page:
        return _Page(self.vendor(), asked.fields(), asked.headers.get("Accept-Language", ""))

    def _shown(self, asked: Asked, reply: Reply) -> Reply:
        """ministack's answer for a browser: its redirect, or a page of ours instead of its own."""
        headers = {name.lower(): value for name, value in reply.headers}
        if "location" in headers:
            location = headers["location"]
            if location.startswith(f"{self.cloud_address}/"):
                location = self.address + location.removeprefix(self.cloud_address)
            others = [each for each in reply.headers if each[0].lower() == "set-cookie"]
            return Reply(reply.status, [("Location", location), ("Cache-Control", "no-store"), *others], b"")
        page = self._page(asked)
        if reply.status == HTTPStatus.OK and headers.get("content-type", "").startswith("text/html"):
            return page.log_in(_EmulatedPage.of(reply.body.decode()))
        return page.problem(HTTPStatus.BAD_REQUEST if reply.status in _REFUSALS else HTTPStatus.BAD_GATEWAY)

    def _act(self, action: str, **parameters: str) -> Reply:
        """Cognito's answer to an unsigned action."""
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"AWSCognitoIdentityProviderService.{action}",
        }
        return self.forward("POST", "/", headers, json.dumps(parameters).encode())

    def _ask_cognito(self, action: str, **parameters: str) -> str:
        """Asks Cognito for an unsigned action. Returns the name of its error; empty if it has succeeded."""
        reply = self._act(action, **parameters)
        if reply.status == HTTPStatus.OK:
            return ""
        try:
            return str(json.loads(reply.body)["__type"]).rpartition("#")[2]
        except (ValueError, KeyError, TypeError):
            return "InternalErrorException"

    def _renew(self, given: Mapping[str, str]) -> Reply:
        """The tokens for a refresh token. ministack's own endpoint leaves out `cognito:groups`, which staff need.

        https://docs.aws.amazon.com/cognito/latest/developerguide/token-endpoint.html
        """
        asked = {"ClientId": given.get("client_id", ""), "RefreshToken": given.get("refresh_token", "")}
        reply = self._act("GetTokensFromRefreshToken", **asked)
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Reply(reply.status, headers, b"{}")
        if reply.status != HTTPStatus.OK:
            return Reply(HTTPStatus.BAD_REQUEST, headers, json.dumps({"error": "invalid_grant"}).encode())
        result = json.loads(reply.body)["AuthenticationResult"]
        tokens = {
            "id_token": result["IdToken"],
            "access_token": result["AccessToken"],
            "token_type": result["TokenType"],
            "expires_in": result["ExpiresIn"],
        }
        return Reply(HTTPStatus.OK, headers, json.dumps(tokens).encode())

    def _revoke(self, given: Mapping[str, str]) -> Reply:
        """What managed login answers, which ministack has as an action only.

        https://docs.aws.amazon.com/cognito/latest/developerguide/revocation-endpoint.html
        """
        token, client = given.get("token"), given.get("client_id")
        if token and client and not self._ask_cognito("RevokeToken", ClientId=client, Token=token):
            return Reply(HTTPStatus.OK, [("Cache-Control", "no-store")], b"")
        body = json.dumps({"error": "invalid_request"}).encode()
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        return Reply(HTTPStatus.BAD_REQUEST, headers, body)

    def _send_code(self, asked: Asked) -> Reply:
        page = self._page(asked)
        email = page.given("username")
        if not email:
            return page.forgot(error=page.words.missing)
        error = self._ask_cognito("ForgotPassword", ClientId=page.given("client_id"), Username=email)
        if error in _RATE_ERRORS:
            return page.forgot(error=page.words.too_often)
        if error == "ResourceNotFoundException":  # the client, never the person
            return page.problem(HTTPStatus.BAD_REQUEST)
        if error == "InternalErrorException":
            return page.forgot(error=page.words.not_possible)
        # Every other error is about the person: it would reveal who is a user, or has no address to send to.
        return page.confirm(is_sent=True)

    def _save_password(self, asked: Asked) -> Reply:
        page = self._page(asked)
        email, code, new = page.given("username"), page.given("code").replace(" ", ""), page.fields.get("new_password")
        if not (email and code and new):
            return page.confirm(error=page.words.missing)
        if new != page.fields.get("confirm_password"):
            return page.confirm(error=page.words.different, wrong="confirm_password")
        error = self._ask_cognito(
            "ConfirmForgotPassword",
            ClientId=page.given("client_id"),
            Username=email,
            ConfirmationCode=code,
            Password=new,
        )
        if not error:
            return page.back_to_log_in()
        if error == "ResourceNotFoundException":
            return page.problem(HTTPStatus.BAD_REQUEST)
        word = _CODE_ERRORS.get(error, "not_possible")
        wrong = {"weak": "new_password", "wrong_code": "code", "expired_code": "code"}.get(word, "")
        return page.confirm(error=getattr(page.words, word), wrong=wrong)


@dataclass(slots=True)
class _EmulatedPage:
    """A page of ministack: its hidden fields, the names of the others, and its error."""

    hidden: dict[str, str] = field(default_factory=dict)
    visible: list[str] = field(default_factory=list)
    error: str = ""

    @classmethod
    def of(cls, html: str) -> _EmulatedPage:
        parser = _FormParser()
        parser.feed(html)
        parser.close()
        return parser.page


class _FormParser(HTMLParser):
    """Reads the form of a page of ministack."""

    def __init__(self) -> None:
        super().__init__()
        self.page = _EmulatedPage()
        self._in_error = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self._in_error = attributes.get("class") == "error"
        if tag == "input":
            name = attributes.get("name", "")
            if attributes.get("type") == "hidden":
                self.page.hidden[name] = attributes.get("value", "")
            else:
                self.page.visible.append(name)

    def handle_endtag(self, _tag: str) -> None:
        self._in_error = False

    def handle_data(self, data: str) -> None:
        if self._in_error:
            self.page.error += data


@dataclass(slots=True)
class _Page:
    """Makes the pages of one request."""

    vendor: str
    fields: dict[str, str]
    accept_language: str

    @property
    def language(self) -> str:
        return language_of(self.fields.get("lang", ""), self.accept_language)

    @property
    def words(self) -> Words:
        return WORDS[self.language]

    def given(self, name: str) -> str:
        """A field without the space around it; empty if it is missing."""
        return self.fields.get(name, "").strip()

    def log_in(self, emulated: _EmulatedPage) -> Reply:
        """The page of a step of ministack's log-in: e-mail address and password, or a first password of one's own."""
        words, error = self.words, self._log_in_error(emulated.error)
        hidden = {**emulated.hidden, "lang": self.language}
        if "new_password" in emulated.visible:
            inputs = self._new_password("new_password" if error else "")
            form = _form("/login", hidden, inputs, words.save)
            return self._document(words.first_title, f"<p>{escape(words.first_text)}</p>{form}", error)
        both = {
            "username": self._email(error, is_focused=not error),
            "password": _field(
                "password", words.password, "password", "current-password", wrong=error, is_focused=bool(error)
            ),
        }
        inputs = [both[name] for name in emulated.visible if name in both]
        notice = f'<p class="good" role="status">{escape(words.saved)}</p>' if self._password_saved() else ""
        form = _form("/login", hidden, inputs, words.log_in)
        return self._document(words.log_in, f"{notice}{form}<nav>{self._link(FORGOT, words.forgot)}</nav>", error)

    def forgot(self, error: str = "") -> Reply:
        """The page that asks for the address to which a code is sent."""
        words = self.words
        form = _form(FORGOT, self._carried(), [self._email(error)], words.send_code)
        links = self._link(CONFIRM, words.have_code), self._back()
        return self._document(
            words.reset_title, f"<p>{escape(words.reset_text)}</p>{form}<nav>{''.join(links)}</nav>", error
        )

    def confirm(self, *, is_sent: bool = False, error: str = "", wrong: str = "") -> Reply:
        """The page that asks for the code and the new password."""
        words, email = self.words, self.given("username")
        text = f'<p role="status">{escape(words.code_text.format(email=email))}</p>' if is_sent else ""
        code = _field(
            "code",
            words.code,
            "text",
            "one-time-code",
            # A refused password does not use the code up.
            value=self.given("code") if wrong not in {"code", ""} else "",
            extra='inputmode="numeric"',
            wrong="yes" if wrong == "code" else "",
            is_focused=bool(email) and wrong in {"code", ""},
        )
        inputs = [self._email("", is_focused=not email), code, *self._new_password(wrong)]
        form = _form(CONFIRM, self._carried(), inputs, words.save)
        links = self._link(FORGOT, words.another_code), self._back()
        return self._document(words.code_title, f"{text}{form}<nav>{''.join(links)}</nav>", error)

    def back_to_log_in(self) -> Reply:
        """Leads to the log-in with the same parameters, or to the billing page if there are none."""
        location = "/"
        if self.given("client_id") and self.given("redirect_uri"):
            location = f"{AUTHORIZE}?{urlencode({**self._carried(), 'notice': SAVED})}"
        return Reply(HTTPStatus.SEE_OTHER, [("Location", location), ("Cache-Control", "no-store")], b"")

    def problem(self, status: HTTPStatus) -> Reply:
        """The page for a request that Cognito refuses as a whole, such as one of another client."""
        words = self.words
        text = words.bad_link if status == HTTPStatus.BAD_REQUEST else words.not_possible
        content = f'<p>{escape(text)}</p><p><a href="/">{escape(words.start_again)}</a></p>'
        return self._document(words.problem_title, content, "", status)

    def _log_in_error(self, text: str) -> str:
        """Our words for an error of ministack's page.

        It says of a user with any password whether they are disabled or not confirmed. Cognito with
        PreventUserExistenceErrors does not, so all of these are one.
        """
        text = text.strip()
        if not text:
            return ""
        if text.startswith(_WEAK):
            return self.words.weak
        word: str = getattr(self.words, _LOG_IN_ERRORS.get(text, "wrong_password"))
        return word

    def _password_saved(self) -> bool:
        return self.fields.get("notice") == SAVED

    def _carried(self) -> dict[str, str]:
        """The parameters of the log-in, for the next page."""
        carried = {name: self.fields[name] for name in AUTHORIZE_PARAMETERS if self.fields.get(name)}
        return {**carried, "lang": self.language}

    def _link(self, path: str, text: str) -> str:
        return f'<a href="{escape(f"{path}?{urlencode(self._carried())}")}">{escape(text)}</a>'

    def _back(self) -> str:
        is_known = self.given("client_id") and self.given("redirect_uri")
        return self._link(AUTHORIZE, self.words.back) if is_known else f'<a href="/">{escape(self.words.back)}</a>'

    def _email(self, error: str, *, is_focused: bool = True) -> str:
        return _field(
            "username",
            self.words.email,
            "email",
            "username",
            value=self.given("username"),
            wrong=error,
            is_focused=is_focused,
        )

    def _new_password(self, wrong: str) -> list[str]:
        """The fields of a new password. The one named by `wrong` is marked, and has the focus."""
        words = self.words
        return [
            _field(
                "new_password",
                words.new_password,
                "password",
                "new-password",
                hint=words.password_rules,
                wrong=wrong == "new_password",
                is_focused=wrong == "new_password",
            ),
            _field(
                "confirm_password",
                words.repeat_password,
                "password",
                "new-password",
                wrong=wrong == "confirm_password",
                is_focused=wrong == "confirm_password",
            ),
        ]

    def _document(self, title: str, content: str, error: str = "", status: HTTPStatus = HTTPStatus.OK) -> Reply:
        """A whole page. A form with an error has status 200, as Cognito's has: browsers report others as failures."""
        words = self.words
        alert = f'<p class="error" role="alert" id="error">{escape(error)}</p>' if error else ""
        document = f"""<!doctype html>
<html lang="{self.language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(f"{words.error}: " if error else "")}{escape(title)} &ndash; {escape(self.vendor)}</title>
<link rel="stylesheet" href="{STYLE}">
<link rel="stylesheet" href="/theme.css">
<link rel="icon" href="/logo.svg">
</head>
<body>
<main>
<p class="vendor">{escape(self.vendor)}</p>
<h1>{escape(title)}</h1>
{alert}{content}
</main>
<footer class="note">{escape(words.mail_here)} <a href="/mail" target="_blank" rel="noopener">/mail</a></footer>
</body>
</html>
"""
        headers = [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Language", self.language),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", _POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
        ]
        return Reply(status, headers, document.encode("utf-8", "replace"))


def _form(action: str, hidden: Mapping[str, str], inputs: list[str], button: str) -> str:
    carried = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in hidden.items()
    )
    return (
        f'<form method="post" action="{action}">{carried}{"".join(inputs)}'
        f'<button type="submit">{escape(button)}</button></form>'
    )


def _field(
    name: str,
    label: str,
    kind: str,
    autocomplete: str,
    *,
    value: str = "",
    hint: str = "",
    extra: str = "",
    wrong: object = False,
    is_focused: bool = False,
) -> str:
    """A labelled field. A wrong one is described by the error of the page."""
    describing = [*([f"{name}-hint"] if hint else []), *(["error"] if wrong else [])]
    attributes = [
        f'type="{kind}" id="{name}" name="{name}" autocomplete="{autocomplete}" required',
        *([f'value="{escape(value)}"'] if value else []),
        *([extra] if extra else []),
        *(['aria-invalid="true"'] if wrong else []),
        *([f'aria-describedby="{" ".join(describing)}"'] if describing else []),
        *(["autofocus"] if is_focused else []),
    ]
    below = f'<p class="hint" id="{name}-hint">{escape(hint)}</p>' if hint else ""
    return f'<div class="field"><label for="{name}">{escape(label)}</label><input {" ".join(attributes)}>{below}</div>'
