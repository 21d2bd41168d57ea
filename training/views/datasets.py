"""Data sets: the list, one with its statistics and audit, uploading and adding one, checking it again, removing it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import ProtectedError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from extraction.labels import REVIEWED, unversioned
from kgbuilder.celery import ring
from knowledge.record import audit_log
from training.data import uploads
from training.forms import NameForm, UploadForm
from training.jobs import queue as jobs_queue
from training.models import Dataset
from training.views.access import formats, page, state_of
from training.views.charts import bars

SHOWN = 12


@page()
def datasets(request: HttpRequest) -> HttpResponse:
    return _listed(request)


def _listed(
    request: HttpRequest, upload: UploadForm | None = None, named: NameForm | None = None, status: int = 200
) -> HttpResponse:
    offered = uploads.offered(settings.DATASETS_DIR, formats())
    context = {
        "rows": [_row(one) for one in Dataset.objects.order_by("name")],
        "upload": upload or UploadForm(formats()),
        "named": named or NameForm(offered),
        "offered": offered,
        "datasets_dir": settings.DATASETS_DIR,
    }
    return render(request, "training/datasets.html", context, status=status)


def _row(dataset: Dataset) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "state": state_of(dataset),
        "labels": unversioned(dataset.format) == REVIEWED,
        "sizes": [(split, dataset.counts[split]["examples"]) for split in dataset.counts],
    }


@page()
def dataset(request: HttpRequest, dataset_id: int) -> HttpResponse:
    found = get_object_or_404(Dataset, pk=dataset_id)
    context = {
        "dataset": found,
        "state": state_of(found),
        "splits": [_split(name, counts) for name, counts in found.counts.items()],
        "audit": found.audit,
        "busy": found.state in (Dataset.State.WAITING, Dataset.State.RUNNING),
        "runs": found.trainingrun_set.order_by("-pk")[:SHOWN],
        "evaluations": found.evaluations.select_related("checkpoint").order_by("-pk")[:SHOWN],
    }
    return render(request, "training/dataset.html", context)


def _split(name: str, counts: dict[str, Any]) -> dict[str, Any]:
    relations = counts["relations"]
    return {
        "name": name,
        **counts,
        "mention_bars": bars(counts["mentions"]),
        "relation_bars": bars(relations[:SHOWN]),
        "more_relations": max(0, len(relations) - SHOWN),
    }


@page()
@require_POST
def upload(request: HttpRequest) -> HttpResponse:
    """Takes a zip or files. They are unpacked at once, and loaded by the queue `check`."""
    form = UploadForm(formats(), request.POST)
    files = request.FILES.getlist("upload-files")
    if not form.is_valid():
        return _listed(request, upload=form, status=422)
    root = uploads.folder() / secrets.token_hex(8)
    format = form.cleaned_data["format"]
    try:
        unpacked = uploads.take_in(files, format, root, settings.DATASET_MB)  # type: ignore[arg-type]
    except uploads.UploadRefused as error:
        form.add_error("files", str(error))
        return _listed(request, upload=form, status=422)
    except OSError as error:
        form.add_error(
            "files", f"The upload could not be stored: {error.strerror or error}. Free some space in DATA_DIR."
        )
        return _listed(request, upload=form, status=422)
    if unpacked.left_out:
        few = ", ".join(unpacked.left_out[:3])
        messages.warning(request, f"{len(unpacked.left_out)} files were ignored because no loader reads them: {few}.")
    return _added(request, Dataset(name=form.cleaned_data["name"], format=format, root=str(root), uploaded=True))


@page()
@require_POST
def name(request: HttpRequest) -> HttpResponse:
    """Takes a data set of DATASETS_DIR by its place there, as the form lists it: no other path is ever used."""
    offered = uploads.offered(settings.DATASETS_DIR, formats())
    form = NameForm(offered, request.POST)
    if not form.is_valid():
        return _listed(request, named=form, status=422)
    format, _, below = form.cleaned_data["place"].partition(":")
    root = (settings.DATASETS_DIR / below).resolve()
    return _added(request, Dataset(name=form.cleaned_data["name"], format=format, root=str(root)))


def _added(request: HttpRequest, new: Dataset) -> HttpResponse:
    new.by = request.user if request.user.is_authenticated else None
    new.save()
    jobs_queue.wait(new)
    audit_log.note(request.user, "data set added", str(new.pk), None, {"name": new.name, "format": new.format})
    ring("check")
    messages.success(request, "The data set is being checked. Its statistics appear when the check is done.")
    return redirect("dataset", new.pk)


@page()
@require_POST
def change(request: HttpRequest, dataset_id: int) -> HttpResponse:
    """Checks a data set again, or removes it (what was uploaded is deleted, a folder of the server's is not)."""
    found = get_object_or_404(Dataset, pk=dataset_id)
    if request.POST.get("do") == "check":
        jobs_queue.wait(found)
        ring("check")
        audit_log.note(request.user, "data set checked", str(found.pk))
        return redirect("dataset", found.pk)
    if request.POST.get("do") != "remove":
        messages.error(request, "A data set can be checked or removed.")
        return redirect("dataset", found.pk)
    if request.POST.get("sure") != "yes":
        return render(request, "training/dataset_remove.html", {"dataset": found})
    return _removed(request, found)


def _removed(request: HttpRequest, found: Dataset) -> HttpResponse:
    number = found.pk
    if found.trainingrun_set.filter(state__in=("waiting", "running")).exists():
        messages.error(request, "A run uses this data set. Cancel the run first.")
        return redirect("dataset", number)
    try:
        found.delete()
    except ProtectedError:
        messages.error(request, "This data set cannot be removed: evaluations refer to it.")
        return redirect("dataset", number)
    if found.uploaded:
        uploads.delete(Path(found.root))
    audit_log.note(request.user, "data set removed", str(number), {"name": found.name, "format": found.format})
    messages.success(request, "The data set was removed.")
    return redirect("datasets")
