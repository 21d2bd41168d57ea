"""One evaluation: its figures, relations, confusion; and the browser of its examples with what went wrong in them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from kgbuilder.celery import ring
from knowledge.record import audit_log
from knowledge.views import pagination
from training.jobs import queue as jobs_queue
from training.models import EvaluatedExample, Evaluation, Work
from training.views import examples, runs
from training.views.access import page, state_of
from training.views.charts import matrix

NONE = "(none)"
EXAMPLES = pagination.Key(fields=("position",), descending=False, parse=(int,))
PER_PAGE = 20
FAULTS = {
    "missed": "missed",
    "invented": "invented",
    "confused": "wrong relation",
    "type": "wrong entity type",
    "mention": "wrong mention",
}


@page()
def evaluation(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    found = get_object_or_404(Evaluation.objects.select_related("checkpoint", "dataset"), pk=evaluation_id)
    metrics = found.metrics
    context = {
        "evaluation": found,
        "state": state_of(found),
        "busy": found.state in (Work.State.WAITING, Work.State.RUNNING),
        "share": runs._share(found.progress),
        "figures": metrics.get("figures", []),
        "labels": [_label(row) for row in metrics.get("by_label", [])],
        "matrix": matrix(metrics.get("confusion", []), NONE),
        "faults": _counted(found),
        "others": Evaluation.objects.filter(dataset=found.dataset, split=found.split, state=Work.State.DONE)
        .exclude(pk=found.pk)
        .select_related("checkpoint")
        .order_by("-pk")[:10],
    }
    return render(request, "training/evaluation.html", context)


def _label(row: list[Any]) -> dict[str, Any]:
    label, right, found, gold = row
    return {
        "label": label,
        "precision": right / found if found else None,
        "recall": right / gold if gold else None,
        "f1": 2 * right / (found + gold) if right else 0.0,
        "found": found,
        "gold": gold,
    }


def _counted(evaluation: Evaluation) -> list[tuple[str, str, int]]:
    """Of each kind of fault, how many examples have it."""
    counts = [
        (key, label, evaluation.examples.filter(faults__contains=f" {key} ").count()) for key, label in FAULTS.items()
    ]
    return [one for one in counts if one[2]]


@page()
def browser(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    """The examples, by kind of fault and by label, as annotated and as read."""
    found = get_object_or_404(Evaluation.objects.select_related("checkpoint", "dataset"), pk=evaluation_id)
    fault, label = request.GET.get("fault", "any"), request.GET.get("label", "")
    rows = EvaluatedExample.objects.filter(evaluation=found)
    if fault in FAULTS:
        rows = rows.filter(faults__contains=f" {fault} ")
    elif fault == "any":
        rows = rows.exclude(faults="")
    if label:
        rows = rows.filter(labels__contains=f" {label} ")
    shown = pagination.page(rows, EXAMPLES, request.GET, size=PER_PAGE)
    context = {
        "evaluation": found,
        "page": shown,
        "shown": [examples.shown(row, FAULTS) for row in shown.rows],
        "count": rows.count(),
        "fault": fault,
        "label": label,
        "faults": FAULTS,
        "labels": sorted(row[0] for row in found.metrics.get("by_label", [])),
    }
    return render(request, "training/examples.html", context)


@page()
@require_POST
def change(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    """Stops an evaluation, or does it over."""
    found = get_object_or_404(Evaluation, pk=evaluation_id)
    if found.state in (Work.State.WAITING, Work.State.RUNNING):
        jobs_queue.stop(Evaluation.objects.filter(pk=found.pk))
        what = "evaluation cancelled"
    else:
        jobs_queue.wait(found)
        ring("check")
        what = "evaluation asked"
    audit_log.note(request.user, what, str(found.pk))
    return redirect("evaluation", found.pk)
