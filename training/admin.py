"""The administration's plain lists of data sets, training runs, evaluations and promotions."""

from __future__ import annotations

from django.contrib import admin

from extraction.admin import ReadOnlyAdmin
from training.models import Dataset, Evaluation, Promotion, TrainingRun


@admin.register(Dataset)
class DatasetAdmin(ReadOnlyAdmin):
    list_display = ("name", "format", "root", "state", "checked_at")


@admin.register(TrainingRun)
class TrainingRunAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "state", "created_at", "ended_at")
    list_filter = ("state", "system")


@admin.register(Evaluation)
class EvaluationAdmin(ReadOnlyAdmin):
    list_display = ("checkpoint", "dataset", "split", "at")
    list_select_related = ("checkpoint", "dataset")


@admin.register(Promotion)
class PromotionAdmin(ReadOnlyAdmin):
    list_display = ("checkpoint", "reread", "since", "state", "created_at")
    list_select_related = ("checkpoint",)
