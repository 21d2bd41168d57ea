"""Marking words of a post as a mention, changing and deleting mentions, and undoing corrections."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from extraction.models import Post
from kgbuilder.celery import ring_projectors
from knowledge.models import Entity, Mention, MentionCorrection, Review
from knowledge.recording import mention_corrections, reviews
from knowledge.recording.mention_corrections import ImpossibleMention, MarkedWords
from knowledge.views.access import REVIEW, page
from knowledge.views.desk.forms import MOST_CHOICES, MentionForm, placed
from knowledge.views.desk.statements import live_posts
from knowledge.views.entities.merge_split import referenced
from knowledge.views.posts.highlight import quoted


@page(REVIEW)
def add(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Mark words as a mention. `start`, `end`: the selected words, as offsets in the analysed text."""
    post = get_object_or_404(live_posts(), public_id=public_id)
    text = post.current_reading.version.text
    start, end = (_number(request.GET.get(name, "0")) for name in ("start", "end"))
    initial = {"start": start, "end": end, "words": text[start:end], "type": "person"}
    form = _form(request, post, initial)
    if request.method == "POST" and form.is_valid():
        marked = _marked(form, text)
        if marked is not None:
            try:
                mention_corrections.add(post, marked, request.user, form.cleaned_data["note"])
            except ImpossibleMention as error:
                form.add_error(None, str(error))
            else:
                return _done(request, post, "Added: these words are a mention now.")
    return _shown(request, post, form, None)


@page(REVIEW)
def correct(request: HttpRequest, public_id: uuid.UUID, mention_id: int) -> HttpResponse:
    """Change the words, type or entity of a mention, or delete it (`do` = delete)."""
    post = get_object_or_404(live_posts(), public_id=public_id)
    rows = Mention.objects.select_related("reading__version__post", "entity__canonical", "resolved__canonical")
    mention = get_object_or_404(rows, pk=mention_id, reading=post.current_reading_id)
    text = post.current_reading.version.text
    if request.method == "POST" and request.POST.get("do") == "delete":
        mention_corrections.delete(mention, request.user, request.POST.get("note", "")[:2000])
        return _done(request, post, "Deleted: what was extracted of this mention is no longer in the graph.")
    entity = mention.entity.canonical or mention.entity
    initial = {"start": mention.start, "end": mention.end, "words": text[mention.start : mention.end]}
    initial |= {"type": mention.type, "entity": str(entity.public_id)}
    form = _form(request, post, initial)
    if request.method == "POST" and form.is_valid():
        marked = _marked(form, text)
        if marked is not None:
            try:
                mention_corrections.change(mention, marked, request.user, form.cleaned_data["note"])
            except ImpossibleMention as error:
                form.add_error(None, str(error))
            else:
                return _done(request, post, "Corrected: the mention is as you gave it, in later readings too.")
    return _shown(request, post, form, mention)


@page(REVIEW)
@require_POST
def undo(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Undo one correction of a mention (`correction`), or the editor's own last act in this post."""
    post = get_object_or_404(Post, public_id=public_id, state=Post.State.LIVE)
    reference = request.POST.get("correction", "")
    held = post.mention_corrections.filter(withdrawn_at__isnull=True)
    if reference:
        try:
            last: Any = get_object_or_404(held, public_id=uuid.UUID(reference))
        except ValueError as error:
            raise Http404("This correction does not exist.") from error
    else:
        last = _last_act(post, request.user.pk)
    if last is None:
        messages.info(request, "Nothing to undo: you have changed nothing in this post that is still in effect.")
        return redirect("post", public_id)
    if isinstance(last, Review):
        reviews.withdraw_review(last, request.user)
        name = "verdict"
    else:
        mention_corrections.withdraw(last, request.user)
        name = "correction"
    return _done(request, post, f"Your last {name} was undone." if not reference else "The correction was undone.")


def _last_act(post: Post, who: int | None) -> Review | MentionCorrection | None:
    """The latest of the editor's active verdicts and corrections in a post."""
    verdict = post.reviews.filter(withdrawn_at__isnull=True, by=who).order_by("-at", "-pk").first()
    correction = post.mention_corrections.filter(withdrawn_at__isnull=True, by=who).order_by("-at", "-pk").first()
    acts = [one for one in (verdict, correction) if one is not None]
    return max(acts, key=lambda one: one.at, default=None)


def _form(request: HttpRequest, post: Post, initial: dict[str, Any]) -> MentionForm:
    data = request.POST if request.method == "POST" else None
    return MentionForm(data, initial=initial, entities=_entities(post))


def _entities(post: Post) -> list[Entity]:
    """Those that the post mentions, each once, by its label."""
    assert post.current_reading is not None
    rows = post.current_reading.mentions.select_related("entity__canonical")
    found = {(row.entity.canonical or row.entity).pk: row.entity.canonical or row.entity for row in rows}
    return sorted(found.values(), key=lambda one: one.label.casefold())[:MOST_CHOICES]


def _marked(form: MentionForm, text: str) -> MarkedWords | None:
    """What the form says, or None with an error in the form."""
    given = form.cleaned_data
    place = placed(text, given["words"], given["start"])
    if place is None:
        form.add_error("words", "These words are not in the text. Copy them from it exactly.")
        return None
    chosen = given["entity"] if "entity" in form.changed_data else ""
    try:
        entity = referenced(given["other"].strip()) if given["other"].strip() else None
    except LookupError as error:
        form.add_error("other", str(error.args[0]))
        return None
    if entity is None and chosen:
        entity = Entity.objects.get(public_id=chosen)
    if not set(form.changed_data) - {"note"} and form.initial.get("entity"):
        form.add_error(None, "Nothing was changed.")
        return None
    return MarkedWords(*place, given["type"], entity, by_name="entity" in form.changed_data and not chosen)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _shown(request: HttpRequest, post: Post, form: MentionForm, mention: Mention | None) -> HttpResponse:
    assert post.current_reading is not None
    text = post.current_reading.version.text
    sent = form.initial
    span = (int(sent["start"]), min(int(sent["end"]), len(text)))
    context = {
        "post": post,
        "form": form,
        "quote": quoted(text, [span]) if span[0] < span[1] else None,
        "heading": "Correct a mention" if mention else "Add a mention",
        "do": "Correct" if mention else "Add",
        "deletes": mention is not None,
        "title": post.current_reading.version.title,
    }
    return render(request, "desk/form.html", context)


def _done(request: HttpRequest, post: Post, message: str) -> HttpResponse:
    ring_projectors()
    messages.success(request, message)
    return redirect(reverse("post", args=[post.public_id]))
