"""Poll feeds now, in this process; with --visit fetch the due article pages as well."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from extraction.feeds import polling
from extraction.models import Feed, Post
from extraction.posts import visits
from extraction.posts.article_page import PATIENCE
from kgbuilder.celery import ring
from knowledge.record.projection_queue import mark_posts


class Command(BaseCommand):
    help = "Polls all active feeds, or those given, without waiting until they are due."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("urls", nargs="*", metavar="URL")
        parser.add_argument("--visit", action="store_true", help="also fetch the pages of posts that are due")

    def handle(self, *args: Any, **options: Any) -> None:
        feeds = Feed.objects.filter(state=Feed.State.ACTIVE, deleted_at__isnull=True)
        if options["urls"]:
            feeds = Feed.objects.filter(url__in=options["urls"]).exclude(state=Feed.State.SENT)
            unknown = set(options["urls"]) - set(feeds.values_list("url", flat=True))
            if unknown:
                raise CommandError(f"Not subscribed to: {', '.join(sorted(unknown))}. `manage.py add_feed` does that.")
        feeds.update(due_at=timezone.now(), state=Feed.State.ACTIVE)
        errors = self._poll()
        if options["visit"]:
            self._visit()
        else:
            ring("fetch")
        if errors:
            raise CommandError(f"{errors} feeds could not be read; each keeps its error on its page.")

    def _poll(self) -> int:
        errors = 0
        while feeds := polling.claim(1, "poll_now"):
            done = polling.poll_all(feeds, mark_posts)
            errors += len(done.errors)
            for url, error in done.errors.items():
                self.stderr.write(f"{url}: {error}")
            if not done.errors:
                self.stdout.write(f"{feeds[0]}: {done.new} new posts, {done.changed} changed items")
        return errors

    def _visit(self) -> None:
        while True:
            done = visits.visit_due(4, mark=mark_posts, worker="poll_now")
            for outcome, count in sorted(done.outcomes.items()):
                self.stdout.write(f"{outcome}: {count}")
            soon = timezone.now() + timedelta(seconds=PATIENCE)
            if not done.claimed and not Post.objects.filter(due_at__lte=soon).exists():
                return
            if not done.claimed:
                time.sleep(1)
