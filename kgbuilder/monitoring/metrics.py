"""The product's figures for Prometheus. Names and labels are stable: dashboards and alerts depend on them.

All of them come from the database, so any web process reports the same, and none is lost when a process ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client.registry import Collector

from kgbuilder import VERSION
from kgbuilder.models import Heartbeat, Tally
from kgbuilder.monitoring import backlog, notices
from kgbuilder.supervision import heartbeat, telemetry

__all__ = ["CONTENT_TYPE", "text"]

_TALLIES = {
    telemetry.STAGE_SECONDS: ("kgbuilder_stage_seconds", "Seconds that processes spent on a stage.", "stage"),
    telemetry.STAGE_UNITS: (
        "kgbuilder_stage_units",
        "Feeds, posts or graph updates that a stage processed.",
        "stage",
    ),
    telemetry.FETCH_ERRORS: ("kgbuilder_fetch_errors", "Fetches from outside that failed.", "kind"),
}


def text() -> bytes:
    """The figures as they are now, in the text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures())
    return generate_latest(registry)


class _Figures(Collector):
    def collect(self) -> Iterator[Metric]:
        yield _gauge("kgbuilder_info", "The version that runs.", "version", {VERSION: 1})
        yield _gauge("kgbuilder_posts", "Posts by state.", "state", backlog.posts_by_state())
        yield from _lanes()
        waiting = backlog.units_waiting()
        yield _gauge("kgbuilder_units_waiting", "Graph updates that a store does not show yet.", "store", waiting)
        yield from _tallies()
        yield _parts()
        open_now = dict.fromkeys(("feed", "lane", "store", "part"), 0)
        for notice in notices.present():
            open_now[notice.kind] = open_now.get(notice.kind, 0) + 1
        yield _gauge("kgbuilder_notices", "Open notices to admins.", "kind", open_now)


def _lanes() -> Iterator[Metric]:
    now = timezone.now()
    lanes = backlog.lanes(now)
    due = {lane.name: lane.due for lane in lanes}
    age = {lane.name: (now - lane.oldest if lane.oldest else timedelta()).total_seconds() for lane in lanes}
    yield _gauge("kgbuilder_lane_due", "Work that is due.", "lane", due)
    yield _gauge("kgbuilder_lane_age_seconds", "How long the oldest work of a queue has been due.", "lane", age)


def _tallies() -> Iterator[Metric]:
    rows = list(Tally.objects.order_by("name", "label").values_list("name", "label", "value"))
    for tally, (name, description, label_name) in _TALLIES.items():
        metric = CounterMetricFamily(name, description, labels=[label_name])
        for row_name, label, value in rows:
            if row_name == tally:
                metric.add_metric([label], value)
        yield metric


def _parts() -> Metric:
    """Processes with a recent heartbeat, by component: reader and reader-2 are both readers."""
    metric: dict[str, int] = {}
    for part in Heartbeat.objects.filter(seen_at__gt=timezone.now() - heartbeat.SILENT).values_list("part", flat=True):
        kind, _, number = part.rpartition("-")
        name = kind if kind and number.isdigit() else part
        metric[name] = metric.get(name, 0) + 1
    return _gauge("kgbuilder_processes", "Processes with a recent heartbeat.", "part", metric)


def _gauge(name: str, description: str, label: str, values: dict[str, int] | dict[str, float]) -> Metric:
    metric = GaugeMetricFamily(name, description, labels=[label])
    for value, number in values.items():
        metric.add_metric([str(value)], number)
    return metric
