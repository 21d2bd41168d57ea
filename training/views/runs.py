"""Runs: launching them, watching one, cancelling and resuming it."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from kgbuilder.celery import ring
from knowledge.record import audit_log
from training.forms import LaunchForm
from training.jobs import queue as jobs_queue
from training.jobs.system_descriptions import CannotDescribe
from training.models import Dataset, TrainingRun, Work
from training.views import curves
from training.views.access import description, folder, page, state_of

LOG_LINES = 200
SILENT_AFTER = timedelta(minutes=3)


@page()
def new(request: HttpRequest) -> HttpResponse:
    """Chooses a system, then shows its settings with a recipe's values in them; sent, it launches a run a seed."""
    try:
        described = description()
    except CannotDescribe as error:
        messages.error(request, str(error))
        return redirect("training")
    system = request.POST.get("system") or request.GET.get("system", "")
    if system not in described["systems"]:
        return render(request, "training/systems.html", {"systems": described["systems"]})
    recipes = described["systems"][system]["recipes"]
    chosen = request.GET.get("recipe", "")
    recipe = next((one for one in recipes if one["name"] == chosen), recipes[0])
    form = LaunchForm(described, system, recipe, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        return _launched(request, system, form)
    waiting = Dataset.objects.filter(state__in=(Work.State.WAITING, Work.State.RUNNING)).count()
    about = described["systems"][system]
    context = {"form": form, "system": system, "about": about, "recipe": recipe, "waiting": waiting}
    return render(request, "training/new.html", context, status=422 if form.is_bound else 200)


def _launched(request: HttpRequest, system: str, form: LaunchForm) -> HttpResponse:
    """One run for each seed, launched together."""
    cleaned, batch = form.cleaned_data, uuid.uuid4()
    with transaction.atomic():
        runs = [
            TrainingRun(
                system=system,
                name=_name(cleaned["name"] or system, seed, len(cleaned["seeds"])),
                batch=batch,
                seed=seed,
                device=cleaned["device"],
                config={**form.config(), "system": system, "seed": seed},
                by=request.user if request.user.is_authenticated else None,
            )
            for seed in cleaned["seeds"]
        ]
        for run in runs:
            run.save()
            run.folder = str(folder("runs", str(run.pk)))
            run.save(update_fields=["folder"])
            run.datasets.set(cleaned["datasets"])
            jobs_queue.wait(run)
            audit_log.note(request.user, "run launched", str(run.pk), None, {"system": system, "seed": run.seed})
    ring("train")
    if len(runs) > 1:
        messages.success(request, f"{len(runs)} runs were launched.")
        return redirect(f"{reverse('compare')}?batch={batch}")
    return redirect("run", runs[0].pk)


def _name(name: str, seed: int, of: int) -> str:
    return f"{name}, seed {seed}" if of > 1 else name


@page()
def run(request: HttpRequest, run_id: int) -> HttpResponse:
    found = get_object_or_404(TrainingRun.objects.select_related("checkpoint", "by"), pk=run_id)
    context = {
        **_live(found),
        "settings": _settings(found),
        "datasets": found.datasets.all(),
        "evaluations": found.checkpoint.evaluations.select_related("dataset") if found.checkpoint else [],
        "others": TrainingRun.objects.filter(batch=found.batch).exclude(pk=found.pk).order_by("seed"),
    }
    return render(request, "training/run.html", context)


@page()
def live(request: HttpRequest, run_id: int) -> HttpResponse:
    """The part of a run's page that changes; the page's script requests it while the run goes on."""
    found = get_object_or_404(TrainingRun.objects.select_related("checkpoint"), pk=run_id)
    response = render(request, "training/run_live.html", _live(found))
    response.headers["Cache-Control"] = "no-store"
    # The script loads the whole page once, when the run has ended: its figures stand there.
    response.headers["X-Ended"] = "" if _busy(found) else "1"
    return response


def _busy(run: TrainingRun) -> bool:
    return run.state in (Work.State.WAITING, Work.State.RUNNING)


def _live(run: TrainingRun) -> dict[str, Any]:
    progress, drawn = run.progress, run.progress.get("curves", {})
    losses = [(name.removeprefix("loss "), points) for name, points in drawn.items() if name.startswith("loss ")]
    scores = [(name.removeprefix("dev "), points) for name, points in drawn.items() if name.startswith("dev ")]
    return {
        "run": run,
        "state": state_of(run),
        "busy": _busy(run),
        "share": _share(progress),
        "left": timedelta(seconds=round(progress["left"])) if progress.get("left") else None,
        "spent": timedelta(seconds=round(progress["seconds"])) if progress.get("seconds") else None,
        "silent": run.state == Work.State.RUNNING and _lease_expired(run),
        "waits_alone": run.state == Work.State.WAITING and _is_stuck(run),
        "charts": [
            curves.chart("Loss (moving average)", [(name, curves.smoothed(points)) for name, points in losses]),
            # A run that is never evaluated on dev has no such chart: it would stay empty.
            *([curves.chart("Scores on dev", scores, share=True)] if scores or _busy(run) else []),
        ],
        "log": "\n".join(run.log.splitlines()[-LOG_LINES:]),
    }


def _is_stuck(run: TrainingRun) -> bool:
    """It has waited for long, and not because the trainer is busy with another run."""
    now = timezone.now()
    if now - (run.due_at or now) <= SILENT_AFTER:
        return False
    return not TrainingRun.objects.filter(state=Work.State.RUNNING, lease_until__gt=now).exists()


def _lease_expired(run: TrainingRun) -> bool:
    """Its lease has run out: nobody works on it until a trainer claims it again."""
    return run.lease_until is None or run.lease_until < timezone.now()


def _share(progress: dict[str, Any]) -> float:
    return progress.get("step", 0) / progress["steps"] if progress.get("steps") else 0.0


def _settings(run: TrainingRun) -> list[tuple[str, Any]]:
    """Every setting of the run, its network's own after the others."""
    network = run.config.get("network", {})
    plain = sorted((key, value) for key, value in run.config.items() if key != "network")
    return [*plain, *((f"network, {key}", value) for key, value in sorted(network.items()))]


@page()
@require_POST
def change(request: HttpRequest, run_id: int) -> HttpResponse:
    """Cancels a run (its state is kept), resumes it, or starts it over."""
    found = get_object_or_404(TrainingRun, pk=run_id)
    what, before = request.POST.get("do", ""), found.state
    if what == "cancel" and _busy(found):
        jobs_queue.stop(TrainingRun.objects.filter(pk=found.pk))
        messages.success(request, "The run is being cancelled. It saves its state first and can be resumed.")
    elif what in ("resume", "restart") and not _busy(found) and found.state != Work.State.DONE:
        if what == "restart":
            TrainingRun.objects.filter(pk=found.pk).update(progress={"start_over": True}, log="")
        jobs_queue.wait(found)
        ring("train")
        messages.success(request, "The run is queued.")
    else:
        messages.error(
            request, "A run can be cancelled while it is waiting or running, and resumed after it has stopped."
        )
        return redirect("run", run_id)
    audit_log.note(request.user, f"run {what}", str(run_id), before)
    return redirect("run", run_id)
