"""Run the detector on pictures, and queue their posts to be analysed again: after a detector was set or changed."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from extraction.images import detection, detectors_from_settings
from extraction.images.detector_weights import WeightsMissing
from extraction.models import Deployment, PostImage, RegionSet
from extraction.readings import reading_requests


class Command(BaseCommand):
    help = (
        "Runs the detector on the pictures that are due, in this process. --again: also on those that failed. --all: "
        "on every picture that this detector has not processed. --read: also analyses posts again whose pictures were "
        "missing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--again", action="store_true", help="make those due again that could not be processed")
        parser.add_argument("--all", action="store_true", help="make every kept picture due")
        parser.add_argument(
            "--read", action="store_true", help="analyse posts again that were analysed without their pictures"
        )
        parser.add_argument("--later", action="store_true", help="only make them due: the reader processes them")

    def handle(self, *args: Any, again: bool, later: bool, **options: Any) -> None:
        if again or options["all"]:
            failed = RegionSet.objects.exclude(error="").values("sha256")
            images = PostImage.objects.all() if options["all"] else PostImage.objects.filter(sha256__in=failed)
            self.stdout.write(f"{detection.make_due(images)} pictures are queued.")
        if later:
            if options["read"]:
                self.stdout.write(f"{self._read()} posts are queued to be analysed again.")
            return
        try:
            analyser = detectors_from_settings.load()
        except WeightsMissing as error:
            raise CommandError(str(error)) from error
        if analyser is None:
            raise CommandError("DETECTOR_WEIGHTS is empty, so nothing can be detected. See `manage.py fetch_weights`.")
        processed = 0
        while claimed := detection.detect_due(analyser):
            processed += claimed
            self.stdout.write(f"{processed} processed")
        self.stdout.write(f"{processed} pictures were processed by {analyser.version}.")
        if options["read"]:
            self.stdout.write(f"{self._read()} posts are queued to be analysed again.")

    def _read(self) -> int:
        deployed = Deployment.objects.filter(active=True).select_related("checkpoint").first()
        if deployed is None:
            return 0
        lacking = reading_requests.request_lacking(("detector", "image"), deployed.checkpoint)
        return lacking + reading_requests.request_after_pictures(deployed.checkpoint)
