"""Editors' verdicts on statements in posts, the statements that editors add or correct, and corrections of mentions."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from extraction.schema import FACTUALITIES


class Review(models.Model):
    """An editor's verdict on a statement in a post: holds for every reading of the post, follows edits by its quotes.

    `quotes`: for head and tail the exact words with 32 characters before and after. `lost`: the words are gone.
    `factuality`, `claimant`, `when_…`, `amount_…`: those of the assertion that was judged, or as the editor gave them.
    `own`: the editor added the statement or changed its qualifiers; an accepting verdict then stands in the place of
    what was extracted. `replaces`: the rejecting verdict on what was extracted, where the two are one correction.
    `superseded`: ids of the editor's earlier verdicts that this one replaced; undoing it activates them again.
    `outcome`: what the verdict counts beside those of other editors, see `knowledge/recording/outcomes.py`.
    """

    class Verdict(models.TextChoices):
        ACCEPT = "accept", "accepted"
        REJECT = "reject", "rejected"

    class Outcome(models.TextChoices):
        DECIDES = "decides", "decides"
        AGREES = "agrees", "agrees"
        OVERRULED = "overruled", "overruled"
        DISPUTED = "disputed", "disputed"

    post = models.ForeignKey("extraction.Post", on_delete=models.CASCADE, related_name="reviews")
    statement = models.ForeignKey("knowledge.Statement", on_delete=models.PROTECT, related_name="reviews")
    verdict = models.CharField(max_length=10, choices=Verdict)
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.DECIDES)
    own = models.BooleanField(default=False)
    factuality = models.CharField(max_length=10, default="stated", choices=[(one, one) for one in FACTUALITIES])
    claimant = models.ForeignKey(
        "knowledge.Entity", null=True, blank=True, on_delete=models.SET_NULL, related_name="claims_reviewed"
    )
    when_words = models.TextField(blank=True, default="")
    when_earliest = models.DateField(null=True, blank=True)
    when_latest = models.DateField(null=True, blank=True)
    amount_words = models.TextField(blank=True, default="")
    amount_value = models.FloatField(null=True, blank=True)
    amount_unit = models.CharField(max_length=40, blank=True, default="")
    quintuple = models.JSONField()
    quotes = models.JSONField()
    lost = models.BooleanField(default=False)
    note = models.TextField(blank=True, default="")
    replaces = models.OneToOneField("self", null=True, blank=True, on_delete=models.CASCADE, related_name="replaced_by")
    superseded = models.JSONField(default=list, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "knowledge"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["post", "statement"],
                condition=Q(withdrawn_at__isnull=True, outcome="decides"),
                name="one_review_decides",
            ),
            models.UniqueConstraint(
                fields=["post", "statement", "by"],
                condition=Q(withdrawn_at__isnull=True),
                name="one_review_of_an_editor",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {self.statement}"


class MentionCorrection(models.Model):
    """An editor's change of a mention in a post: holds for every reading of the post, follows edits by its quotes.

    `target`: the quote of the mention that was extracted, null where the editor adds one, with its `target_type`.
    `result`: the quote of the mention as it should be, null where the editor deletes it, with its `type` and the
    `entity` that it means, before any split or merge. `lost`: the words are gone. `superseded`: the editor's earlier
    correction of the same mention, which its undo activates again.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    post = models.ForeignKey("extraction.Post", on_delete=models.CASCADE, related_name="mention_corrections")
    target = models.JSONField(null=True, blank=True)
    target_type = models.CharField(max_length=40, blank=True, default="")
    result = models.JSONField(null=True, blank=True)
    type = models.CharField(max_length=40, blank=True, default="")
    entity = models.ForeignKey(
        "knowledge.Entity", null=True, blank=True, on_delete=models.PROTECT, related_name="mention_corrections"
    )
    lost = models.BooleanField(default=False)
    note = models.TextField(blank=True, default="")
    superseded = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "knowledge"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["post"], condition=Q(withdrawn_at__isnull=True), name="mention_corrections_held")
        ]

    def __str__(self) -> str:
        return f"{self.kind} at {self.at:%Y-%m-%d %H:%M}"

    @property
    def kind(self) -> str:
        return (
            "mention added" if self.target is None else "mention deleted" if self.result is None else "mention changed"
        )

    @property
    def words(self) -> str:
        quote = self.result or self.target or {}
        return " ".join(str(quote.get("exact", "")).split())
