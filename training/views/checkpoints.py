"""Checkpoints: what one is and scored, evaluating it, promoting it to production, rolling back."""

from __future__ import annotations

from datetime import UTC, datetime, time

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from extraction.models import Checkpoint, Deployment, Post, Reading
from kgbuilder.celery import ring
from knowledge.record import audit_log
from training.forms import EvaluateForm, PromoteForm
from training.jobs import queue as jobs_queue
from training.models import Evaluation, Promotion, TrainingRun, Work
from training.views.access import page, state_of
from training.views.promotion import prospect, refusal

SHOWN = 8


@page()
def checkpoint(request: HttpRequest, checkpoint_id: int) -> HttpResponse:
    return _shown(request, get_object_or_404(Checkpoint, pk=checkpoint_id))


def _shown(
    request: HttpRequest,
    found: Checkpoint,
    promote: PromoteForm | None = None,
    evaluate: EvaluateForm | None = None,
    status: int = 200,
) -> HttpResponse:
    active = Deployment.objects.filter(active=True).select_related("checkpoint").first()
    promotions = list(Promotion.objects.filter(checkpoint=found).select_related("by").order_by("-pk")[:SHOWN])
    in_production = active is not None and active.checkpoint_id == found.pk
    context = {
        "checkpoint": found,
        "prospect": None if in_production else prospect(found, active),
        "active": active,
        "in_production": in_production,
        "was_in_production": found.deployments.exists(),
        "run": TrainingRun.objects.filter(checkpoint=found).first(),
        "test": found.metrics.get("test", []) if isinstance(found.metrics, dict) else [],
        "evaluations": [
            {"evaluation": one, "state": state_of(one)}
            for one in found.evaluations.select_related("dataset").order_by("-pk")
        ],
        "promotions": [{"promotion": one, "state": state_of(one)} for one in promotions],
        "busy": any(one.state in (Work.State.WAITING, Work.State.RUNNING) for one in promotions),
        "readings": Reading.objects.filter(checkpoint=found, stage=Reading.Stage.DONE).count(),
        "posts": Post.objects.filter(state=Post.State.LIVE, current_version__isnull=False).count(),
        "promote": promote or PromoteForm(),
        "evaluate": evaluate or EvaluateForm(),
    }
    return render(request, "training/checkpoint.html", context, status=status)


@page("extraction.add_deployment")
@require_POST
def promote(request: HttpRequest, checkpoint_id: int) -> HttpResponse:
    """Asks for a promotion: the checkpoint is loaded and tried in a process of its own before anything changes."""
    found = get_object_or_404(Checkpoint, pk=checkpoint_id)
    form = PromoteForm(request.POST)
    if not form.is_valid():
        return _shown(request, found, promote=form, status=422)
    if Promotion.objects.filter(state__in=(Work.State.WAITING, Work.State.RUNNING)).exists():
        messages.error(request, "Another promotion is in progress. Wait until it has ended.")
        return redirect("checkpoint", found.pk)
    if refused := refusal(found):
        messages.error(request, f"{refused} Production is unchanged.")
        return redirect("checkpoint", found.pk)
    since = form.cleaned_data["since"] if form.cleaned_data["reread"] == Promotion.Reread.SINCE else None
    promotion = Promotion.objects.create(
        checkpoint=found,
        reread=form.cleaned_data["reread"],
        since=datetime.combine(since, time(), UTC) if since else None,
        by=request.user if request.user.is_authenticated else None,
    )
    jobs_queue.wait(promotion)
    audit_log.note(
        request.user, "promotion asked", found.digest, None, {"reread": promotion.reread, "since": since and str(since)}
    )
    ring("check")
    messages.success(
        request, "The checkpoint is being loaded and tested. If the test succeeds, it goes into production."
    )
    return redirect("checkpoint", found.pk)


@page()
@require_POST
def evaluate(request: HttpRequest, checkpoint_id: int) -> HttpResponse:
    found = get_object_or_404(Checkpoint, pk=checkpoint_id)
    form = EvaluateForm(request.POST)
    if not form.is_valid():
        return _shown(request, found, evaluate=form, status=422)
    evaluation = Evaluation.objects.create(
        checkpoint=found,
        dataset=form.cleaned_data["dataset"],
        split=form.cleaned_data["split"],
        by=request.user if request.user.is_authenticated else None,
    )
    jobs_queue.wait(evaluation)
    audit_log.note(request.user, "evaluation asked", str(evaluation.pk), None, {"checkpoint": found.digest})
    ring("check")
    return redirect("evaluation", evaluation.pk)


@page()
def deployments(request: HttpRequest) -> HttpResponse:
    """What was in production, and when: the page to roll back from."""
    rows = Deployment.objects.select_related("checkpoint").order_by("-pk")[:100]
    return render(request, "training/deployments.html", {"rows": rows})
