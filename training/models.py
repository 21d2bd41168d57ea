"""Data sets, training runs, evaluations, promotions: each a row of work that a trainer claims under a lease."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from extraction.models import Checkpoint, Leased


class Work(Leased):
    """Something that a trainer does in a process of its own. `wish`: what a person asked of it while it runs.

    `progress` is the process's last report: phase, step, curves; `log` the end of its output.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        RUNNING = "running", "running"
        STOPPED = "stopped", "stopped"
        DONE = "done", "done"
        FAILED = "failed", "failed"

    state = models.CharField(max_length=10, choices=State, default=State.WAITING, db_index=True)
    wish = models.CharField(max_length=10, blank=True, default="")
    progress = models.JSONField(default=dict, blank=True)
    log = models.TextField(blank=True, default="")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


class Dataset(Work):
    """A data set on disk: `root` is the folder that holds its own folder as docs/datasets.md has it, in `format`.

    `counts` (for each split) and `audit` are what its last check found.
    """

    name = models.CharField(max_length=100, unique=True)
    format = models.CharField(max_length=40, default="")
    root = models.CharField(max_length=1000)
    uploaded = models.BooleanField(default=False)
    counts = models.JSONField(default=dict)
    audit = models.JSONField(default=dict)
    checked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class TrainingRun(Work):
    """One training of one system with one seed; runs with the same `batch` were launched together.

    `folder` holds its saved state, from which it continues after a stop.
    """

    name = models.CharField(max_length=100, blank=True, default="")
    batch = models.UUIDField(default=uuid.uuid4, db_index=True)
    system = models.CharField(max_length=50)
    seed = models.PositiveIntegerField(default=1)
    device = models.CharField(max_length=20, default="auto")
    config = models.JSONField(default=dict)
    datasets = models.ManyToManyField(Dataset, blank=True)
    folder = models.CharField(max_length=1000)
    checkpoint = models.ForeignKey(Checkpoint, null=True, blank=True, on_delete=models.SET_NULL)

    def __str__(self) -> str:
        return self.name or f"{self.system} {self.created_at:%Y-%m-%d %H:%M}"


class Evaluation(Work):
    """The scores of a checkpoint on a split; `inputs`: what it was given (text, boxes, pixels, captions, knowledge)."""

    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.CASCADE, related_name="evaluations")
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="evaluations")
    split = models.CharField(max_length=20)
    options = models.JSONField(default=dict, blank=True)
    inputs = models.JSONField(default=list)
    metrics = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.checkpoint} on {self.dataset} {self.split}"


class EvaluatedExample(models.Model):
    """One example of an evaluation: its words, what is annotated, what was found. `faults` and `labels` are keys with
    a blank on either side, for looking them up; `right`, `found` and `gold` count relations (mentions where a set has
    none)."""

    evaluation = models.ForeignKey(Evaluation, on_delete=models.CASCADE, related_name="examples")
    position = models.PositiveIntegerField()
    faults = models.CharField(max_length=200, blank=True, default="")
    labels = models.TextField(blank=True, default="")
    right = models.PositiveIntegerField(default=0)
    found = models.PositiveIntegerField(default=0)
    gold = models.PositiveIntegerField(default=0)
    content = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["evaluation", "position"], name="example_once")
        ]

    def __str__(self) -> str:
        return f"{self.evaluation} {self.position}"


class Promotion(Work):
    """The request to promote a checkpoint; done once it has been loaded, tested and promoted.

    `reread`: which posts it analyses again; with SINCE those published from `since` on. `former` was promoted before.
    """

    class Reread(models.TextChoices):
        ALL = "all", "all posts"
        SINCE = "since", "posts published since a date"
        NONE = "none", "none, only new posts"

    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.CASCADE, related_name="promotions")
    reread = models.CharField(max_length=10, choices=Reread, default=Reread.ALL)
    since = models.DateTimeField(null=True, blank=True)
    former = models.ForeignKey(Checkpoint, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    def __str__(self) -> str:
        return f"{self.checkpoint} to production"
