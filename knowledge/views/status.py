"""The status page: queues, failures, stale graph updates, components, processes and notices."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Count, F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from extraction.models import Deployment, Feed, Post, Reading
from extraction.readings import reading_requests
from kgbuilder.celery import ring, ring_projectors
from kgbuilder.models import Heartbeat
from kgbuilder.monitoring import backlog, doctor, notices
from knowledge.linking import link_queue
from knowledge.models import Projection
from knowledge.record import audit_log, current
from knowledge.views.access import RETRY, SEE_FEEDS, page

SHOWN = 20
MOST_PROCESSES = 200
RETRIED = {"units": "graph updates"}
MOST_COUNTED = 100_000
_FAILING = Q(failures__gt=0) | Q(state=Feed.State.GONE)


@page(SEE_FEEDS)
def status(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    stale = Projection.objects.filter(done__lt=F("wanted"))
    context = {
        "now": now,
        "queues": backlog.lanes(now),
        "stages": _stages(),
        "deployment": Deployment.objects.filter(active=True).select_related("checkpoint").first(),
        "parts": doctor.parts(),
        "notices": notices.present()[:SHOWN],
        "processes": Heartbeat.objects.order_by("part", "host")[:MOST_PROCESSES],
        "failed_readings": reading_requests.in_production(Reading.objects.filter(stage=Reading.Stage.FAILED))
        .select_related("version__post")
        .defer("results")
        .order_by("-id")[:SHOWN],
        "failing_feeds": Feed.objects.filter(_FAILING, deleted_at__isnull=True).order_by("-error_at")[:SHOWN],
        "failing_posts": Post.objects.filter(state=Post.State.LIVE, attempts__gt=0)
        .exclude(error="")
        .select_related("current_version")
        .order_by("-id")[:SHOWN],
        "failing_updates": stale.exclude(error="").order_by("-attempts", "id")[:SHOWN],
        "degraded_links": link_queue.degraded().select_related("entity").order_by("-attempts", "pk")[:SHOWN],
        "degraded_count": _capped_count(link_queue.degraded()),
        "totals": {
            "posts": _capped_count(Post.objects.filter(state=Post.State.LIVE)),
            "assertions": _capped_count(current.assertions()),
            "entities": _capped_count(current.entities()),
        },
        "refresh": request.GET.get("refresh") == "10",
    }
    return render(request, "status/index.html", context)


def _capped_count(rows: QuerySet[Any]) -> str:
    """The number of rows, exact up to MOST_COUNTED, so that counting stays fast in a large record."""
    count = rows.order_by()[: MOST_COUNTED + 1].count()
    return f"{count:,}" if count <= MOST_COUNTED else f"over {MOST_COUNTED:,}"


def _stages() -> list[tuple[str, int]]:
    """The number of the deployed checkpoint's readings at each stage."""
    deployed = Deployment.objects.filter(active=True).values("checkpoint")
    counts = dict(
        Reading.objects.filter(checkpoint__in=deployed).values_list("stage").annotate(n=Count("pk")).order_by()
    )
    return [(stage.label, counts[stage]) for stage in Reading.Stage if counts.get(stage)]


@page(RETRY)
@require_POST
def retry(request: HttpRequest) -> HttpResponse:
    """Make all failed work of one kind due now."""
    what = request.POST.get("what", "")
    if what == "readings":
        count = reading_requests.retry(reading_requests.in_production(Reading.objects.all()))
        ring("read")
    elif what == "units":
        failing = Projection.objects.filter(done__lt=F("wanted")).exclude(error="")
        count = failing.update(due_at=timezone.now(), attempts=0)
        ring_projectors()
    elif what == "posts":
        failing_posts = Post.objects.filter(state=Post.State.LIVE, attempts__gt=0).exclude(error="")
        count = failing_posts.update(due_at=timezone.now())
        ring("fetch")
    elif what == "entities":
        count = link_queue.degraded().update(due_at=timezone.now(), attempts=0)
        ring("link")
    else:
        messages.error(request, "There is nothing of this kind to retry.")
        return redirect("status")
    audit_log.note(request.user, f"retry {what}", "all", None, count)
    messages.success(request, f"{count} {RETRIED.get(what, what)} will be retried now.")
    return redirect("status")
