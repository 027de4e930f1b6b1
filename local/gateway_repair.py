"""Adds what ministack 1.5.33 ignores of a REST API in the template: mock methods (CORS) and gateway responses.

Run after each deployment; AWS itself does not need it. It reads the deployed template, and may be repeated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.cloud import client
from local.settings import Settings

RESOURCES_MAX = 500


@dataclass(frozen=True, slots=True)
class MockMethod:
    """A method that the gateway answers itself. CORS pre-flights are mock methods."""

    path: str
    verb: str
    responses: Mapping[str, Mapping[str, Any]]


def repair(settings: Settings) -> None:
    """Completes every REST API of the stack. Raises ClientError, and KeyError if a resource is missing."""
    cloudformation = client(settings, "cloudformation")
    body = cloudformation.get_template(StackName=settings.stack, TemplateStage="Processed")["TemplateBody"]
    template = json.loads(body) if isinstance(body, str) else body
    resources = cloudformation.describe_stack_resources(StackName=settings.stack)["StackResources"]
    ids = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}
    [stack] = cloudformation.describe_stacks(StackName=settings.stack)["Stacks"]
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    gateway = client(settings, "apigateway")
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::ApiGateway::RestApi":
            _repair_api(gateway, ids[name], resource["Properties"]["Body"], parameters)


def _repair_api(gateway: Any, api: str, document: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
    resources = gateway.get_resources(restApiId=api, limit=RESOURCES_MAX)["items"]
    ids = {each["path"]: each["id"] for each in resources}
    for method in _mock_methods(document):
        for selector, response in method.responses.items():
            resolved = _substituted(response, parameters)
            _put_mock_response(gateway, api, ids[method.path], method.verb, selector, resolved)
    for kind, response in document.get("x-amazon-apigateway-gateway-responses", {}).items():
        _put_gateway_response(gateway, api, kind, _substituted(response, parameters))
    for stage in gateway.get_stages(restApiId=api)["item"]:
        gateway.create_deployment(restApiId=api, stageName=stage["stageName"])


def _substituted(part: Any, parameters: Mapping[str, str]) -> Any:
    """A part of the template with each Fn::Sub resolved. The emulator returns the template unresolved."""
    if isinstance(part, Mapping):
        if [*part] == ["Fn::Sub"]:
            return re.sub(r"\$\{(\w+)\}", lambda name: parameters[name[1]], part["Fn::Sub"])
        return {name: _substituted(value, parameters) for name, value in part.items()}
    return part


def _mock_methods(document: Mapping[str, Any]) -> Iterator[MockMethod]:
    for path, methods in document["paths"].items():
        for verb, method in methods.items():
            integration = method.get("x-amazon-apigateway-integration", {})
            if integration.get("type", "").lower() == "mock":
                yield MockMethod(path, verb.upper(), integration.get("responses", {}))


def _put_mock_response(
    gateway: Any, api: str, resource: str, verb: str, selector: str, response: Mapping[str, Any]
) -> None:
    place = {
        "restApiId": api,
        "resourceId": resource,
        "httpMethod": verb,
        "statusCode": str(response["statusCode"]),
    }
    headers = response.get("responseParameters", {})
    gateway.put_method_response(**place, responseParameters=dict.fromkeys(headers, False))
    gateway.put_integration_response(
        **place,
        selectionPattern="" if selector == "default" else selector,
        responseParameters=headers,
        responseTemplates=response.get("responseTemplates", {}),
    )


def _put_gateway_response(gateway: Any, api: str, kind: str, response: Mapping[str, Any]) -> None:
    status = {"statusCode": str(response["statusCode"])} if "statusCode" in response else {}
    gateway.put_gateway_response(
        restApiId=api,
        responseType=kind,
        responseParameters=response.get("responseParameters", {}),
        responseTemplates=response.get("responseTemplates", {}),
        **status,
    )
