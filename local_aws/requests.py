"""Holds each request against AWS's service model: what AWS refuses before it does anything, the local AWS refuses, too.

The models are botocore's: required members, types, enumerations, patterns, lengths and ranges.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from xml.etree import ElementTree

import regex
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from werkzeug.datastructures import MultiDict

PROTOCOL_ARGUMENTS = {"Action", "Version", "x-id"}
"""Arguments of protocols, which are members of no operation."""


@dataclass(frozen=True)
class Parsed:
    """A request with its arguments, by the names of the operation's members."""

    operation: OperationModel
    request: Request
    protocol: str
    form: "_Form"
    arguments: Mapping[str, Any]


def parse(operation: OperationModel, request: Request, uri_arguments: Mapping[str, Any]) -> Parsed:
    """Parse a request, with the arguments in its path."""
    protocol = determine_request_protocol(operation.service_model, request.content_type)
    form = _Form(request.values)
    wire: Any = {
        "method": request.method,
        "values": form,
        "headers": request.headers,
        "body": request.data,
        "url_path": request.path,
        "url_params": uri_arguments,
    }
    arguments: Any = PROTOCOL_PARSERS[protocol](operation).parse(wire) if operation.input_shape else {}
    return Parsed(operation, request, protocol, form, arguments)


def violations(parsed: Parsed) -> list[str]:
    """What is wrong with a request: the path of each member, and why AWS does not accept it."""
    shape: Any = parsed.operation.input_shape
    if not shape:
        return []
    unknown = _unknown(parsed.protocol, parsed.operation, parsed.request, parsed.form)
    return [*unknown, *_wrong(shape, parsed.arguments, "")]


class _Form(MultiDict[str, str]):
    """Arguments of the query protocols. Remembers those that a member of the operation has asked for."""

    def __init__(self, arguments: MultiDict[str, str]) -> None:
        super().__init__(arguments)
        self.known = set(PROTOCOL_ARGUMENTS)

    def __getitem__(self, key: str) -> str:
        self.known.add(key)
        return super().__getitem__(key)


def _unknown(protocol: str, operation: OperationModel, request: Request, form: _Form) -> Iterator[str]:
    shape: Any = operation.input_shape
    if protocol in {"query", "ec2"}:
        names = [name for name in form if name not in form.known]
    else:
        names = list(_unknown_in_body(protocol, shape, request.data))
        if protocol.startswith("rest"):
            names += request.args.keys() - _query_names(operation) - PROTOCOL_ARGUMENTS
    for name in sorted(names):
        yield f"{name}: not a member of {operation.name}"


def _query_names(operation: OperationModel) -> set[str]:
    shape: Any = operation.input_shape
    static = request_uri.partition("?")[2] if (request_uri := operation.http["requestUri"]) else ""
    names = {each.partition("=")[0] for each in static.split("&")}
    members = [member.serialization for member in shape.members.values()]
    return names | {member["name"] for member in members if member.get("location") == "querystring"}


def _unknown_in_body(protocol: str, shape: Any, body: bytes) -> Iterator[str]:
    payload = shape.serialization.get("payload")
    if payload:
        shape = shape.members[payload]
    if not body or shape.type_name != "structure":
        return
    if protocol == "rest-xml":
        yield from _unknown_tags(shape, ElementTree.fromstring(body), "")  # noqa: S314 - of the project's clients
    else:
        yield from _unknown_keys(shape, json.loads(body), "")


def _unknown_keys(shape: Any, value: Any, path: str) -> Iterator[str]:
    """Paths of JSON keys that are no members."""
    match shape.type_name:
        case "structure" if not shape.is_document_type:
            members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
            for key, item in (value or {}).items():
                if key in members:
                    yield from _unknown_keys(members[key], item, f"{path}.{key}")
                else:
                    yield f"{path}.{key}".lstrip(".")
        case "list":
            for item in value or []:
                yield from _unknown_keys(shape.member, item, f"{path}[]")
        case "map":
            for item in (value or {}).values():
                yield from _unknown_keys(shape.value, item, f"{path}{{}}")
        case _:
            pass


def _unknown_tags(shape: Any, node: ElementTree.Element, path: str) -> Iterator[str]:
    """Paths of XML elements that are no members."""
    match shape.type_name:
        case "structure":
            members = {_wire_name(name, member): member for name, member in shape.members.items()}
            for child in node:
                tag = child.tag.rpartition("}")[2]
                if member := members.get(tag):
                    flattened = member.type_name == "list" and member.serialization.get("flattened")
                    yield from _unknown_tags(member.member if flattened else member, child, f"{path}.{tag}")
                else:
                    yield f"{path}.{tag}".lstrip(".")
        case "list":
            for child in node:
                yield from _unknown_tags(shape.member, child, path)
        case _:
            pass


def _wire_name(name: str, member: Any) -> str:
    if member.type_name == "list" and member.serialization.get("flattened"):
        return member.member.serialization.get("name") or member.serialization.get("name", name)
    return member.serialization.get("name", name)


def _wrong(shape: Any, value: Any, path: str) -> Iterator[str]:
    """Members that are missing, or have a value that the model does not allow."""
    metadata = shape.metadata
    match shape.type_name:
        case "structure" if not shape.is_document_type:
            for name in metadata.get("required", []):
                if value.get(name) is None:
                    yield f"{path}.{name}".lstrip(".") + ": missing"
            for name, item in value.items():
                if item is not None:
                    yield from _wrong(shape.members[name], item, f"{path}.{name}".lstrip("."))
        case "list":
            yield from _outside(metadata, len(value), f"{path}: items")
            for item in value:
                yield from _wrong(shape.member, item, f"{path}[]")
        case "map":
            yield from _outside(metadata, len(value), f"{path}: items")
            for key, item in value.items():
                yield from _wrong(shape.key, key, f"{path}: key {key}")
                yield from _wrong(shape.value, item, f"{path}{{{key}}}")
        case "string":
            yield from _outside(metadata, len(value), f"{path}: characters")
            if metadata.get("enum") and value not in metadata["enum"]:
                yield f"{path}: {value!r} is none of {', '.join(metadata['enum'])}"
            if (pattern := metadata.get("pattern")) and not regex.fullmatch(_in_python(pattern), value):
                yield f"{path}: {value!r} does not match {pattern}"
        case "blob":
            yield from _outside(metadata, len(value), f"{path}: bytes")
        case "integer" | "long" | "float" | "double":
            yield from _outside(metadata, value, path)
        case _:
            pass


@cache
def _in_python(pattern: str) -> str:
    """Patterns are Java's, in which characters beyond the first 65,536 are pairs."""
    return pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")


def _outside(metadata: Mapping[str, Any], value: float, what: str) -> Iterator[str]:
    lowest, highest = metadata.get("min"), metadata.get("max")
    if (lowest is not None and value < lowest) or (highest is not None and value > highest):
        yield f"{what}: {value} is not {lowest} to {highest}"
