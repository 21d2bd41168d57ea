"""What the API offers, as a page of our own: made from its schema, without a script and without another host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from knowledge.api.routes import api
from knowledge.views.access import READ, page

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class FieldDoc:
    """A parameter, or a field of an object."""

    name: str
    type: str
    required: bool
    says: str


@dataclass(frozen=True)
class Body:
    media_type: str
    fields: list[FieldDoc]
    example: str


@dataclass(frozen=True)
class Operation:
    id: str
    method: str
    path: str
    summary: str
    says: list[str]
    scope: str
    parameters: list[FieldDoc]
    bodies: list[Body]
    answers: list[tuple[str, str, str]]
    """Status, what it means, and the name of the object in it."""


@dataclass
class Section:
    title: str
    operations: list[Operation] = field(default_factory=list)


@page(READ)
def api_docs(request: HttpRequest) -> HttpResponse:
    parts, objects = _read()
    context = {
        "parts": parts,
        "objects": objects,
        "schema": reverse("api_openapi_json"),
        "root": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "api/documentation.html", context)


@lru_cache(maxsize=1)
def _read() -> tuple[list[Section], list[tuple[str, str, list[FieldDoc]]]]:
    """The schema's operations by part, and its objects; it is the same for as long as the process lives."""
    schema = json.loads(json.dumps(api.get_openapi_schema(), default=str))
    components = schema["components"]["schemas"]
    parts: dict[str, Section] = {}
    for path, operations in schema["paths"].items():
        for method in METHODS:
            if method in operations:
                one = operations[method]
                title = one.get("tags", ["others"])[0]
                parts.setdefault(title, Section(title)).operations.append(_operation(path, method, one, components))
    objects = [
        (name, told.get("description", ""), list(_fields(told)))
        for name, told in sorted(components.items())
        if told.get("type") == "object" and told.get("properties")
    ]
    return list(parts.values()), objects


def _operation(path: str, method: str, told: dict[str, Any], components: dict[str, Any]) -> Operation:
    return Operation(
        id=told["operationId"],
        method=method.upper(),
        path=path,
        summary=told["summary"],
        says=[" ".join(part.split()) for part in told.get("description", "").split("\n\n")],
        scope=told.get("x-scope", ""),
        parameters=[
            FieldDoc(one["name"], _type(one["schema"]), one.get("required", False), one.get("description", ""))
            for one in told.get("parameters", [])
        ],
        bodies=list(_bodies(told.get("requestBody", {}), components)),
        answers=[(status, one["description"], _object(one)) for status, one in sorted(told["responses"].items())],
    )


def _bodies(told: dict[str, Any], components: dict[str, Any]) -> Iterator[Body]:
    for media_type, one in told.get("content", {}).items():
        schema = one.get("schema", {})
        schema = components.get(schema.get("$ref", "").rpartition("/")[2], schema)
        examples = schema.get("examples", [])
        shown = examples[0] if examples else ""
        example = shown if isinstance(shown, str) else json.dumps(shown, indent=2, ensure_ascii=False)
        yield Body(media_type, list(_fields(schema)), example)


def _fields(schema: dict[str, Any]) -> Iterator[FieldDoc]:
    required = set(schema.get("required", []))
    for name, told in schema.get("properties", {}).items():
        yield FieldDoc(name, _type(told), name in required, told.get("description", ""))


def _object(response: dict[str, Any]) -> str:
    for one in response.get("content", {}).values():
        return _named(one.get("schema", {}))
    return ""


def _named(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _type(schema: dict[str, Any]) -> str:
    """A type in few words: `string (uuid)`, `list of MentionShown`, `integer or null`."""
    if "$ref" in schema:
        return _named(schema)
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return " | ".join(str(one) for one in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    form = f" ({schema['format']})" if "format" in schema else ""
    return f"{schema.get('type', 'anything')}{form}"
