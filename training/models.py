"""Data sets, training runs and what they scored."""

from __future__ import annotations

from django.db import models

from extraction.models import Checkpoint


class Dataset(models.Model):
    """A data set on disk, with what was counted in it when it was last read."""

    name = models.CharField(max_length=100, unique=True)
    root = models.CharField(max_length=1000)
    counts = models.JSONField(default=dict)
    checked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class TrainingRun(models.Model):
    """One training of one system; resumed from `folder` after a stop."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        RUNNING = "running", "running"
        STOPPED = "stopped", "stopped"
        DONE = "done", "done"
        FAILED = "failed", "failed"

    system = models.CharField(max_length=50)
    config = models.JSONField(default=dict)
    datasets = models.ManyToManyField(Dataset, blank=True)
    folder = models.CharField(max_length=1000)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    progress = models.JSONField(default=dict)
    error = models.TextField(blank=True, default="")
    checkpoint = models.ForeignKey(Checkpoint, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.system} {self.created_at:%Y-%m-%d %H:%M}"


class Evaluation(models.Model):
    """What a checkpoint scored on a split; `inputs`: what it was shown (text, boxes, pixels, captions, knowledge)."""

    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.CASCADE, related_name="evaluations")
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT)
    split = models.CharField(max_length=20)
    inputs = models.JSONField(default=list)
    metrics = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.checkpoint} on {self.dataset} {self.split}"
