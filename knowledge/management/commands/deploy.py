"""Promotes a checkpoint."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from extraction.readings.model_registry import NoCheckpoint
from kgbuilder.celery import ring, ring_projectors
from kgbuilder.deployment import deploy_folder


class Command(BaseCommand):
    help = "Analyse posts with the checkpoint in this folder from now on. `up` deploys CHECKPOINT's at each start."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        try:
            checkpoint = deploy_folder(folder.resolve())
        except (NoCheckpoint, ValueError) as error:
            raise CommandError(str(error)) from error
        ring("read")
        ring_projectors()
        self.stdout.write(f"{checkpoint.name} analyses posts from now on.")
