"""Runs side by side: settings that differ, figures, curves over one another, and significance of the differences."""

from __future__ import annotations

import uuid
from functools import lru_cache
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from training.models import EvaluatedExample, Evaluation, TrainingRun, Work
from training.views import curves
from training.views.access import page, state_of

if TYPE_CHECKING:
    from training.evaluation.bootstrap import F1Difference

MOST = 8


@page()
def compare(request: HttpRequest) -> HttpResponse:
    """`?run=1&run=2`, or `?batch=…` for runs that were launched together; without either, the form to choose them."""
    runs = _chosen(request)
    context: dict[str, Any] = {
        "runs": [{"run": run, "state": state_of(run)} for run in runs],
        "choices": TrainingRun.objects.order_by("-pk")[:60],
        "picked": {run.pk for run in runs},
        "most": MOST,
    }
    if runs:
        context |= {
            "differing": _differing(runs),
            "charts": _charts(runs),
            "tables": _tables(runs),
            "busy": any(run.state in (Work.State.WAITING, Work.State.RUNNING) for run in runs),
        }
    return render(request, "training/compare.html", context)


def _chosen(request: HttpRequest) -> list[TrainingRun]:
    rows = TrainingRun.objects.select_related("checkpoint")
    try:
        batch = uuid.UUID(request.GET["batch"]) if request.GET.get("batch") else None
    except ValueError:
        batch = None
    if batch:
        return list(rows.filter(batch=batch).order_by("seed")[:MOST])
    run_ids = [int(one) for one in request.GET.getlist("run") if one.isdecimal() and len(one) < 18][:MOST]
    found = rows.in_bulk(run_ids)
    return [found[pk] for pk in dict.fromkeys(run_ids) if pk in found]


def _differing(runs: list[TrainingRun]) -> list[tuple[str, list[Any]]]:
    """The settings in which the runs differ, with each run's value."""
    flat = [{**run.config, **{f"network, {k}": v for k, v in run.config.get("network", {}).items()}} for run in runs]
    names = sorted({name for one in flat for name in one} - {"network"})
    rows = [(name, [one.get(name, "–") for one in flat]) for name in names]
    return [(name, values) for name, values in rows if any(value != values[0] for value in values)]


def _charts(runs: list[TrainingRun]) -> list[curves.Chart]:
    drawn = [(run, run.progress.get("curves", {})) for run in runs]
    losses = [(str(run), curves.smoothed(own.get("loss total", []))) for run, own in drawn]
    return [
        curves.chart("Loss (moving average)", losses),
        curves.chart("F1 on dev", [(str(run), own.get("dev f1", [])) for run, own in drawn], share=True),
    ]


def _tables(runs: list[TrainingRun]) -> list[dict[str, Any]]:
    """One for each data set and split that any of the runs' checkpoints was evaluated on."""
    newest: dict[tuple[str, str], dict[int, Evaluation]] = {}
    done = Evaluation.objects.filter(
        checkpoint__in=[run.checkpoint_id for run in runs if run.checkpoint_id], state=Work.State.DONE, options={}
    )
    for one in done.select_related("dataset").order_by("pk"):
        newest.setdefault((one.dataset.name, one.split), {})[one.checkpoint_id] = one
    return [_table(runs, name, split, by) for (name, split), by in sorted(newest.items())]


def _table(runs: list[TrainingRun], name: str, split: str, by: dict[int, Evaluation]) -> dict[str, Any]:
    evaluations = [by.get(run.checkpoint_id or 0) for run in runs]
    first = next((one for one in evaluations if one is not None), None)
    rows = []
    for run, one in zip(runs, evaluations, strict=True):
        different = _difference(first, one) if one and first and one.pk != first.pk else None
        row = {"run": run, "evaluation": one, "figures": _figures(one)}
        rows.append({**row, "first": one is first, "different": different, "sure": _significant(different)})
    names = list(
        dict.fromkeys(figure["name"] for one in evaluations if one for figure in one.metrics.get("figures", []))
    )
    return {"name": name, "split": split, "rows": rows, "names": names, "spread": _spread(runs, rows, names)}


def _significant(different: F1Difference | None) -> bool:
    """Whether 95 of 100 resamples agree on the sign."""
    return different is not None and (different.low > 0 or different.high < 0)


def _figures(evaluation: Evaluation | None) -> dict[str, Any]:
    return {} if evaluation is None else {one["name"]: one for one in evaluation.metrics.get("figures", [])}


def _spread(runs: list[TrainingRun], rows: list[dict[str, Any]], names: list[str]) -> list[tuple[float, float]] | None:
    """Mean and standard deviation over seeds, where the runs differ in nothing else and there are several."""
    same = all(name == "seed" for name, _ in _differing(runs))
    whole = [row["figures"] for row in rows if row["figures"]]
    if not same or len(whole) < 2:
        return None
    values = [[one[name]["f1"] for one in whole if name in one] for name in names]
    return [(fmean(column), stdev(column)) if len(column) > 1 else (column[0], 0.0) for column in values]


def _difference(first: Evaluation, second: Evaluation) -> F1Difference | None:
    return _paired(first.pk, second.pk, str(first.ended_at), str(second.ended_at))


@lru_cache(maxsize=64)
def _paired(first: int, second: int, *when: str) -> F1Difference | None:
    """The second's F1 less the first's, on the same examples; None where they were measured on others."""
    import numpy as np

    from training.evaluation.bootstrap import difference

    one, other = (
        np.array(EvaluatedExample.objects.filter(evaluation=pk).order_by("position").values_list(*_COUNTS), np.int64)
        for pk in (first, second)
    )
    try:
        return difference(other, one)
    except ValueError:
        return None


_COUNTS = ("right", "found", "gold")
