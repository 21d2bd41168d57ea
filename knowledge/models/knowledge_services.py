"""The state of knowledge services and their cached answers. A part of `models`, from where it is imported."""

from __future__ import annotations

from django.db import models


class KnowledgeService(models.Model):
    """The circuit breaker of a knowledge service, by host. While `open_until` lies ahead, no request is sent to it."""

    host = models.CharField(max_length=300, unique=True)
    name = models.CharField(max_length=60)
    failures = models.PositiveIntegerField(default=0)
    opened = models.PositiveIntegerField(default=0)
    open_until = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, default="")
    answered_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} at {self.host}"


class ServiceAnswer(models.Model):
    """A cached answer of a service, as parsed, and its time; `key` is the SHA-256 of the requested address."""

    key = models.CharField(max_length=64, unique=True)
    service = models.CharField(max_length=300)
    content = models.JSONField()
    asked_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.service} at {self.asked_at:%Y-%m-%d %H:%M}"
