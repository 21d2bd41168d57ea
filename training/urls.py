"""Addresses of the training pages."""

from __future__ import annotations

from django.urls import path

from training.views import checkpoints, comparison, datasets, evaluations, labels, overview, runs

urlpatterns = [
    path("training/", overview.overview, name="training"),
    path("training/datasets/", datasets.datasets, name="datasets"),
    path("training/datasets/upload/", datasets.upload, name="dataset_upload"),
    path("training/datasets/name/", datasets.name, name="dataset_name"),
    path("training/labels/snapshot/", labels.snapshot, name="labels_snapshot"),
    path("training/datasets/<int:dataset_id>/", datasets.dataset, name="dataset"),
    path("training/datasets/<int:dataset_id>/change/", datasets.change, name="dataset_change"),
    path("training/runs/new/", runs.new, name="run_new"),
    path("training/runs/compare/", comparison.compare, name="compare"),
    path("training/runs/<int:run_id>/", runs.run, name="run"),
    path("training/runs/<int:run_id>/live/", runs.live, name="run_live"),
    path("training/runs/<int:run_id>/change/", runs.change, name="run_change"),
    path("training/checkpoints/<int:checkpoint_id>/", checkpoints.checkpoint, name="checkpoint"),
    path("training/checkpoints/<int:checkpoint_id>/promote/", checkpoints.promote, name="promote"),
    path("training/checkpoints/<int:checkpoint_id>/evaluate/", checkpoints.evaluate, name="evaluate"),
    path("training/deployments/", checkpoints.deployments, name="deployments"),
    path("training/evaluations/<int:evaluation_id>/", evaluations.evaluation, name="evaluation"),
    path("training/evaluations/<int:evaluation_id>/examples/", evaluations.browser, name="examples"),
    path("training/evaluations/<int:evaluation_id>/change/", evaluations.change, name="evaluation_change"),
]
