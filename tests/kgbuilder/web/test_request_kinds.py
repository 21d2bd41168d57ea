"""Heavy requests go to the consoles, by the addresses of the product itself; bodies are bounded by address."""

from __future__ import annotations

import uuid

import pytest
from django.urls import reverse

from kgbuilder.web.request_kinds import LONGEST_BODY, LONGEST_QUERY, MB, UPLOAD, Pool, longest_body, pool_of

ID = uuid.UUID(int=7)
HEAVY = [
    ("POST", reverse("sparql")),
    ("POST", reverse("cypher")),
    ("GET", reverse("api_ask_sparql")),
    ("POST", reverse("api_ask_sparql")),
    ("HEAD", reverse("api_export_graph", args=["turtle"])),
    ("GET", reverse("api_search")),
    ("GET", reverse("entity_ttl", args=[ID])),
    ("GET", reverse("post_ttl", args=[ID])),
]
LIGHT = [
    ("GET", reverse("sparql")),
    ("HEAD", reverse("cypher")),
    ("GET", reverse("sign_in")),
    ("POST", reverse("sign_in")),
    ("GET", reverse("post", args=[ID])),
    ("GET", reverse("posts")),
]


@pytest.mark.parametrize(("method", "path"), HEAVY)
def test_what_may_be_heavy_is_answered_by_the_consoles(method: str, path: str) -> None:
    assert pool_of(method, path) is Pool.CONSOLES


@pytest.mark.parametrize(("method", "path"), LIGHT)
def test_pages_and_sign_in_are_not(method: str, path: str) -> None:
    assert pool_of(method, path) is Pool.PAGES


@pytest.mark.parametrize("name", ["healthz", "readyz", "metrics"])
def test_probes_have_threads_of_their_own_and_take_no_body(name: str) -> None:
    assert pool_of("GET", reverse(name)) is Pool.PROBES
    assert longest_body(reverse(name), 500) == 0


def test_only_the_upload_of_a_data_set_takes_a_large_body() -> None:
    assert reverse("dataset_upload") == UPLOAD
    assert longest_body(UPLOAD, 500) == 501 * MB
    assert longest_body(reverse("sparql"), 500) == LONGEST_QUERY
    for path in (reverse("sign_in"), reverse("posts"), "/nothing", "/api/v1/posts"):
        assert longest_body(path, 500) == LONGEST_BODY
