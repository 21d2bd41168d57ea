"""The sample feed and its pages, served as by a publisher: public, with ETags, without the product's pages around
them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from xml.etree import ElementTree

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import http_date
from django.views.decorators.http import condition, require_safe

from extraction import samples
from extraction.samples import SamplePost


@cache
def _posts() -> Sequence[SamplePost]:
    return samples.load_posts()


def _etag(request: HttpRequest, post_id: str = "") -> str:
    """An ETag of all samples: a later version of the product changes feed and pages. The host is part of the feed."""
    return f'"{hashlib.sha256(repr((_posts(), request.get_host())).encode()).hexdigest()[:32]}"'


@login_not_required
@require_safe
@condition(etag_func=_etag)
def feed(request: HttpRequest) -> HttpResponse:
    """The samples as RSS 2.0."""
    return HttpResponse(_rss(request), content_type="application/rss+xml; charset=utf-8")


@login_not_required
@require_safe
@condition(etag_func=_etag)
def page(request: HttpRequest, post_id: str) -> HttpResponse:
    """One sample as an article's page."""
    post = next((post for post in _posts() if post.id == post_id), None)
    if post is None:
        raise Http404(f"There is no sample {post_id}.")
    return render(request, "samples/article.html", {"post": post, "address": request.build_absolute_uri()})


def _rss(request: HttpRequest) -> bytes:
    rss = ElementTree.Element("rss", version="2.0")
    channel = ElementTree.SubElement(rss, "channel")
    _add(
        channel,
        title=samples.TITLE,
        link=request.build_absolute_uri("/"),
        description=samples.DESCRIPTION,
        language="en",
    )
    for post in reversed(_posts()):
        link = request.build_absolute_uri(reverse("sample", args=[post.id]))
        date = http_date(post.published.timestamp())
        item = ElementTree.SubElement(channel, "item")
        _add(item, title=post.title, link=link, pubDate=date, description=post.paragraphs[0])
        # Not the link: the same post is recognized when the product has moved to another port.
        ElementTree.SubElement(item, "guid", isPermaLink="false").text = f"kgbuilder-sample:{post.id}"
    return bytes(ElementTree.tostring(rss, encoding="utf-8", xml_declaration=True))


def _add(parent: ElementTree.Element, **texts: str) -> None:
    for name, text in texts.items():
        ElementTree.SubElement(parent, name).text = text
