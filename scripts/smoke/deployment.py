"""Steps 1, 2 and 9a: what CloudFormation makes, changes and takes back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from scripts.smoke.refusals import NotHere, Refused, remedy_for
from scripts.smoke.world import IN_REVIEW, World

MADE_BY_RUN = "make run builds and deploys, by the same sam and template"

ORIGIN = "https://smoke.example"
OTHER_ORIGIN = "https://other.example"

RATE, BURST = 20, 20
"""Of the API in a run, so that step 3 can reach them. The defaults are 200 and 400."""

REACHES_SECONDS = 120
"""A new deployment of an API reaches every gateway within a minute or two."""

MUST_FAIL: Mapping[str, Any] = {
    "MustFail": {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": "livello-smoke-does-not-exist",
            "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com",
        },
    }
}
"""A resource that every check before a deployment takes, and Lambda refuses: there is no such function.
https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html, ResourceNotFoundException"""


def parameters(world: World, origin: str = ORIGIN, **changed: str) -> dict[str, str]:
    """The parameters of a run. No archive unless it is asked for: nobody can delete one before its year is over."""
    return {
        "Stage": world.plan.stage,
        "AllowedOrigin": origin,
        "ThrottlingRateLimit": str(RATE),
        "ThrottlingBurstLimit": str(BURST),
        "LogRetentionDays": "7",
        "DeletionProtection": "false",  # what stays can then be deleted at once
        "SenderAddress": world.plan.sender,
        "CreateSenderIdentity": "false" if world.made.identity_is_there else "true",
        "SellerName": "Livello Smoke",
        "SellerAddress": "Teststrasse 1",
        "SellerPostcode": "10115",
        "SellerCity": "Berlin",
        "SellerCountry": "DE",
        "InvoiceArchiveYears": "1" if world.plan.archive else "0",
        **changed,
    }


def build(world: World) -> str:
    """Builds the layer for the cloud."""
    world.only_on_aws(MADE_BY_RUN)
    world.sam.build()
    return "built"


def change_set(world: World) -> str:
    """What CloudFormation would make. A refusal here has changed nothing."""
    world.only_on_aws(MADE_BY_RUN)
    return f"a change set of {_change_set(world, world.plan.stack, parameters(world))} resources"


def _change_set(world: World, stack: str, given: Mapping[str, str]) -> int:
    """Makes a change set, counts its changes and deletes it. Raises Refused with CloudFormation's reason."""
    try:
        world.sam.change_set(stack, given)
    except Refused as failure:
        raise change_set_refused(world, stack, failure) from failure
    formation = world.aws("cloudformation")
    made = max(formation.list_change_sets(StackName=stack)["Summaries"], key=lambda each: each["CreationTime"])
    pages = formation.get_paginator("describe_change_set").paginate(StackName=stack, ChangeSetName=made["ChangeSetId"])
    count = sum(len(page["Changes"]) for page in pages)
    formation.delete_change_set(StackName=stack, ChangeSetName=made["ChangeSetId"])
    return count


def change_set_refused(world: World, stack: str, failure: Refused) -> Refused:
    """Why a change set failed, in CloudFormation's words.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ChangeSetSummary.html: StatusReason.
    """
    with suppress(ClientError):
        for each in world.aws("cloudformation").list_change_sets(StackName=stack)["Summaries"]:
            if each["Status"] == "FAILED":
                said = f"The change set failed: {each.get('StatusReason', 'no reason given')}"
                return Refused(said, remedy_for(said))
    return failure


def deploy(world: World) -> str:
    """Deploys. If it fails, the first failed events say why."""
    if not world.is_local:
        _deploy(world, parameters(world))
    state, stack = world.status_of_stack()
    if state not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        raise world.refused_by_events(f"The stack is {state or 'not there'}")
    world.made.outputs |= {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
    world.made.origin = world.made.origin or ORIGIN
    return f"{state}, {len(world.made.outputs)} outputs"


def _deploy(world: World, given: Mapping[str, str], extra: Mapping[str, Any] | None = None) -> None:
    since = world.now()
    try:
        world.sam.deploy(world.plan.stack, given, extra)
    except Refused as failure:
        state, _ = world.status_of_stack()
        said = f"The deployment failed, the stack is {state}" if state else failure.said
        raise world.refused_by_events(said, since) from failure


def keys(world: World) -> str:
    """Puts Stripe's test keys into their two secrets, and has Stripe send its notices."""
    world.only_on_aws("make run puts the stand-in's keys into both secrets")
    if world.stripe is None:
        raise NotHere("no keys of Stripe's test mode were given")
    secrets = world.aws("secretsmanager")
    secret = world.stripe.listen(world.output("WebhookUrl"))
    world.made.webhook = True
    secrets.put_secret_value(
        SecretId=world.output("StripeApiSecretArn"), SecretString=json.dumps(dict(world.stripe.keys))
    )
    secrets.put_secret_value(
        SecretId=world.output("StripeSecretArn"), SecretString=json.dumps({"webhook_secret": secret})
    )
    return "both secrets are filled, and Stripe's webhook is registered"


# ---- Step 2: a deployment changes what it should ----


def origin_is_answered(world: World) -> str:
    """A preflight and a 401 name the allowed origin."""
    _answers_origin(world, world.made.origin)
    return f"a preflight and a 401 name {urlsplit(world.made.origin).hostname}"


def _answers_origin(world: World, origin: str, seconds: float = 0) -> None:
    def named() -> list[str]:
        headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        answers = (
            world.ask("OPTIONS", "/accounts", headers=headers),
            world.ask("GET", "/accounts", headers={"Origin": origin}),
        )
        statuses = [each.status for each in answers]
        if statuses != [200, 401]:
            raise Refused(f"A preflight and a request without a token gave {statuses}.", "They must give 200 and 401.")
        return [each.headers["Access-Control-Allow-Origin"] or "none" for each in answers]

    world.wait(lambda: named() == [origin, origin], seconds)
    if (found := named()) != [origin, origin]:
        raise Refused(
            f"The API names {found} instead of {origin}.",
            "The API was not deployed again: look for AlwaysDeploy in the template.",
        )


def other_origin(world: World) -> str:
    """A second deployment with another origin reaches the API's answers."""
    world.only_on_aws("a second deployment would end the browsers of make run")
    _deploy(world, parameters(world, OTHER_ORIGIN))
    _answers_origin(world, OTHER_ORIGIN, REACHES_SECONDS)
    world.made.origin = OTHER_ORIGIN
    return f"deployed again, and {urlsplit(OTHER_ORIGIN).hostname} is named"


def one_stage(world: World) -> str:
    """The API has one stage. SAM used to make a second one, unthrottled."""
    stages = world.aws("apigateway").get_stages(restApiId=world.output("ApiId"))["item"]
    names = sorted(each["stageName"] for each in stages)
    if names != ["v1"]:
        raise Refused(f"The API has the stages {names}.", "Only v1 is throttled: delete the other one.")
    if not world.is_local:
        address = urlsplit(world.output("ApiUrl"))
        answer = world.http("GET", f"{address.scheme}://{address.netloc}/Stage/openapi.json", {}, None)
        if answer.status != 403:
            raise Refused(f"/Stage gave {answer.status} instead of 403.", "Delete that stage: it is not throttled.")
    return "v1 is the only stage"


def second_stage(world: World) -> str:
    """A second stage could be deployed beside this one: as a change set only."""
    world.only_on_aws("the emulated AWS makes change sets without a look at names")
    other = "prod" if world.plan.stage == "dev" else "dev"
    stack = f"{world.plan.stack}-second"
    if world.status_of_stack(stack)[0] not in {"", IN_REVIEW}:
        raise NotHere(f"there is a stack {stack} already")
    try:
        count = _change_set(world, stack, parameters(world, Stage=other, CreateSenderIdentity="false"))
    finally:
        if world.status_of_stack(stack)[0] == IN_REVIEW:  # it holds nothing, and hides the next run's
            world.aws("cloudformation").delete_stack(StackName=stack)
    return f"a second stage would be {count} resources"


# ---- Step 9: a change that fails ----


def rolls_back(world: World) -> str:
    """A deployment that must fail is taken back, and the data stay."""
    world.only_on_aws("the emulated CloudFormation takes back less than AWS's")
    before = _count(world)
    try:
        world.sam.deploy(world.plan.stack, parameters(world, OTHER_ORIGIN), MUST_FAIL)
    except Refused:
        pass
    else:
        raise Refused("A deployment that must fail did not.", "Paste the JSON file into an issue.")
    state, _ = world.status_of_stack()
    if state != "UPDATE_ROLLBACK_COMPLETE":
        raise world.refused_by_events(f"After a failed change the stack is {state}")
    if (after := _count(world)) < before:
        raise Refused(
            f"The table had {before} items before a failed change, and has {after}.",
            "Paste the JSON file into an issue.",
        )
    world.require(200, "GET", "/openapi.json")
    return f"a change that fails is rolled back, with {after} items in the table"


def _count(world: World) -> int:
    pages = world.aws("dynamodb").get_paginator("scan").paginate(TableName=world.output("TableName"), Select="COUNT")
    return sum(page["Count"] for page in pages)


ONE = (build, change_set, deploy, keys)
TWO = (origin_is_answered, other_origin, one_stage, second_stage)
