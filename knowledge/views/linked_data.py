"""Linked data: the IRIs of the graph lead to the page of what they name, or to its triples in the requested format."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from extraction.models import Checkpoint, Post, PostImage
from knowledge.api.problems import RequestProblem
from knowledge.graphs.units import Unit
from knowledge.graphs.xml_characters import well_formed
from knowledge.models import Assertion, Statement
from knowledge.ontology.vocabulary import PREFIXES
from knowledge.record import current
from knowledge.views.entities.index import with_pages
from knowledge.views.token_access import by_token, linked_data

# The media type and the file ending of each format; clients that accept any RDF get the first.
FORMS = {
    "text/turtle": "ttl",
    "application/ld+json": "jsonld",
    "application/n-triples": "nt",
    "application/rdf+xml": "rdf",
}
HTML = ("text/html", "application/xhtml+xml")


class SeeOther(HttpResponseRedirect):
    """The answer for the IRI of a thing: the address of a document about it."""

    status_code = 303


@linked_data
def entity_iri(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    get_object_or_404(with_pages(), public_id=public_id)
    return _redirect(request, "entity", public_id)


@linked_data
def post_iri(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    get_object_or_404(Post, public_id=public_id)
    return _redirect(request, "post", public_id)


@linked_data
def picture_iri(request: HttpRequest, public_id: uuid.UUID, number: int) -> HttpResponse:
    """Redirect to the post of the picture: to its graph, or for people to the picture on its page."""
    post = get_object_or_404(Post, public_id=public_id)
    image = _picture(post, number)
    response = _redirect(request, "post", public_id)
    if not _form(request):
        response["Location"] += f"#p{image.pk}"
    return response


def _picture(post: Post, number: int) -> PostImage:
    images = post.images.exclude(sha256="").order_by("position", "pk")
    if number >= min(settings.PICTURES_PER_POST, len(images)):
        raise Http404("This post has no such picture.")
    image: PostImage = images[number]
    return image


@linked_data
def assertion_iri(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Redirect to the statement on the page of its post, for an assertion of an earlier reading to the page; for a
    program to the post's graph, which holds its assertions."""
    assertion = get_object_or_404(
        Assertion.objects.select_related("reading__version__post", "statement"), public_id=public_id
    )
    response = _redirect(request, "post", assertion.reading.version.post.public_id)
    if not _form(request):
        anchor = "d" if assertion.factuality == current.DENIED else "s"
        response["Location"] += f"#{anchor}-{assertion.statement.public_id}"
    return response


@linked_data
def checkpoint_iri(request: HttpRequest, digest: str) -> HttpResponse:
    get_object_or_404(Checkpoint, digest__startswith=digest)
    if _form(request):
        raise RequestProblem(406, "The graph holds nothing about a checkpoint beyond its IRI. Its page is HTML.")
    return SeeOther(reverse("status"))


@linked_data
def entity_graph(request: HttpRequest, public_id: uuid.UUID, form: str) -> HttpResponse:
    """The names, the type and the statements of an entity."""
    from knowledge.graphs import unit_builder

    entity = get_object_or_404(with_pages().select_related("canonical"), public_id=public_id)
    edges = [] if entity.canonical else current.statements_of(entity)
    rows = [pk for edge in edges for pk in edge.statements]
    statements = Statement.objects.filter(pk__in=rows).values_list("public_id", flat=True)
    return _rdf_response([*unit_builder.entities([public_id]), *unit_builder.statements(list(statements))], form)


@linked_data
def post_graph(request: HttpRequest, public_id: uuid.UUID, form: str) -> HttpResponse:
    """The named graph of a post: its headline, and its mentions and assertions with their offsets."""
    from knowledge.graphs import unit_builder

    get_object_or_404(Post, public_id=public_id)
    return _rdf_response(unit_builder.posts([public_id]), form)


def _redirect(request: HttpRequest, kind: str, public_id: uuid.UUID) -> HttpResponse:
    """Redirect to the format that the client prefers, or to the page if it states no preference."""
    form = _form(request)
    return SeeOther(reverse(f"{kind}_{FORMS[form]}" if form else kind, args=[public_id]))


def _form(request: HttpRequest) -> str:
    """The RDF media type to answer with; "" for the page, which takes no token."""
    accept = request.headers.get("Accept", "")
    program = by_token(request) and "html" not in accept
    return negotiated(accept) or (next(iter(FORMS)) if program else "")


def negotiated(accept: str) -> str:
    """The RDF media type that a client prefers by the weights of RFC 9110; "" where HTML is at least as welcome."""
    weights = {}
    for part in accept.split(","):
        kind, *options = (one.strip().lower() for one in part.split(";"))
        weight = next((one[2:] for one in options if one.startswith("q=")), "1")
        try:
            weights[kind] = float(weight)
        except ValueError:
            weights[kind] = 0.0
    page = max((weights.get(kind, weights.get("text/*", weights.get("*/*", 0.0))) for kind in HTML), default=0.0)
    best = max(FORMS, key=lambda form: weights.get(form, 0.0))
    return best if weights.get(best, 0.0) > page else ""


def _rdf_response(units: Iterable[Unit], form: str) -> HttpResponse:
    import pyoxigraph

    from knowledge.graphs.rdf import quads

    triples = dict.fromkeys(quad.triple for unit in units for quad in quads.quads(unit))
    media_type = next(kind for kind, ending in FORMS.items() if ending == form)
    kind = pyoxigraph.RdfFormat.from_media_type(media_type)
    prefixes = PREFIXES if form in ("ttl", "rdf") else None
    body = pyoxigraph.serialize(triples, format=kind, prefixes=prefixes)
    body = well_formed(body or b"", media_type)
    return HttpResponse(body, content_type=f"{media_type}; charset=utf-8" if form == "ttl" else media_type)
