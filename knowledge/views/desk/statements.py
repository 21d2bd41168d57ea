"""Correcting and adding statements of a post."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from extraction.models import Post
from kgbuilder.celery import ring_projectors
from knowledge.models import Mention, Review, Statement
from knowledge.recording import claims, reviews
from knowledge.recording.claims import Claim
from knowledge.recording.quotes import find
from knowledge.views.access import REVIEW, page
from knowledge.views.desk.forms import MOST_CHOICES, StatementForm, mention_choices
from knowledge.views.desk.queue import take_next
from knowledge.views.posts.highlight import quoted


def live_posts() -> Any:
    analysed = Post.objects.filter(state=Post.State.LIVE, current_reading__isnull=False)
    return analysed.select_related("current_reading__version")


@page(REVIEW)
def correct(request: HttpRequest, public_id: uuid.UUID, statement_id: uuid.UUID) -> HttpResponse:
    """Change the ends, relation, direction, factuality or time of a statement in a post."""
    post = get_object_or_404(live_posts(), public_id=public_id)
    statement = get_object_or_404(Statement, public_id=statement_id)
    try:
        claim = claims.judged(post, statement)
    except claims.NothingToReview as error:
        messages.error(request, str(error))
        return redirect("post", public_id)
    form, mentions = _form(request, post, claim)
    if request.method == "POST" and form.is_valid():
        if form.changes_nothing:
            form.add_error(None, "Nothing was changed. Accept the statement if it is right as it is.")
        else:
            try:
                given = reviews.correct(post, statement, form.change(mentions), request.user, form.cleaned_data["note"])
            except claims.ImpossibleClaim as error:
                form.add_error(None, str(error))
            else:
                return _done(request, given, "Corrected: your statement is in the place of what was extracted.")
    return _shown(request, post, form, claim, statement)


@page(REVIEW)
def add(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """State a relation between two mentions. `head`, `tail`: ids of mentions, in a GET those that were chosen."""
    post = get_object_or_404(live_posts(), public_id=public_id)
    claim = _between(post, request)
    form, mentions = _form(request, post, claim, add=True)
    if request.method == "POST" and form.is_valid():
        ends = [mentions[form.cleaned_data[name]] for name in ("head", "tail")]
        change = form.change({})
        try:
            given = reviews.add(post, (ends[0], ends[1]), change, request.user, form.cleaned_data["note"])
        except claims.ImpossibleClaim as error:
            form.add_error(None, str(error))
        else:
            return _done(request, given, "Added: the statement is in the graph while the post contains these words.")
    return _shown(request, post, form, claim, None)


def _between(post: Post, request: HttpRequest) -> Claim | None:
    """A claim without a relation between the mentions that the request names, for the choices of the form."""
    sent = request.GET if request.method == "GET" else request.POST
    keys = [sent.get("head", ""), sent.get("tail", "")]
    rows = Mention.objects.filter(reading=post.current_reading_id, pk__in=[key for key in keys if key.isdecimal()])
    by_key = {str(row.pk): row for row in rows}
    if len({*keys} & by_key.keys()) < 2 or post.current_reading is None:
        return None
    text = post.current_reading.version.text
    return Claim(claims.end_of(by_key[keys[0]], text), "", claims.end_of(by_key[keys[1]], text))


def _form(
    request: HttpRequest, post: Post, claim: Claim | None, *, add: bool = False
) -> tuple[StatementForm, dict[str, Mention]]:
    assert post.current_reading is not None
    rows = list(post.current_reading.mentions.order_by("start", "end", "pk")[:MOST_CHOICES])
    data = request.POST if request.method == "POST" else None
    form = StatementForm(data, claim=claim, ends=mention_choices(rows, post.current_reading.version.text))
    if add:
        form.fields["head"].required = form.fields["tail"].required = True
        chosen = {name: request.GET[name] for name in ("head", "tail") if name in request.GET}
        form.initial = {**form.initial, **chosen}
    return form, {str(row.pk): row for row in rows}


def _shown(
    request: HttpRequest, post: Post, form: StatementForm, claim: Claim | None, statement: Statement | None
) -> HttpResponse:
    assert post.current_reading is not None
    text = post.current_reading.version.text
    quote = None
    if claim is not None:
        places = [(find(text, end.quote), len(end.quote["exact"])) for end in (claim.head, claim.tail)]
        ends = [(place, place + length) for place, length in places if place is not None]
        quote = quoted(text, ends) if ends else None
    context = {
        "post": post,
        "form": form,
        "quote": quote,
        "heading": "Correct a statement" if statement else "Add a statement",
        "do": "Correct" if statement else "Add",
        "title": post.current_reading.version.title,
    }
    return render(request, "desk/form.html", context)


def _done(request: HttpRequest, given: Review, message: str) -> HttpResponse:
    ring_projectors()
    messages.success(request, message)
    if "queue" in request.GET:
        return take_next(request)
    anchor = "d" if given.factuality == "denied" else "s"
    return redirect(f"{reverse('post', args=[given.post.public_id])}#{anchor}-{given.statement.public_id}")
