"""The review queue: one statement a screen, with its words; and what the reviews say, in figures."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from extraction.labels import RELATIONS
from extraction.models import Feed, Post
from kgbuilder.celery import ring_projectors
from knowledge.models import Review, ReviewHold, Statement
from knowledge.ontology import relation_names
from knowledge.record import review_figures, review_queue
from knowledge.record.review_queue import QueueFilter
from knowledge.recording import reviews
from knowledge.recording.claims import NothingToReview
from knowledge.views.access import REVIEW, page
from knowledge.views.entities.merge_split import referenced
from knowledge.views.posts.detail import with_parts
from knowledge.views.posts.quintuples import Quintuple, quintuples_of

_VERDICTS = {"accept": "Accepted", "reject": "Rejected"}


class QueueForm(forms.Form):
    """What an editor wants to review; kept in the address."""

    feed = forms.ModelChoiceField(Feed.objects.order_by("title", "url"), required=False, empty_label="Any feed")
    relation = forms.ChoiceField(required=False)
    entity = forms.CharField(required=False, max_length=600, label="Entity: exact name or page address")

    def __init__(self, data: Any) -> None:
        super().__init__(data, label_suffix="")
        named = sorted(((key, relation_names.label(key)) for key in RELATIONS), key=lambda one: one[1].casefold())
        self.fields["relation"].choices = [("", "Any relation"), *named]  # type: ignore[attr-defined]

    def wanted(self) -> QueueFilter:
        if not self.is_valid():
            return QueueFilter()
        feed, entity = self.cleaned_data["feed"], None
        if name := self.cleaned_data["entity"].strip():
            try:
                found = referenced(name)
                entity = found.canonical_id or found.pk
            except LookupError as error:
                self.add_error("entity", str(error.args[0]))
        return QueueFilter(feed.pk if feed else None, self.cleaned_data["relation"], entity)


@page(REVIEW)
def queue(request: HttpRequest) -> HttpResponse:
    """The statement that the editor holds, or where none is held the beginning."""
    form = QueueForm(request.GET)
    wanted = form.wanted()
    held = review_queue.held_by(_editor(request))
    shown = _shown(held) if held else None
    context: dict[str, Any] = {"form": form, "query": request.GET.urlencode()}
    if held is not None and shown is not None:
        reasons = review_queue.reasons(held.post_id, held.statement_id)
        context |= {"held": held, "post": held.post, "q": shown, "reasons": reasons}
    else:
        context |= {"waiting": review_queue.waiting(wanted), "gone": held is not None}
    return render(request, "desk/queue.html", context)


@page(REVIEW)
@require_POST
def go_on(request: HttpRequest) -> HttpResponse:
    """Record a verdict on the statement that is shown, skip it, or undo the last one; then hold the next."""
    editor, do = _editor(request), request.POST.get("do", "")
    if do == "undo":
        return _undo(request, editor)
    if do in (*_VERDICTS, "skip"):
        post = get_object_or_404(Post, public_id=_uuid(request, "post"), state=Post.State.LIVE)
        statement = get_object_or_404(Statement, public_id=_uuid(request, "statement"))
        if do == "skip":
            review_queue.skip(editor, post.pk, statement.pk)
        else:
            try:
                reviews.review(post, statement, do, request.user, request.POST.get("note", "")[:2000])
                messages.success(request, f"{_VERDICTS[do]}. Press u to undo.")
                ring_projectors()
            except NothingToReview as error:
                messages.error(request, str(error))
    return take_next(request)


def take_next(request: HttpRequest) -> HttpResponse:
    """Hold the next statement, and lead to it."""
    wanted = QueueForm(request.GET).wanted()
    if review_queue.take(_editor(request), wanted) is None:
        messages.info(request, "Nothing is left to review here. Choose another filter, or come back later.")
    return redirect(_address(request))


def _undo(request: HttpRequest, editor: int) -> HttpResponse:
    """Undo the editor's last verdict and show its statement again."""
    mine = Review.objects.filter(replaced_by__isnull=True, by=editor, withdrawn_at__isnull=True)
    live = mine.filter(post__state=Post.State.LIVE).select_related("post", "replaces__statement")
    last = live.order_by("-pk").first()
    if last is None:
        messages.info(request, "Nothing to undo: none of your verdicts is in effect.")
        return redirect(_address(request))
    reviews.withdraw_review(last, request.user)
    ring_projectors()
    about = last.replaces or last
    review_queue.release(editor)
    review_queue.hold(editor, about.post_id, about.statement_id)
    messages.success(request, "Your last verdict was undone.")
    return redirect(_address(request))


@page(REVIEW)
def figures(request: HttpRequest) -> HttpResponse:
    """Verdicts by day, agreement of editors, precision by relation and month."""
    now = timezone.now()
    context = {
        "days": review_figures.by_day(now),
        "agreement": review_figures.agreement(),
        "precision": review_figures.precision(now),
    }
    return render(request, "desk/figures.html", context)


def _shown(held: ReviewHold) -> Quintuple | None:
    """The held statement as its post's page has it; None where the post no longer makes it."""
    post = with_parts().filter(pk=held.post_id, state=Post.State.LIVE, current_reading__isnull=False).first()
    if post is None or post.current_reading is None:
        return None
    found = quintuples_of(post, post.current_reading.version)
    rows = (one for one in found.every if one.statement.pk == held.statement_id and one.reviewable)
    return next(rows, None)


def _editor(request: HttpRequest) -> int:
    return int(request.user.pk or 0)


def _uuid(request: HttpRequest, name: str) -> Any:

    try:
        return UUID(request.POST.get(name, ""))
    except ValueError:
        return UUID(int=0)


def _address(request: HttpRequest) -> str:
    """The queue with the filters of this request."""
    kept = request.GET.copy()
    kept.pop("queue", None)
    query = kept.urlencode()
    return f"{reverse('review_queue')}{f'?{query}' if query else ''}"
