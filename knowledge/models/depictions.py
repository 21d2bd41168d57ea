"""Depictions of entities in a post's pictures, and editors' verdicts on them."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q


class Depiction(models.Model):
    """One reading's claim that a region of a picture of its post shows a mention's entity.

    `picture`: the SHA-256 of the picture as it was fetched, "" where the reader did not know it; `image`: which of the
    post's pictures it was. `box`: [x, y, w, h], shares of the upright picture. `grounded`: matched by the mention's
    type and the region's class, without a network's answer.
    """

    public_id = models.UUIDField(unique=True, editable=False)
    reading = models.ForeignKey("extraction.Reading", on_delete=models.CASCADE, related_name="depictions")
    mention = models.ForeignKey("knowledge.Mention", on_delete=models.CASCADE, related_name="depictions")
    picture = models.CharField(max_length=64, blank=True, default="")
    image = models.PositiveIntegerField(default=0)
    box = models.JSONField()
    label = models.CharField(max_length=100, blank=True, default="")
    score = models.FloatField()
    grounded = models.BooleanField(default=False)

    class Meta:
        app_label = "knowledge"

    def __str__(self) -> str:
        return f"{self.label} in picture {self.image}"


class DepictionReview(models.Model):
    """An editor's verdict on whether a region of a post's picture shows an entity. It holds for every reading of the
    post: for the same picture, by its content, and a box that is mostly the same."""

    class Verdict(models.TextChoices):
        ACCEPT = "accept", "confirmed"
        REJECT = "reject", "rejected"

    post = models.ForeignKey("extraction.Post", on_delete=models.CASCADE, related_name="depiction_reviews")
    entity = models.ForeignKey("knowledge.Entity", on_delete=models.CASCADE, related_name="depiction_reviews")
    picture = models.CharField(max_length=64, blank=True, default="")
    image = models.PositiveIntegerField(default=0)
    box = models.JSONField()
    verdict = models.CharField(max_length=10, choices=Verdict)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "knowledge"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["post"], condition=Q(withdrawn_at__isnull=True), name="depiction_reviews_held")
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {self.entity} in picture {self.image}"
