"""Subscribe to the feeds of an OPML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from extraction.crawler import http_client
from extraction.crawler.parsers import opml
from extraction.feeds.subscriptions import import_opml
from kgbuilder.celery import ring
from knowledge.record import audit_log


class Command(BaseCommand):
    help = "Subscribes to all feeds of an OPML file, given by path or by http(s) address."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", metavar="FILE|URL")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            content = _content(options["source"])
            with transaction.atomic():
                done = import_opml(content)
                audit_log.note_imported(None, done)
        except (OSError, http_client.FetchError, opml.OpmlError) as error:
            raise CommandError(str(error)) from error
        for feed in done.added:
            self.stdout.write(f"added: {feed.url}")
        for reason in done.refused.values():
            self.stderr.write(reason)
        if done.notice:
            self.stderr.write(done.notice)
        self.stdout.write(f"{len(done.added)} feeds added, {done.known} already there, {len(done.refused)} refused.")
        ring("poll")


def _content(source: str) -> bytes:
    if source.startswith(("http://", "https://")):
        return http_client.get(source, max_bytes=opml.MAX_BYTES).content
    return Path(source).read_bytes()
