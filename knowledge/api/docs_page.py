"""The documentation page of the API, generated from its schema, without scripts and without other hosts."""

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
    description: str


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
    description: list[str]
    scope: str
    parameters: list[FieldDoc]
    bodies: list[Body]
    responses: list[tuple[str, str, str]]
    """Status, description, and the name of the object in the response."""


@dataclass
class Section:
    title: str
    operations: list[Operation] = field(default_factory=list)


@page(READ)
def api_docs(request: HttpRequest) -> HttpResponse:
    sections, objects = _read()
    context = {
        "sections": sections,
        "objects": objects,
        "schema": reverse("api_openapi_json"),
        "root": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "api/documentation.html", context)


@lru_cache(maxsize=1)
def _read() -> tuple[list[Section], list[tuple[str, str, list[FieldDoc]]]]:
    """The operations by section, and the objects; the schema does not change while the process runs."""
    openapi = json.loads(json.dumps(api.get_openapi_schema(), default=str))
    components = openapi["components"]["schemas"]
    sections: dict[str, Section] = {}
    for path, operations in openapi["paths"].items():
        for method in METHODS:
            if method in operations:
                one = operations[method]
                title = one.get("tags", ["others"])[0]
                sections.setdefault(title, Section(title)).operations.append(_operation(path, method, one, components))
    objects = [
        (name, schema.get("description", ""), list(_fields(schema)))
        for name, schema in sorted(components.items())
        if schema.get("type") == "object" and schema.get("properties")
    ]
    return list(sections.values()), objects


def _operation(path: str, method: str, described: dict[str, Any], components: dict[str, Any]) -> Operation:
    return Operation(
        id=described["operationId"],
        method=method.upper(),
        path=path,
        summary=described["summary"],
        description=[" ".join(part.split()) for part in described.get("description", "").split("\n\n")],
        scope=described.get("x-scope", ""),
        parameters=[
            FieldDoc(one["name"], _type(one["schema"]), one.get("required", False), one.get("description", ""))
            for one in described.get("parameters", [])
        ],
        bodies=list(_bodies(described.get("requestBody", {}), components)),
        responses=[
            (status, one["description"], _object(one)) for status, one in sorted(described["responses"].items())
        ],
    )


def _bodies(request: dict[str, Any], components: dict[str, Any]) -> Iterator[Body]:
    for media_type, one in request.get("content", {}).items():
        schema = one.get("schema", {})
        schema = components.get(schema.get("$ref", "").rpartition("/")[2], schema)
        examples = schema.get("examples", [])
        first = examples[0] if examples else ""
        example = first if isinstance(first, str) else json.dumps(first, indent=2, ensure_ascii=False)
        yield Body(media_type, list(_fields(schema)), example)


def _fields(schema: dict[str, Any]) -> Iterator[FieldDoc]:
    required = set(schema.get("required", []))
    for name, field_schema in schema.get("properties", {}).items():
        yield FieldDoc(name, _type(field_schema), name in required, field_schema.get("description", ""))


def _object(response: dict[str, Any]) -> str:
    for one in response.get("content", {}).values():
        return _named(one.get("schema", {}))
    return ""


def _named(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _type(schema: dict[str, Any]) -> str:
    """A type as short text: `string (uuid)`, `list of MentionShown`, `integer or null`."""
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
