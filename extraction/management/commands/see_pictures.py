"""Makes pictures due to be looked at, and their posts to be read again: after a detector was set, changed or mended."""

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
        "Looks at the pictures that are due, here and now. --again: also at those that failed. --all: at every picture "
        "that this detector has not seen. --read: and has posts read again whose pictures were missing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--again", action="store_true", help="make those due again that could not be processed")
        parser.add_argument("--all", action="store_true", help="make every kept picture due")
        parser.add_argument(
            "--read", action="store_true", help="read posts again that were read without their pictures"
        )
        parser.add_argument("--later", action="store_true", help="only make them due: the reader looks at them")

    def handle(self, *args: Any, again: bool, later: bool, **options: Any) -> None:
        if again or options["all"]:
            failed = RegionSet.objects.exclude(error="").values("sha256")
            images = PostImage.objects.all() if options["all"] else PostImage.objects.filter(sha256__in=failed)
            self.stdout.write(f"{detection.again(images)} pictures are queued.")
        if later:
            if options["read"]:
                self.stdout.write(f"{self._read()} posts are queued to be analysed again.")
            return
        try:
            sight = detectors_from_settings.load()
        except WeightsMissing as error:
            raise CommandError(str(error)) from error
        if sight is None:
            raise CommandError("DETECTOR_WEIGHTS is empty, so nothing can be detected. See `manage.py fetch_weights`.")
        looked = 0
        while claimed := detection.look_at_due(sight):
            looked += claimed
            self.stdout.write(f"{looked} processed")
        self.stdout.write(f"{looked} pictures were processed by {sight.version}.")
        if options["read"]:
            self.stdout.write(f"{self._read()} posts are queued to be analysed again.")

    def _read(self) -> int:
        deployed = Deployment.objects.filter(active=True).select_related("checkpoint").first()
        if deployed is None:
            return 0
        lacking = reading_requests.request_lacking(("detector", "image"), deployed.checkpoint)
        return lacking + reading_requests.request_after_pictures(deployed.checkpoint)
