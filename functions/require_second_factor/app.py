"""Cognito's trigger before it makes a token: staff without a second factor get a token without staff's rights.

It is invoked for each log-in and each refresh (Cognito's developer guide, Pre token generation Lambda trigger, version
one). So it loads nothing for a person who is not staff.
"""

import os
from collections.abc import Mapping
from typing import Any

from billing.kernel.permissions import MISSING, SECOND_FACTOR, STAFF_GROUP


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Takes the group from the token, and says why in a claim. Raises UpstreamFailed, and Cognito makes no token."""
    groups = event["request"]["groupConfiguration"].get("groupsToOverride") or []
    if STAFF_GROUP in groups and os.environ["STAFF_SECOND_FACTOR"] == "on" and not _has_second_factor(event):
        event["response"]["claimsOverrideDetails"] = {
            "claimsToAddOrOverride": {SECOND_FACTOR: MISSING},
            "groupOverrideDetails": {"groupsToOverride": [each for each in groups if each != STAFF_GROUP]},
        }
    return event


def _has_second_factor(event: Mapping[str, Any]) -> bool:
    from billing import wiring
    from billing.accounts.cognito_directory import CognitoDirectory

    # The pool is not in the environment: it refers to this function, so the function cannot refer to it.
    return CognitoDirectory(event["userPoolId"], wiring.session()).has_second_factor(event["userName"])
