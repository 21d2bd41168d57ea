"""Reports the analysis of the sample posts until it is done, then the addresses of the pages. `up` runs it."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db.models import Q

from extraction.models import Checkpoint, Feed, Post, Reading
from extraction.samples import load_posts
from knowledge.record import current

EVERY_SECONDS = 1.0
ENDED = (Reading.Stage.DONE, Reading.Stage.DECLINED, Reading.Stage.FAILED)


class Command(BaseCommand):
    help = "Shows how many of the sample posts have been analysed, until all are."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        self._say(f"Open {settings.WEB_ADDRESS} and sign in.")
        if Feed.objects.filter(sample=True, state=Feed.State.ACTIVE).exists() and Checkpoint.objects.exists():
            self._follow(len(load_posts()))
        self._say(
            f"Posts: {settings.WEB_ADDRESS}  entities: {settings.WEB_ADDRESS}entities/  "
            f"SPARQL: {settings.WEB_ADDRESS}sparql/  your own feeds: {settings.WEB_ADDRESS}feeds/"
        )

    def _follow(self, total: int) -> None:
        shown = ""
        while True:
            posts = Post.objects.filter(sample=True)
            read = (
                posts.filter(Q(current_reading__isnull=False) | Q(current_version__readings__stage__in=ENDED))
                .distinct()
                .count()
            )
            statements = current.assertions().values("statement").distinct().count()
            line = f"{read} of {total} sample posts analysed, {statements} statements"
            if line != shown:
                self._say(line)
            if read >= total or not Feed.objects.filter(sample=True).exists():
                return
            shown = line
            time.sleep(EVERY_SECONDS)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
