"""What the steps work with: AWS, HTTP, SAM and Stripe as arguments, and what earlier steps have made.

A test gives others, so that it can make each step fail.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Protocol

from botocore.exceptions import ClientError

from local.api_client import Answer
from scripts.smoke.refusals import NotHere, Refused, remedy_for

LOCAL, AWS = "local", "aws"

TOTP_SECONDS = 30
"""How long a code of an authenticator app counts (RFC 6238)."""

REQUEST_ID_HEADERS = ("x-amzn-requestid", "apigw-requestid", "x-amz-apigw-id")


class Http(Protocol):
    """Sends one request, and follows no redirect. Raises OSError."""

    def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer: ...


class Sam(Protocol):
    """The AWS SAM CLI. Each method returns the tail of what it printed, and raises Refused if it fails."""

    def build(self) -> str: ...

    def change_set(self, stack: str, parameters: Mapping[str, str]) -> str: ...

    def deploy(self, stack: str, parameters: Mapping[str, str], extra: Mapping[str, Any] | None = None) -> str: ...

    def delete(self, stack: str) -> str: ...


class Stripe(Protocol):
    """Stripe in test mode. Each method raises Refused with Stripe's own words."""

    @property
    def keys(self) -> Mapping[str, str]: ...

    def account(self) -> str: ...

    def confirm_card(self, setup: Mapping[str, str]) -> None: ...

    def charges(self, account: str) -> list[int]: ...

    def listen(self, url: str) -> str: ...

    def stop_listening(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for. `sender` is the address of mail, `mailbox` one that the person reads; `events` is a number."""

    stack: str = "livello-smoke"
    stage: str = "dev"
    region: str = ""
    sender: str = ""
    mailbox: str | None = None
    budget: str = "1.00"
    events: int = 1000
    archive: bool = False


@dataclass(slots=True)
class Made:
    """What earlier steps have made, for later ones."""

    outputs: dict[str, str] = field(default_factory=dict)
    identity_is_there: bool = False
    identity_is_verified: bool = False
    origin: str = ""
    staff: str = ""
    staff_token: str = ""
    account: str = ""
    admin: str = ""
    admin_token: str = ""
    invoice: str = ""
    webhook: bool = False
    ended: bool = False
    removed: bool = False
    log: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class World:
    """One run. `aws` gives the client of a service, `code_for` the newest code mailed to an address, or None."""

    place: str
    plan: Plan
    aws: Callable[[str], Any]
    http: Http
    sam: Sam
    stripe: Stripe | None
    now: Callable[[], datetime]
    wait: Callable[[Callable[[], bool], float], bool]
    code_for: Callable[[str], str | None]
    mails_to: Callable[[str], int] | None = None
    made: Made = field(default_factory=Made)
    requests: list[str] = field(default_factory=list)
    """The request ids of the step so far, as AWS gave them."""

    # ---- Places ----

    @property
    def is_local(self) -> bool:
        return self.place == LOCAL

    def only_on_aws(self, why: str) -> None:
        """Raises NotHere on this machine."""
        if self.is_local:
            raise NotHere(why)

    def output(self, name: str) -> str:
        """An output of the stack. Raises Refused if it has none of that name."""
        try:
            return self.made.outputs[name]
        except KeyError:
            raise Refused(
                f"The stack has no output {name}.", "It is no stack of this release: deploy it again."
            ) from None

    # ---- The API ----

    @property
    def api(self) -> str:
        """The API's address, with its /v1."""
        return f"{self.made.origin}/v1" if self.is_local else self.output("ApiUrl")

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request to the API. The caller judges the status."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        answer = self.http(method, self.api + path, sent, None if body is None else json.dumps(body).encode())
        self.requests += [answer.headers[each] for each in REQUEST_ID_HEADERS if answer.headers[each]][:1]
        return answer

    def require(self, status: int, method: str, path: str, **request: Any) -> Answer:
        """The same, if the status is the expected one. Raises Refused with the problem's words otherwise."""
        answer = self.ask(method, path, **request)
        if answer.status != status:
            raise Refused(
                f"{method} {self.shape(path)} gave {answer.status} instead of {status}: {problem_of(answer)}",
                _look(answer.status),
            )
        return answer

    def of_account(self, path: str) -> str:
        return f"/accounts/{self.made.account}/{path}"

    def shape(self, path: str) -> str:
        """A path without the ids in it."""
        for value, name in ((self.made.account, "{account}"), (self.made.invoice, "{number}")):
            path = path.replace(value, name) if value else path
        return path.partition("?")[0]

    def eventually(self, condition: Callable[[], bool], seconds: float, what: str, remedy: str) -> None:
        """Waits. Raises Refused if it does not come true in time."""
        if not self.wait(condition, seconds):
            raise Refused(f"After {seconds:.0f} s {what}.", remedy)

    # ---- AWS ----

    def send(self, queue: str, at: datetime, clock: datetime | None = None) -> None:
        """Sends a planner's message for this account alone. `clock` is the time at which the worker works."""
        message = {"account": self.made.account, "at": at.isoformat(), "clock": (clock or at).isoformat()}
        self.aws("sqs").send_message(QueueUrl=self.output(queue), MessageBody=json.dumps(message))

    def address(self, name: str) -> str:
        """An address for a person of smoke: SES's mailbox simulator on AWS, so that nothing ever bounces.

        https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html#send-email-simulator
        """
        if self.is_local:
            return f"{name}@{self.made.account or 'smoke'}.example"
        return f"success+{name}-{self.made.account or 'smoke'}@simulator.amazonses.com"

    def log_in(self, email: str, password: str, secret: str | None = None) -> str:
        """The ID token of a person, with a code of the authenticator app's `secret` if Cognito asks for one.

        Raises Refused if Cognito asks for anything else.
        """
        cognito = self.aws("cognito-idp")
        client = {"UserPoolId": self.output("UserPoolId"), "ClientId": self.output("BillingPageClientId")}
        answer = cognito.admin_initiate_auth(
            **client,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": email, "PASSWORD": password},
        )
        challenge = answer.get("ChallengeName")
        if challenge == "SOFTWARE_TOKEN_MFA" and secret is not None:
            answer = self._with_code(
                lambda code: cognito.admin_respond_to_auth_challenge(
                    **client,
                    ChallengeName=challenge,
                    Session=answer["Session"],
                    ChallengeResponses={"USERNAME": email, "SOFTWARE_TOKEN_MFA_CODE": code},
                ),
                secret,
            )
        elif challenge:
            raise Refused(
                f"Cognito asks for {challenge} at a log-in.", "docs/deploy.md, Staff, says how it is answered."
            )
        token: str = answer["AuthenticationResult"]["IdToken"]
        return token

    def _with_code(self, call: Callable[[str], Any], secret: str) -> Any:
        """Calls with the code of the moment. Cognito takes a code once: the next one is half a minute away."""
        used = totp(secret, self.now())
        if used == self.made.log.get("code"):
            self.wait(lambda: totp(secret, self.now()) != used, TOTP_SECONDS + 1)
            used = totp(secret, self.now())
        self.made.log["code"] = used
        return call(used)

    def set_up_factor(self, email: str, password: str) -> str:
        """Sets up an authenticator app for a person, and returns its secret. Needs a log-in without a factor."""
        cognito = self.aws("cognito-idp")
        access = cognito.admin_initiate_auth(
            UserPoolId=self.output("UserPoolId"),
            ClientId=self.output("BillingPageClientId"),
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": email, "PASSWORD": password},
        )["AuthenticationResult"]["AccessToken"]
        secret: str = cognito.associate_software_token(AccessToken=access)["SecretCode"]
        self._with_code(lambda code: cognito.verify_software_token(AccessToken=access, UserCode=code), secret)
        cognito.set_user_mfa_preference(
            AccessToken=access, SoftwareTokenMfaSettings={"Enabled": True, "PreferredMfa": True}
        )
        return secret

    def machine_token(self) -> str:
        """The access token of the product. Raises Refused."""
        client = self.aws("cognito-idp").describe_user_pool_client(
            UserPoolId=self.output("UserPoolId"), ClientId=self.output("ProductClientId")
        )["UserPoolClient"]
        url = f"{self.made.origin}/auth/oauth2/token" if self.is_local else self.output("TokenUrl")
        credentials = base64.b64encode(f"{client['ClientId']}:{client['ClientSecret']}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/x-www-form-urlencoded"}
        answer = self.http("POST", url, headers, b"grant_type=client_credentials")
        if answer.status != HTTPStatus.OK:
            raise Refused(f"The product gets no token: {answer.status}.", "Look at the domain of the user pool.")
        token: str = answer.json()["access_token"]
        return token

    def status_of_stack(self, stack: str | None = None) -> tuple[str, Mapping[str, Any]]:
        """The state of a stack, and what CloudFormation says of it. Empty if there is none."""
        try:
            [found] = self.aws("cloudformation").describe_stacks(StackName=stack or self.plan.stack)["Stacks"]
        except ClientError as failure:
            # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html: "If the stack
            # doesn't exist, a ValidationError is returned."
            if "does not exist" in str(failure):
                return "", {}
            raise
        return found["StackStatus"], found

    def refused_by_events(self, said: str, since: datetime | None = None) -> Refused:
        """The first failed events of the stack's last operation, which say why it failed."""
        failed = first_failures(self.aws("cloudformation"), self.plan.stack, since)
        if not failed:
            return Refused(said, remedy_for(said))
        text = "; ".join(failed)
        return Refused(f"{said}: {text}", remedy_for(text))


IN_REVIEW = "REVIEW_IN_PROGRESS"
"""The state of a stack of which only a change set was made: it holds nothing."""

OF_ANOTHER = ("cancelled", "canceled")
"""In the reason of an event that failed only because another one has."""

EVENTS_SHOWN = 3


def first_failures(formation: Any, stack: str, since: datetime | None) -> list[str]:
    """The first resources that failed, oldest first, each with AWS's reason; empty if none did or there is no stack.

    Later failures are often only that the first one has cancelled them:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
    """
    try:
        pages = list(formation.get_paginator("describe_stack_events").paginate(StackName=stack))
    except ClientError:
        return []
    events = [each for page in pages for each in page["StackEvents"]]
    failed = [
        f"{each['LogicalResourceId']} ({each['ResourceType']}): {each.get('ResourceStatusReason', 'no reason given')}"
        for each in reversed(events)  # AWS lists the newest first
        if each["ResourceStatus"].endswith("_FAILED")
        and (since is None or each["Timestamp"] >= since - timedelta(minutes=1))
        and not any(word in each.get("ResourceStatusReason", "").lower() for word in OF_ANOTHER)
    ]
    return failed[:EVENTS_SHOWN]


def problem_of(answer: Answer) -> str:
    """The title and detail of a problem document; else only that it is none, because a body may hold anything."""
    try:
        body = answer.json()
    except ValueError:
        return "no problem document"
    if not isinstance(body, dict) or "title" not in body:
        return "no problem document"
    codes = [each.get("code") or each.get("pointer") for each in body.get("errors", []) if isinstance(each, dict)]
    return " ".join([f"{body['title']}: {body.get('detail', '')}", *(str(each) for each in codes if each)])


def _look(status: int) -> str:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "Look at the log group of the stack for the request id."
    return "If the stack is of this release, it is a fault of Livello: paste the JSON file into an issue."


def totp(secret: str, now: datetime) -> str:
    """The six digits of an authenticator app (RFC 6238, with SHA-1, as Cognito asks for)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, struct.pack(">Q", int(now.timestamp()) // TOTP_SECONDS), hashlib.sha1)
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def new_password() -> str:
    """A password that the pool's policy takes. It is never printed."""
    return f"Aa1-{secrets.token_urlsafe(18)}"


Check = Callable[[World], str]
"""Does one thing, and says what it found. Raises Refused, NotHere, or what a library raises."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step: its number, its name, whether it changes anything, and its checks in order."""

    number: int
    name: str
    changes: bool
    checks: Sequence[Check]
