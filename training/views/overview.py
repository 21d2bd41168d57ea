"""The first page of training: what is in production, the runs, the checkpoints."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from extraction.models import Checkpoint, Deployment
from knowledge.views import pagination
from training.models import Evaluation, Promotion, TrainingRun, Work
from training.views.access import page, state_of

RUNS = pagination.Key(fields=("id",), descending=True, parse=(int,))
SHOWN = 10


@page()
def overview(request: HttpRequest) -> HttpResponse:
    runs = pagination.page(TrainingRun.objects.select_related("checkpoint"), RUNS, request.GET)
    busy = (Work.State.WAITING, Work.State.RUNNING)
    context = {
        "page": runs,
        "rows": [{"run": run, "state": state_of(run), "score": _best(run)} for run in runs.rows],
        "deployment": Deployment.objects.filter(active=True).select_related("checkpoint").first(),
        "promotion": Promotion.objects.filter(state__in=busy).select_related("checkpoint").first(),
        "checkpoints": Checkpoint.objects.order_by("-pk")[:SHOWN],
        "evaluations": [
            {"evaluation": one, "state": state_of(one)}
            for one in Evaluation.objects.select_related("checkpoint", "dataset").order_by("-pk")[:SHOWN]
        ],
    }
    return render(request, "training/overview.html", context)


def _best(run: TrainingRun) -> float | None:
    """The best F1 on dev so far."""
    points: list[Any] = run.progress.get("curves", {}).get("dev f1", [])
    return max((value for _, value in points), default=None)
