"""Tables of the installation itself: its base IRI, processes, counters, notices, sign-in failures and API tokens."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models


class Installation(models.Model):
    """One row. `base_iri` is what the IRIs in the graph begin with; `samples_at`: when the sample feed was added;
    `clock_at`: the clock's last time, to detect that it was set back."""

    base_iri = models.CharField(max_length=1000)
    samples_at = models.DateTimeField(null=True, blank=True)
    began_at = models.DateTimeField(auto_now_add=True)
    clock_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.base_iri


class Heartbeat(models.Model):
    """A process of the product, as of its last heartbeat. A component of one name runs once on a host.

    `doing` is what it does now (empty: it waits), `done` how much work it has done since its start.
    """

    host = models.CharField(max_length=255)
    part = models.CharField(max_length=50)
    pid = models.PositiveIntegerField()
    version = models.CharField(max_length=50)
    doing = models.CharField(max_length=500, blank=True, default="")
    done = models.BigIntegerField(default=0)
    began_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["host", "part"], name="heartbeat_once")
        ]

    def __str__(self) -> str:
        return f"{self.part} on {self.host}"


class Tally(models.Model):
    """A counter that only grows, summed over all processes: seconds by stage, fetch errors by kind."""

    name = models.CharField(max_length=50)
    label = models.CharField(max_length=50)
    value = models.FloatField(default=0)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["name", "label"], name="tally_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.label}: {self.value}"


class Notice(models.Model):
    """A standing problem that admins are notified of, from when it was detected until it was over.

    `sent_at`: when its beginning (or end) was sent by mail and webhook; null: not yet.
    """

    class Kind(models.TextChoices):
        FEED = "feed", "feed failing"
        LANE = "lane", "queue late"
        STORE = "store", "store unavailable"
        PART = "part", "component without heartbeat"

    kind = models.CharField(max_length=10, choices=Kind)
    subject = models.CharField(max_length=100)
    says = models.TextField()
    began_at = models.DateTimeField()
    over_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=models.Q(over_at__isnull=True), name="notice_open_once"
            )
        ]

    def __str__(self) -> str:
        return self.says


class SignInFailure(models.Model):
    """A sign-in that failed. `name` is a keyed hash of what was typed: people type passwords into the wrong field."""

    name = models.CharField(max_length=64)
    network = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["name", "network", "at"], name="failures_of_name"),
            models.Index(fields=["network", "at"], name="failures_of_network"),
        ]

    def __str__(self) -> str:
        return f"{self.network} at {self.at:%Y-%m-%d %H:%M}"


class ApiToken(models.Model):
    """A token with which a program uses the API, in a person's name and within `scopes`.

    `digest` is the SHA-256 of the token, which nobody can read again; `beginning`: its first characters, to
    recognise it by. It is active until `ends_at`, until it is revoked, and while its owner's account is active.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    beginning = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    made_at = models.DateTimeField(auto_now_add=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.beginning}…)"
