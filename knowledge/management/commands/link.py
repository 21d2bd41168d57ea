"""Links entities again, for example after a new index was built."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kgbuilder.celery import ring, ring_projectors


class Command(BaseCommand):
    help = "Make every entity's link due again, except those that an editor decided; the I/O worker looks them up."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--now", action="store_true", help="look them up here, and wait until all are done")

    def handle(self, *args: Any, now: bool, **options: Any) -> None:
        from knowledge.linking import link_queue, linker_from_settings
        from knowledge.tasks import send

        self.stdout.write(f"{link_queue.again()} entities are queued for linking.")
        if not now:
            ring("link")
            return
        linker = linker_from_settings.linker(send)
        if linker is None:
            raise CommandError("No index could be opened: see the message above, and `manage.py build_index`.")
        total = link_queue.LookedUp()
        encyclopedias = linker_from_settings.encyclopedias(send)
        while done := link_queue.look_up(linker, linker_from_settings.NAME, encyclopedias=encyclopedias):
            total.linked, total.nil = total.linked + done.linked, total.nil + done.nil
            total.merged, total.failed = total.merged + done.merged, total.failed + done.failed
        self.stdout.write(
            f"{total.linked} linked, {total.nil} without a match, {total.merged} merged, {total.failed} failed"
        )
        ring_projectors()
