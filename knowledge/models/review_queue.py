"""Who looks at which statement of the review queue, and what they have passed over."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models


class ReviewHold(models.Model):
    """Until `until`, this editor looks at this statement of this post: the queue gives it to nobody else."""

    post = models.ForeignKey("extraction.Post", on_delete=models.CASCADE, related_name="+")
    statement = models.ForeignKey("knowledge.Statement", on_delete=models.CASCADE, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    until = models.DateTimeField()

    class Meta:
        app_label = "knowledge"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["post", "statement"], name="review_hold_once")
        ]

    def __str__(self) -> str:
        return f"{self.by} until {self.until:%H:%M}"


class ReviewSkip(models.Model):
    """An editor passed over a statement of a post: the queue offers it to others, and to the editor after a day."""

    post = models.ForeignKey("extraction.Post", on_delete=models.CASCADE, related_name="+")
    statement = models.ForeignKey("knowledge.Statement", on_delete=models.CASCADE, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()

    class Meta:
        app_label = "knowledge"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["post", "statement", "by"], name="review_skip_once")
        ]

    def __str__(self) -> str:
        return f"{self.by} at {self.at:%Y-%m-%d %H:%M}"
