"""What the graph's IRIs lead to: the page of what they name, or its triples as Turtle."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from extraction.models import Checkpoint, Post
from knowledge import current
from knowledge.graphs.store import Unit
from knowledge.models import Assertion, Entity, Statement
from knowledge.ontology import PREFIXES
from knowledge.views.access import READ, page

TURTLE = "text/turtle"


class SeeOther(HttpResponseRedirect):
    """The IRI names a thing; this is where one reads about it."""

    status_code = 303


@page(READ)
def entity_iri(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    get_object_or_404(Entity, public_id=public_id)
    return SeeOther(reverse("entity_turtle" if _wants_turtle(request) else "entity", args=[public_id]))


@page(READ)
def post_iri(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    get_object_or_404(Post, public_id=public_id)
    return SeeOther(reverse("post_turtle" if _wants_turtle(request) else "post", args=[public_id]))


@page(READ)
def assertion_iri(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The place in its post; of an assertion of an earlier reading, the post."""
    found = get_object_or_404(
        Assertion.objects.select_related("reading__version__post", "statement"), public_id=public_id
    )
    post = reverse("post", args=[found.reading.version.post.public_id])
    return SeeOther(f"{post}#s-{found.statement.public_id}")


@page(READ)
def checkpoint_iri(request: HttpRequest, digest: str) -> HttpResponse:
    get_object_or_404(Checkpoint, digest__startswith=digest)
    return SeeOther(reverse("status"))


@page(READ)
def entity_turtle(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The entity's names and type, and the statements that it stands in."""
    from knowledge.graphs import build

    found = get_object_or_404(Entity.objects.select_related("canonical"), public_id=public_id)
    edges = [] if found.canonical else current.statements_of(found)
    rows = [pk for edge in edges for pk in edge.statements]
    statements = Statement.objects.filter(pk__in=rows).values_list("public_id", flat=True)
    return _turtle([*build.entities([public_id]), *build.statements(list(statements))])


@page(READ)
def post_turtle(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The post's named graph: its headline, mentions and assertions with their places."""
    from knowledge.graphs import build

    get_object_or_404(Post, public_id=public_id)
    return _turtle(build.posts([public_id]))


def _wants_turtle(request: HttpRequest) -> bool:
    accept = request.headers.get("Accept", "")
    return TURTLE in accept and "text/html" not in accept


def _turtle(units: Iterable[Unit]) -> HttpResponse:
    import pyoxigraph

    from knowledge.graphs import rdf

    triples = dict.fromkeys(quad.triple for unit in units for quad in rdf.quads(unit))
    body = pyoxigraph.serialize(triples, format=pyoxigraph.RdfFormat.TURTLE, prefixes=PREFIXES)
    return HttpResponse(body, content_type=f"{TURTLE}; charset=utf-8")
