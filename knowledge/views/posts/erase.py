"""Erase a post in two steps: the first page lists what will be deleted, the second deletes it."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from extraction.models import Post
from extraction.text.cleaning import clean
from kgbuilder.celery import ring_projectors
from knowledge.models import Assertion, Mention, Review
from knowledge.recording import erasure
from knowledge.views.access import ERASE, page

LONGEST_REASON = 500


@page(ERASE)
def erase(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    post = get_object_or_404(Post.objects.select_related("current_version"), public_id=public_id)
    if post.state == Post.State.ERASED:
        return redirect("post", public_id)
    if request.method != "POST":
        return render(request, "posts/erase.html", {"post": post, "deleted": _deleted(post)})
    reason = " ".join(clean(request.POST.get("reason", "")).split())[:LONGEST_REASON]
    erasure.erase(post, request.user, reason)
    ring_projectors()
    messages.success(request, "The post was erased. The graph is updated within seconds.")
    return redirect("post", public_id)


def _deleted(post: Post) -> list[tuple[int, str]]:
    mentions = Mention.objects.filter(reading__version__post=post)
    assertions = Assertion.objects.filter(reading__version__post=post)
    return [
        (post.versions.count(), "post versions"),
        (post.images.count(), "pictures"),
        (mentions.count(), "mentions"),
        (assertions.count(), "assertions"),
        (Review.objects.filter(post=post).count(), "verdicts"),
    ]
