"""The answer to a person's Cypher query, as JSON. No Django."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from neo4j.graph import Node, Path, Relationship

from knowledge.graphs.spreadsheets import harmless

Value = None | bool | int | float | str | list[Any] | dict[str, Any]


class AnswerTooLarge(Exception):
    """There are more characters than an answer may have."""


@dataclass(slots=True)
class CypherAnswer:
    """Columns and rows as JSON; `nodes` and `edges` are the graph elements of the rows, each once, by their id."""

    columns: list[str]
    rows: list[list[Value]] = field(default_factory=list)
    truncated: bool = False
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    edges: dict[str, dict[str, Any]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "columns": self.columns,
            "rows": self.rows,
            "truncated": self.truncated,
            "nodes": list(self.nodes.values()),
            "edges": list(self.edges.values()),
        }

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> CypherAnswer:
        nodes, edges = ({one["key"]: one for one in found[kind]} for kind in ("nodes", "edges"))
        return cls(found["columns"], found["rows"], found["truncated"], nodes, edges)

    def as_csv(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(harmless(self.columns))
        writer.writerows(harmless(text_of(value) for value in row) for row in self.rows)
        return out.getvalue()


class AnswerReader:
    """Converts the driver's values into JSON and collects the nodes and relationships among them.

    Raises AnswerTooLarge as soon as they have more than `largest` characters.
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self.nodes: dict[str, dict[str, Any]] = {}
        self.edges: dict[str, dict[str, Any]] = {}
        self.size = 0

    def value(self, value: Any) -> Value:
        self.size += 8
        if self.size > self._largest:
            raise AnswerTooLarge
        if isinstance(value, Node):
            return {"node": self._node(value)}
        if isinstance(value, Relationship):
            return {"relationship": self._edge(value)}
        if isinstance(value, Path):
            for part in (*value.nodes, *value.relationships):
                self.value(part)
            return {"path": [self._named(part) for part in _alternating(value)]}
        if isinstance(value, dict):
            return {str(key): self.value(one) for key, one in value.items()}
        if isinstance(value, list | tuple | set):
            return [self.value(one) for one in value]
        if value is None or isinstance(value, bool | int | float):
            # JSON has no infinity.
            return value if not isinstance(value, float) or abs(value) < float("inf") else str(value)
        text = value if isinstance(value, str) else value.iso_format() if hasattr(value, "iso_format") else str(value)
        self.size += len(text)
        return text

    def _node(self, node: Node) -> str:
        # The server's own id: a node from another program may lack one of ours.
        key = node.element_id
        if key not in self.nodes:
            shown: dict[str, Any] = {"key": key, "labels": sorted(node.labels), "id": "", "name": ""}
            shown["properties"] = {name: self.value(one) for name, one in node.items()}
            shown["id"] = str(node.get("id", ""))
            shown["name"] = str(node.get("name") or node.get("title") or shown["id"] or key)
            self.nodes[key] = shown
        return key

    def _edge(self, edge: Relationship) -> str:
        key = edge.element_id
        if key not in self.edges and edge.start_node is not None and edge.end_node is not None:
            properties = {name: self.value(one) for name, one in edge.items()}
            ends = {"from": self._end(edge.start_node), "to": self._end(edge.end_node)}
            self.edges[key] = {"key": key, "type": edge.type, "properties": properties, **ends}
        return key

    def _end(self, node: Node) -> str:
        """A node's key. The ends of a relationship that is returned by itself come without labels and properties."""
        return self._node(node) if node.labels or node.element_id in self.nodes else node.element_id

    def _named(self, part: Any) -> str:
        if isinstance(part, Node):
            return str(self.nodes[part.element_id]["name"])
        result: str = part.type.replace("_", " ").lower()
        return result


def _alternating(path: Path) -> Iterator[Any]:
    yield path.start_node
    for edge, node in zip(path.relationships, path.nodes[1:], strict=True):
        yield edge
        yield node


def text_of(value: Value) -> str:
    """A value as one cell of a table in a file."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and "path" in value:
        return " – ".join(value["path"])
    return json.dumps(value, ensure_ascii=False)
