"""What the API says of an assertion beside its ends: factuality, claimant, time, amount; and of values and denials."""

from __future__ import annotations

from typing import Any

import pytest

from knowledge.models import Entity
from tests.factories import make_post
from tests.knowledge.api.test_api import get, problem, program
from tests.wire import read_wire

pytestmark = pytest.mark.django_db


def of_relation(stated: list[dict[str, Any]], key: str) -> dict[str, Any]:
    [found] = [one for one in stated if one["relation"]["key"] == key]
    return found


def test_a_post_gives_factuality_claimant_time_and_amount_and_denials_apart() -> None:
    wire = read_wire()
    found = get(program("read"), f"posts/{wire.public_id}")
    acquired = of_relation(found["stated"], "acquired")
    assert acquired["factuality"] == "planned"
    [place] = acquired["places"]
    assert place["when"] == {"text": "March", "earliest": "2026-03-01", "latest": "2026-03-31"}
    assert place["amount"] == {"text": "$2 billion", "value": 2e9, "unit": "USD"}
    attacked = of_relation(found["stated"], "attacked")
    assert (attacked["factuality"], attacked["places"][0]["claimant"]["label"]) == ("alleged", "Kenya")
    denied = of_relation(found["denied"], "attacked")
    assert (denied["factuality"], denied["counts"]) == ("denied", True)
    assert found["statements"] == 6


def test_times_and_numbers_are_values_without_an_address() -> None:
    found = get(program("read"), f"posts/{read_wire().public_id}")
    assert {one["entity"] for one in found["mentioned"] if one["type"] in ("time", "number")} == {None}
    assert [one["form"] for one in found["mentioned"] if one["text"] in ("She", "company")] == ["nominal", "pronoun"]
    tail = of_relation(found["stated"], "inception")["tail"]
    assert tail == {"id": None, "iri": None, "label": "1901", "type": "time"}
    value = Entity.objects.get(label="1901")
    client = program("read")
    problem(client.get(f"/api/v1/entities/{value.public_id}"), 404)
    assert "1901" not in {one["label"] for one in get(client, "entities", type="any", limit=200)["items"]}


def test_statements_are_filtered_by_factuality_and_show_what_is_against_them() -> None:
    read_wire()
    client = program("read")

    def keys(factuality: str) -> set[str]:
        return {one["relation"]["key"] for one in get(client, "statements", factuality=factuality)["items"]}

    assert keys("planned") == {"acquired"}
    assert keys("alleged") == keys("denied") == {"attacked"}
    assert keys("stated") == {"inception", "location_of_formation", "leads", "met"}
    [row] = get(client, "statements", relation="attacked")["items"]
    assert (row["factuality"], row["denied"]) == ("alleged", 1)
    shown = get(client, f"statements/{row['id']}")
    [support], [against] = shown["support"], shown["against"]
    assert (support["factuality"], support["claimant"]["label"]) == ("alleged", "Kenya")
    assert (against["factuality"], against["claimant"]["label"]) == ("denied", "Uganda")
    assert support["when"]["earliest"] == "2026-03-01"


def test_posts_are_filtered_by_factuality() -> None:
    wire = read_wire()
    make_post("Nothing", "Nothing happened.")
    client = program("read")
    for query in ({"factuality": "denied"}, {"factuality": "planned", "relation": "acquired"}):
        assert [one["id"] for one in get(client, "posts", **query)["items"]] == [str(wire.public_id)]
    assert get(client, "posts", factuality="planned", relation="met")["items"] == []
    problem(client.get("/api/v1/posts", {"factuality": "perhaps"}), 422)
