"""Paths that the database names: their roots differ on another machine."""

from __future__ import annotations

from pathlib import Path

from django.apps import apps
from django.conf import settings

from extraction.models import Checkpoint
from kgbuilder.conf.environment import ROOT

NAMED = (("extraction", "Checkpoint", "path"), ("training", "TrainingRun", "folder"), ("training", "Dataset", "root"))
CHECKPOINTS = "checkpoints"


def roots() -> dict[str, str]:
    return {"data": str(settings.DATA_DIR), "program": str(ROOT)}


def strays() -> dict[str, Path]:
    """Checkpoints that neither lie in DATA_DIR nor come with the program, by digest: a backup includes them."""
    inside = [
        Path(settings.DATA_DIR),
        ROOT / "extraction" / "weights",
    ]  # a run may write elsewhere in ROOT
    found = {row.digest: Path(row.path) for row in Checkpoint.objects.all()}
    return {
        digest: path
        for digest, path in found.items()
        if path.is_dir() and not any(path.is_relative_to(root) for root in inside)
    }


def move(former: dict[str, str]) -> None:
    """Moves paths under the `former` roots to the present ones, and strays into DATA_DIR."""
    for digest, path in Checkpoint.objects.values_list("digest", "path"):
        taken = Path(settings.DATA_DIR) / CHECKPOINTS / digest
        if taken.is_dir() and not Path(path).is_dir():
            Checkpoint.objects.filter(digest=digest).update(path=str(taken))
    for app, name, column in NAMED:
        model = apps.get_model(app, name)
        for pk, path in model._default_manager.values_list("pk", column):
            moved = _moved(str(path), former)
            if moved != path:
                model._default_manager.filter(pk=pk).update(**{column: moved})


def _moved(path: str, former: dict[str, str]) -> str:
    for name, now in roots().items():
        was = former.get(name)
        if was and (path == was or path.startswith(f"{was}/")):
            return now + path[len(was) :]
    return path
