"""What AWS says when it refuses, and what to do about it. Each entry names the page of AWS that says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

AWS = "https://docs.aws.amazon.com"

CONCURRENCY_QUOTA = "L-B99A9384"
"""The code of Lambda's quota "Concurrent executions" (Service Quotas, service code `lambda`)."""

RAISE_CONCURRENCY = (
    f"aws service-quotas request-service-quota-increase --service-code lambda --quota-code {CONCURRENCY_QUOTA} "
    "--desired-value 1000"
)


class Refused(Exception):
    """A check has failed. `said` is what was answered; `remedy` is what the person can do."""

    def __init__(self, said: str, remedy: str) -> None:
        super().__init__(f"{said} {remedy}")
        self.said, self.remedy = said, remedy


class NotHere(Exception):
    """A check cannot run in this place. The message is the reason."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal that AWS documents, recognised by a part of its code or message."""

    pattern: re.Pattern[str]
    remedy: str
    source: str


def _refusal(pattern: str, remedy: str, source: str) -> Refusal:
    return Refusal(re.compile(pattern, re.IGNORECASE), remedy, source)


REFUSALS = (
    _refusal(
        "ExpiredToken|InvalidClientTokenId|UnrecognizedClient|InvalidSignature",
        "Log in again (aws sso login, or new access keys), and name the profile with --profile.",
        f"{AWS}/IAM/latest/UserGuide/troubleshoot_general.html",
    ),
    _refusal(
        "Email address (?:is )?not verified|identities failed the check",
        "Verify the domain of --sender in this region, by the three CNAME records of the output DkimRecords. In the "
        "sandbox the recipient must be verified too, or be one of SES's mailbox simulator.",
        f"{AWS}/ses/latest/dg/verify-addresses-and-domains.html",
    ),
    _refusal(
        "AccountSendingPaused|sending (?:is |has been )?paused|SHUTDOWN",
        "SES has paused this account. Answer AWS's case in the Support Center, or use another region.",
        f"{AWS}/ses/latest/dg/reputationdashboard-faq.html",
    ),
    _refusal(
        "decreases account's UnreservedConcurrentExecution|ConcurrentInvocationLimitExceeded|"
        "(?<!API )Rate exceeded.*lambda|ReservedFunctionConcurrent",
        f"The account has too few concurrent executions: {RAISE_CONCURRENCY}",
        f"{AWS}/lambda/latest/dg/gettingstarted-limits.html",
    ),
    _refusal(
        "ServiceQuotaExceeded|LimitExceeded|QuotaExceeded|Maximum number of|has reached the maximum",
        "A quota of the account is used up. Raise the one that the message names (console, Service Quotas), or delete "
        "what you no longer need.",
        f"{AWS}/servicequotas/latest/userguide/request-quota-increase.html",
    ),
    _refusal(
        "AccessDenied|not authorized to perform|UnauthorizedOperation|explicit deny",
        "The profile lacks the permission that the message names, or a policy of the organisation denies it. "
        "A deployment needs the rights of an administrator, because it makes roles.",
        f"{AWS}/IAM/latest/UserGuide/troubleshoot_access-denied.html",
    ),
    _refusal(
        "CAPABILITY_IAM|InsufficientCapabilities",
        "Deploy with --capabilities CAPABILITY_IAM, as samconfig.toml does.",
        f"{AWS}/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html",
    ),
    _refusal(
        "already exists(?: in stack)?|AlreadyExists|Domain already associated|BucketAlreadyOwned|DUPLICATE",
        "Something of that name is there already, perhaps of a stack that was removed. Delete it, or choose "
        "another --stage; for SES's identity the next run sets CreateSenderIdentity=false.",
        f"{AWS}/AWSCloudFormation/latest/UserGuide/troubleshooting.html",
    ),
    _refusal(
        "ROLLBACK_COMPLETE|ROLLBACK_FAILED|DELETE_FAILED",
        "A stack in this state can only be deleted: run this again with --remove.",
        f"{AWS}/AWSCloudFormation/latest/UserGuide/view-stack-events.html",
    ),
    _refusal(
        "UPDATE_ROLLBACK_FAILED",
        "Mend what the event names, then: aws cloudformation continue-update-rollback --stack-name <stack>",
        f"{AWS}/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-continueupdaterollback.html",
    ),
    _refusal(
        "Throttling|TooManyRequests|Rate exceeded|RequestLimitExceeded|SlowDown",
        "AWS limits the calls of this account for the moment. Wait a minute, and run it again.",
        f"{AWS}/general/latest/gr/api-retries.html",
    ),
    _refusal(
        "OptInRequired|SubscriptionRequired|not subscribed|account is (?:currently )?(?:pending|blocked|suspended)",
        "AWS has not activated the account or this region yet. A new account takes up to a day.",
        f"{AWS}/accounts/latest/reference/manage-acct-regions.html",
    ),
)
"""The first that matches counts."""

UNKNOWN = (
    "AWS documents it under the code of the error. If it is a fault of the template, paste the JSON file into an issue."
)


def remedy_for(said: str) -> str:
    """What to do about a refusal of AWS, by its code and message."""
    # The state of a failed roll-back contains the name of another state.
    for each in sorted(REFUSALS, key=lambda refusal: "UPDATE_" not in refusal.pattern.pattern):
        if each.pattern.search(said):
            return each.remedy
    return UNKNOWN


def explained(failure: Exception) -> Refused:
    """A failure of a call as what was said and what to do. Its text may hold anything, and is redacted when printed."""
    if isinstance(failure, Refused):
        return failure
    if isinstance(failure, ClientError):
        error: Mapping[str, Any] = failure.response.get("Error", {})
        said = f"{failure.operation_name}: {error.get('Code')}: {error.get('Message')}"
        return Refused(said, remedy_for(said))
    said = f"{type(failure).__name__}: {failure}"
    if isinstance(failure, BotoCoreError):
        credentials = "Credential" in said or "Profile" in said or "Token" in said
        return Refused(
            said, "Name a profile of yours with --profile." if credentials else "Look at the network, and run it again."
        )
    if isinstance(failure, OSError):
        return Refused(said, "Nothing answers there. Look at the network; locally `make run` starts the stack.")
    return Refused(said, "This is a fault of smoke or of Livello. Paste the JSON file into an issue.")
