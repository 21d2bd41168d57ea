"""Copies all that cannot be made again into a folder, while the product runs."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kgbuilder.backup import create
from kgbuilder.backup.manifest import BackupError
from kgbuilder.install import data_folder
from knowledge.linking import linker_from_settings


class Command(BaseCommand):
    help = (
        "Write database, pictures, checkpoints, data sets and the secret key into a new folder. The product may run "
        "meanwhile. The folder holds passwords of feeds and hashes of people's: keep it as safe as DATA_DIR."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument("--with-index", action="store_true", help="take a large index of Wikidata along, too")

    def handle(self, *args: Any, folder: Path, with_index: bool, **options: Any) -> None:
        try:
            data_folder.check_database()
            manifest = create.make(folder, with_index)
        except (BackupError, data_folder.NewerData, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{manifest.posts} posts and {len(manifest.files)} files are in {folder}.")
        if not with_index and (left := create.index_left_out()):
            self.stdout.write(
                f"Not in it: the index of Wikidata ({left / 1e9:.1f} GB). Copy "
                f"{linker_from_settings.index_path()} beside it once, give --with-index, "
                "or make it again with `manage.py build_index`."
            )
