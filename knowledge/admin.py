"""Read-only lists of the record in the Django admin. Verdicts and merges are given on the pages."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from extraction.admin import ReadOnlyAdmin
from knowledge.models import Assertion, Entity, Event, Mention, Merge, Projection, Review, SavedQuery, Statement


@admin.register(Entity)
class EntityAdmin(ReadOnlyAdmin):
    list_display = ("label", "type", "key", "canonical", "public_id")
    list_select_related = ("canonical",)
    list_filter = ("type",)
    search_fields = ("label", "key", "public_id")


@admin.register(Mention)
class MentionAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "entity", "score")
    list_select_related = ("entity",)


@admin.register(Statement)
class StatementAdmin(ReadOnlyAdmin):
    list_display = ("head", "relation", "tail", "public_id")
    list_select_related = ("head", "tail")
    list_filter = ("relation",)
    search_fields = ("public_id", "head__label", "tail__label")


@admin.register(Assertion)
class AssertionAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "statement", "score", "asserted_at")
    list_select_related = ("statement__head", "statement__tail")
    list_filter = ("relation",)
    search_fields = ("public_id",)


@admin.register(Review)
class ReviewAdmin(ReadOnlyAdmin):
    list_display = ("statement", "verdict", "by", "at", "lost", "withdrawn_at")
    list_select_related = ("statement__head", "statement__tail", "by")
    list_filter = ("verdict", "lost")


@admin.register(Merge)
class MergeAdmin(ReadOnlyAdmin):
    list_display = ("survivor", "by", "at", "undone_at")
    list_select_related = ("survivor", "by")


@admin.register(Projection)
class ProjectionAdmin(ReadOnlyAdmin):
    list_display = ("store", "kind", "key", "wanted", "done", "attempts", "error")
    list_filter = ("store", "kind")
    search_fields = ("key",)


@admin.register(SavedQuery)
class SavedQueryAdmin(ReadOnlyAdmin):
    list_display = ("title", "language", "by", "shared", "changed_at")
    list_select_related = ("by",)
    list_filter = ("language", "shared")
    search_fields = ("title", "text")

    def get_queryset(self, request: HttpRequest) -> QuerySet[SavedQuery]:
        """The shared ones and one's own: others' private queries are private here too."""
        return super().get_queryset(request).filter(Q(shared=True) | Q(by=request.user.pk))


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("at", "by", "what", "subject")
    list_select_related = ("by",)
    list_filter = ("what",)
    search_fields = ("subject",)
