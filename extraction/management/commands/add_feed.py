"""Subscribe to feeds."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from extraction.feeds.subscriptions import NoFeedAddress, subscribe
from kgbuilder.celery import ring
from knowledge.record import audit_log


class Command(BaseCommand):
    help = "Subscribes to feeds by their addresses. They are polled at once where the workers run, else when they do."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("urls", nargs="+", metavar="URL")

    def handle(self, *args: Any, **options: Any) -> None:
        refused = []
        for url in options["urls"]:
            try:
                with transaction.atomic():
                    done = subscribe(url)
                    audit_log.note_subscribed(None, done)
            except NoFeedAddress as error:
                refused.append(str(error))
            else:
                self.stdout.write(f"{'added' if done.new else 'already there'}: {done.feed.url}")
        ring("poll")
        if refused:
            raise CommandError("\n".join(refused))
