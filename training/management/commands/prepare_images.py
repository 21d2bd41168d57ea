"""`manage.py prepare_images`: analyses the pictures of a data set, for networks that are given regions and scenes."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = (
        "Runs detector, faces, depth, scene graph, features and grounding over the pictures of a data set, as over "
        "those of posts. Goes on where it was stopped. `manage.py train … --prepared latest` then uses the results."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="a data set")
        parser.add_argument("--data-root", default=os.environ.get("KGBUILDER_DATA", ""), help="folder of the data sets")
        parser.add_argument("--images", help="folders of its pictures, joined by : (default: its own `images`)")
        parser.add_argument("--limit", type=int, help="examples of each split, for trying things out")

    def handle(self, *args: Any, **options: Any) -> None:
        from extraction.datasets.folders import folder_of
        from extraction.datasets.prepared_images import PreparedImages
        from extraction.datasets.registry import DatasetError
        from extraction.images import detectors_from_settings
        from extraction.images.detector_weights import WeightsMissing
        from extraction.reader import load
        from training.data import image_preparation

        if not options["data_root"]:
            raise CommandError("Say where the data sets are: --data-root DIR, or the variable KGBUILDER_DATA.")
        root, name = Path(options["data_root"]), options["name"]
        try:
            examples = self._examples(name, root, options["limit"])
            folders = self._folders(name, root, options["images"])
            analyser, grounder = detectors_from_settings.load(), detectors_from_settings.grounder()
        except (DatasetError, WeightsMissing) as error:
            raise CommandError(str(error)) from error
        if analyser is None:
            raise CommandError("DETECTOR_WEIGHTS is empty, so nothing can be detected. See `manage.py fetch_weights`.")
        sources = image_preparation.sources_of(analyser, grounder)
        kept = PreparedImages.begin(root / folder_of(name), sources)
        missing = image_preparation.prepare_pictures(examples, folders, kept, analyser, self.stdout.write)
        reader = load.reader()
        image_preparation.ground_words(
            examples,
            folders,
            kept,
            reader.parser,
            image_preparation.predicted_types(reader),
            grounder,
            self.stdout.write,
        )
        self.stdout.write(f"{len(kept.pictures)} pictures by {sources.version}, in {kept.folder}")
        if missing:
            self.stdout.write(f"{missing} pictures were not found, or are none: their examples have no regions.")

    def _examples(self, name: str, root: Path, limit: int | None) -> list[Any]:
        """Of the splits that are there, at least one. Raises DatasetError."""
        from extraction.datasets import registry

        found, problems = [], []
        for split in registry.SPLITS:
            try:
                found += registry.load(name, split, root, "native")[: limit or None]
            except registry.DatasetError as problem:
                problems.append(problem)
        if not found:
            raise problems[0]
        return found

    def _folders(self, name: str, root: Path, images: str | None) -> list[Path]:
        """Raises DatasetError where there are no pictures."""
        from extraction.datasets.registry import DatasetError
        from training.data.images import beside, folders_named

        named = images or beside(root, name)
        if not named:
            raise DatasetError(f"There are no pictures beside {name}: name their folder with --images.")
        return folders_named(named)
