"""Restores a backup into an empty DATA_DIR and an empty database."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from kgbuilder.backup import restore
from kgbuilder.backup.manifest import BackupError
from kgbuilder.install import data_folder
from kgbuilder.supervision import parts, roster


class Command(BaseCommand):
    help = "Put a backup that `manage.py backup` made into DATA_DIR and the database, which must both be empty."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        try:
            with roster.lock(parts.run_folder()):
                restored = restore.restore(folder)
        except roster.AlreadyRunning as held:
            raise CommandError(f"kgbuilder runs in {settings.DATA_DIR}, as process {held}. Stop it first.") from None
        except (BackupError, data_folder.NewerData, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{restored.posts} posts of {restored.made_at} were restored. Start the product: it rebuilds the graph. "
            "`manage.py check_parity --wait 600` reports when it is complete."
        )
