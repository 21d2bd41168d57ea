"""Shared by the training pages: permissions, the description of the systems, states with their colours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings

from knowledge.views import access
from training.jobs import queue as jobs_queue
from training.jobs import system_descriptions
from training.models import Work

COLOURS = {"waiting": "waiting", "running": "active", "stopped": "paused", "done": "good", "failed": "failed"}


def page(permission: str = access.TRAIN) -> Callable[[access.View], access.View]:
    """As `knowledge.views.access.page`, for admins."""
    return access.page(permission)


def formats() -> list[str]:
    """The data sets that there are loaders for. They need no torch."""
    from extraction.datasets.registry import LOADERS

    return sorted(LOADERS)


def folder(*parts: str) -> Path:
    """Where training keeps its files."""
    return Path(settings.DATA_DIR).joinpath("training", *parts)


def description() -> dict[str, Any]:
    """Raises CannotDescribe."""
    return system_descriptions.described(folder())


def state_of(work: Work) -> dict[str, Any]:
    """The state of a row of work for its label: a colour, a word, and its place in the queue while it waits."""
    label, before = work.get_state_display(), 0
    if work.state == Work.State.WAITING:
        before = jobs_queue.place(work)
        label = f"waiting, {before} ahead" if before else "waiting, next"
    elif work.state == Work.State.RUNNING and work.wish == jobs_queue.STOP:
        label = "stopping"
    return {"code": COLOURS[work.state], "label": label}
