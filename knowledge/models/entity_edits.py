"""Editors' changes of entities."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class EntityEdit(models.Model):
    """An editor's change of an entity: label, type, description, aliases, or its removal; `before` is for the undo."""

    class Kind(models.TextChoices):
        LABEL = "label", "label"
        TYPE = "type", "type"
        DESCRIPTION = "description", "description"
        ALIAS = "alias", "alias added"
        NO_ALIAS = "no alias", "alias removed"
        REMOVAL = "removal", "removed"

    entity = models.ForeignKey("knowledge.Entity", on_delete=models.CASCADE, related_name="edits")
    kind = models.CharField(max_length=20, choices=Kind)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    note = models.TextField(blank=True, default="")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    at = models.DateTimeField(auto_now_add=True)
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "knowledge"

    def __str__(self) -> str:
        return f"{self.kind} of {self.entity}"
