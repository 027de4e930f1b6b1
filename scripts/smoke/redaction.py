"""Removes secrets and personal data from a line: what smoke prints and writes is made to be pasted into an issue."""

from __future__ import annotations

import re

_SECRETS = (
    # Stripe's keys and client secrets, JSON web tokens, access keys of AWS, signatures of links, addresses of people.
    (re.compile(r"\b(?:sk|rk|pk)_(?:live|test)_\w+|\bwhsec_[\w+/=]+|\b\w+_secret_\w+"), "<key>"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.?[\w-]*"), "<token>"),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}"), "<key>"),
    (re.compile(r"(?i)(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s\"']+"), r"\1<removed>"),
    (re.compile(r"(?i)((?:password|secret(?:_?code)?|otp)[\"']?\s*[:=]\s*)[\"']?[^\s\"',}]+"), r"\1<removed>"),
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "<address>"),
    # The name of a user or a session in an ARN, and the number of an account but for its last four digits.
    (re.compile(r"((?:user|assumed-role)/)[^\s\"']+"), r"\1<name>"),
    (re.compile(r"(?<!\d)\d{8}(\d{4})(?!\d)"), r"…\1"),
)


def redacted(text: str) -> str:
    """The text without keys, tokens, addresses, names of users and numbers of AWS accounts."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text
