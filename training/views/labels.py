"""Labels out of reviews: a snapshot of what editors have judged becomes a data set."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from kgbuilder.celery import ring
from knowledge.record import audit_log
from knowledge.recording import judged_posts
from training.corpora import label_snapshots
from training.jobs import queue as jobs_queue
from training.models import Dataset
from training.views.access import page


@page()
@require_POST
def snapshot(request: HttpRequest) -> HttpResponse:
    """A version with what is judged now, or the latest one where that is the same; checked as any data set."""
    data_dir = Path(settings.DATA_DIR)
    try:
        taken, new = label_snapshots.write(judged_posts.rows(), data_dir, timezone.localdate())
    except label_snapshots.NothingJudged as error:
        messages.error(request, str(error))
        return redirect("datasets")
    except OSError as error:
        messages.error(
            request, f"The labels could not be stored: {error.strerror or error}. Free some space in DATA_DIR."
        )
        return redirect("datasets")
    user = request.user if request.user.is_authenticated else None
    with transaction.atomic():
        found, added = Dataset.objects.get_or_create(
            name=taken.name, defaults={"format": taken.name, "root": str(data_dir), "by": user}
        )
        if new or added:
            jobs_queue.wait(found)
            audit_log.note(user, "labels snapshot", taken.name, None, {"posts": taken.posts, "digest": taken.digest})
    if new or added:
        ring("check")
        messages.success(
            request,
            f"{taken.name} has {sum(taken.posts.values())} posts, with {taken.relations} relations that are right and "
            f"{taken.wrong_relations} that are wrong. It is being checked.",
        )
    else:
        messages.info(request, f"Nothing was judged since {taken.name}.")
    return redirect("dataset", found.pk)
