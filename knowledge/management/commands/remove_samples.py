"""Removes the sample feed and everything that came from it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from kgbuilder.celery import ring_projectors
from knowledge.recording.erasure import remove_samples


class Command(BaseCommand):
    help = "Remove the sample feed, its posts and everything that only they supported, from the record and the graph."

    def handle(self, *args: Any, **options: Any) -> None:
        removed = remove_samples()
        ring_projectors()
        self.stdout.write(
            f"{removed} sample posts removed; the graph is updated within seconds while the product runs."
        )
