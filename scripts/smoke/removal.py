"""Step 9: the stack is removed, and what stays is named, with the command that deletes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from scripts.smoke.before import TAG, is_ours
from scripts.smoke.deployment import rolls_back
from scripts.smoke.refusals import NotHere, Refused, remedy_for
from scripts.smoke.world import IN_REVIEW, World

DELETED_BY = {
    "AWS::DynamoDB::Table": "aws dynamodb delete-table --table-name {0}",
    "AWS::Cognito::UserPool": "aws cognito-idp delete-user-pool --user-pool-id {0}",
    "AWS::S3::Bucket": "empty it with all its versions in the console, then aws s3 rb s3://{0}",
    "AWS::SES::EmailIdentity": "aws sesv2 delete-email-identity --email-identity {0}",
}
"""How each kind of resource that outlives the stack is deleted."""

ARN_PARTS = 5
"""Colons of an ARN before the name of the resource, which may have some too."""

STAYS_ALWAYS = "the bucket aws-sam-cli-managed-default-… of sam, which other stacks may use too"
STACK_COSTS = "about 50 US cents a day: alarms, secrets, and Lambda's polls of idle queues"


def tidied(world: World) -> str:
    """On this machine the log-in of smoke's staff is deleted: the account is by now."""
    if not world.is_local:
        raise NotHere("the user pool stays as it is, for you to look at")
    delete_staff(world)
    return "smoke's log-ins are deleted"


def delete_staff(world: World) -> None:
    """Deletes the log-in of smoke's staff, if it was made."""
    if world.made.staff:
        world.aws("cognito-idp").admin_delete_user(UserPoolId=world.output("UserPoolId"), Username=world.made.staff)
        world.made.staff = ""


def removed(world: World) -> str:
    """Deletes the stack that smoke has made, and Stripe's webhook. Also after a run that failed."""
    world.only_on_aws("make clean removes the local stack")
    state, stack = world.status_of_stack()
    webhooks = world.stripe.stop_listening() if world.stripe else 0
    world.made.webhook = False
    if not state:
        world.made.log |= {f"stays {number}": each for number, each in enumerate(tagged(world))}
        return f"there is no stack; {webhooks} webhooks of smoke are removed at Stripe"
    if state == IN_REVIEW:
        world.aws("cloudformation").delete_stack(StackName=world.plan.stack)
        return "a stack that held nothing is deleted"
    if not is_ours(stack):
        raise Refused(f"The stack {world.plan.stack} was not made by smoke.", "Name smoke's own with --stack.")
    try:
        world.sam.delete(world.plan.stack)
    except Refused as failure:
        raise world.refused_by_events(f"The stack cannot be deleted: {failure.said}") from failure
    left, _ = world.status_of_stack()
    if left:
        said = f"The stack is still there: {left}"
        raise world.refused_by_events(said) if left == "DELETE_FAILED" else Refused(said, remedy_for(said))
    world.made.removed = True
    stays = kept(world, stack["StackId"])
    world.made.log |= {f"stays {number}": each for number, each in enumerate(stays)}
    return f"the stack is deleted; {len(stays)} resources stay, which are named below"


def kept(world: World, stack_id: str) -> list[str]:
    """What CloudFormation has left of a deleted stack, each with the command that deletes it.

    A deleted stack is listed by its id for 90 days, and a retained resource has the status DELETE_SKIPPED:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStacks.html,
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
    """
    pages = world.aws("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack_id)
    resources = [each for page in pages for each in page["StackResourceSummaries"]]
    return [_named(each) for each in resources if each["ResourceStatus"] == "DELETE_SKIPPED"]


def tagged(world: World) -> list[str]:
    """What has smoke's tag in the region. CloudFormation gives a stack's tags to most of its resources; they keep them.

    https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
    """
    pages = (
        world.aws("resourcegroupstaggingapi")
        .get_paginator("get_resources")
        .paginate(TagFilters=[{"Key": TAG, "Values": ["yes"]}])
    )
    arns = [each["ResourceARN"].split(":", ARN_PARTS) for page in pages for each in page["ResourceTagMappingList"]]
    return [f"of a former run, or deleted within the hour: {each[2]} {each[-1]}" for each in arns]


def _named(resource: Mapping[str, Any]) -> str:
    how = DELETED_BY.get(resource["ResourceType"], "delete it in the console")
    return f"{resource['LogicalResourceId']}: {how.format(resource['PhysicalResourceId'])}"


def remains(world: World) -> list[str]:
    """What a run has left, and what it costs. Fails never: it is what a failed run says last."""
    if world.is_local:
        is_left = world.made.account and not world.made.ended
        left = [f"the account {world.made.account}, until make clean"] if is_left else []
        return left + (["the log-in of smoke's staff, until make clean"] if world.made.staff else [])
    left = [each for name, each in world.made.log.items() if name.startswith("stays ")]
    try:
        state, _ = world.status_of_stack()
    except (BotoCoreError, ClientError):
        return [*left, f"perhaps the stack {world.plan.stack}: AWS does not answer"]
    if state:
        left.append(f"the stack {world.plan.stack} ({state}), {STACK_COSTS}; the same command with --remove deletes it")
    if world.made.webhook:
        left.append("a webhook at Stripe's test mode; --remove deletes it")
    if state or world.made.removed:
        left.append(STAYS_ALWAYS)
    return left


CHECKS = (rolls_back, tidied, removed)
