"""Read-only lists of feeds, posts and readings in Django's admin."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from extraction.models import (
    Checkpoint,
    Deployment,
    Feed,
    Host,
    Post,
    PostImage,
    PostVersion,
    Reading,
    RegionSet,
    Sighting,
)


class ReadOnlyAdmin(admin.ModelAdmin):
    """Read-only: a change here would not reach the graph, and would lose history."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Feed)
class FeedAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "state", "failures", "polled_at", "due_at", "sample")
    list_filter = ("state", "sample")
    search_fields = ("title", "url")


@admin.register(Host)
class HostAdmin(ReadOnlyAdmin):
    list_display = ("name", "next_request_at")
    search_fields = ("name",)


@admin.register(Post)
class PostAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "publisher", "state", "published_at", "due_at", "sample")
    list_filter = ("state", "sample")
    search_fields = ("link", "publisher", "public_id")


@admin.register(Sighting)
class SightingAdmin(ReadOnlyAdmin):
    list_display = ("guid", "feed", "first_seen", "last_seen")
    list_select_related = ("feed",)
    search_fields = ("guid", "link")


@admin.register(PostVersion)
class PostVersionAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "ordinal", "language", "source", "fetched_at")
    search_fields = ("text_hash",)


@admin.register(PostImage)
class PostImageAdmin(ReadOnlyAdmin):
    list_display = ("url", "file", "error")
    search_fields = ("url", "sha256")


@admin.register(RegionSet)
class RegionSetAdmin(ReadOnlyAdmin):
    list_display = ("sha256", "detector", "seen_at", "error")
    list_filter = ("detector",)
    search_fields = ("sha256",)


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnlyAdmin):
    list_display = ("name", "system", "digest", "created_at")


@admin.register(Deployment)
class DeploymentAdmin(ReadOnlyAdmin):
    list_display = ("checkpoint", "since", "active")
    list_select_related = ("checkpoint",)


@admin.register(Reading)
class ReadingAdmin(ReadOnlyAdmin):
    list_display = ("id", "stage", "checkpoint", "due_at", "attempts", "read_at")
    list_select_related = ("checkpoint",)
    list_filter = ("stage", "checkpoint")
    raw_id_fields = ("version",)
