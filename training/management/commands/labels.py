"""`manage.py labels`: what editors have judged, as a data set to train and measure on."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from extraction.labels import REVIEWED
from knowledge.record import audit_log
from knowledge.recording import judged_posts
from training.corpora import label_snapshots


class Command(BaseCommand):
    help = "Saves what editors have accepted, rejected and corrected as a version of the data set labels; lists them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("snapshot", help="a new version, in DATA_DIR/labels")
        actions.add_parser("list", help="the versions that there are")

    def handle(self, *args: Any, **options: Any) -> None:
        data_dir = Path(settings.DATA_DIR)
        if options["action"] == "list":
            folder = data_dir / REVIEWED
            for version in label_snapshots.versions(folder):
                self.stdout.write(_line(label_snapshots.about(folder / version)))
            return
        try:
            taken, new = label_snapshots.write(judged_posts.rows(), data_dir, timezone.localdate())
        except label_snapshots.NothingJudged as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"The labels could not be stored: {error}. Free some space in DATA_DIR.") from error
        if new:
            audit_log.note(None, "labels snapshot", taken.name, None, {"posts": taken.posts, "digest": taken.digest})
        self.stdout.write(_line(taken) if new else f"Nothing was judged since: {_line(taken)}")


def _line(one: label_snapshots.LabelSnapshot) -> str:
    posts = ", ".join(f"{split} {count}" for split, count in one.posts.items())
    relations = f"{one.relations} relations right, {one.wrong_relations} wrong"
    mentions = f"{one.mentions} mentions right, {one.wrong_mentions} wrong"
    return f"{one.name}: posts {posts}; {relations}; {mentions}"
