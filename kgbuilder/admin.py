"""The admin site's lists of processes, notices and failed sign-ins; accounts, whose changes enter the audit log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.http import HttpRequest

from extraction.admin import ReadOnlyAdmin
from kgbuilder.accounts.password_forms import AdminSignInForm
from kgbuilder.models import Heartbeat, Notice, SignInFailure
from knowledge.record import audit_log, projection_queue


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ("part", "host", "pid", "version", "doing", "done", "began_at", "seen_at")


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = ("says", "kind", "began_at", "over_at", "sent_at")
    list_filter = ("kind",)


@admin.register(SignInFailure)
class SignInFailureAdmin(ReadOnlyAdmin):
    list_display = ("at", "network")
    fields = ("at", "network")


class AuditedAdmin:
    """Records an Event, beside Django's own log, for every change that an admin makes."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        audit_log.note(request.user, f"{obj._meta.model_name} added", str(obj.pk))
        return super().log_addition(request, obj, message)  # type: ignore[misc]

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        audit_log.note(request.user, f"{obj._meta.model_name} changed", str(obj.pk), None, _fields(message))
        return super().log_change(request, obj, message)  # type: ignore[misc]

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Model]) -> Any:
        for obj in queryset:
            audit_log.note(request.user, f"{obj._meta.model_name} deleted", str(obj.pk))
        return super().log_deletions(request, queryset)  # type: ignore[misc]


def _fields(message: Any) -> list[str]:
    """The names of the changed fields; the message never holds a password's value."""
    if not isinstance(message, list):
        return []
    return [str(name) for part in message for name in part.get("changed", {}).get("fields", [])]


class AuditedUserAdmin(AuditedAdmin, UserAdmin):  # type: ignore[type-arg]  # generic for the checker alone
    """Accounts. The graphs name the editors of verdicts: what shows a name follows when it changes."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "username" in form.changed_data:
            projection_queue.mark_reviewed_by([obj.pk])

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        projection_queue.mark_reviewed_by([obj.pk])
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        projection_queue.mark_reviewed_by(list(queryset.values_list("pk", flat=True)))
        super().delete_queryset(request, queryset)


class AuditedGroupAdmin(AuditedAdmin, GroupAdmin):
    """Groups and what they may do."""


admin.site.login_form = AdminSignInForm
admin.site.site_header = "kgbuilder administration"
admin.site.site_title = "kgbuilder"
admin.site.index_title = "Accounts and records"
admin.site.unregister([User, Group])
admin.site.register(User, AuditedUserAdmin)
admin.site.register(Group, AuditedGroupAdmin)
