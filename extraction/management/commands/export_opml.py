"""Write the list of feeds as OPML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from extraction.feeds.subscriptions import export_opml


class Command(BaseCommand):
    help = "Writes all feeds as OPML, to FILE or to standard output. Passwords are left out."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        content = export_opml()
        if options["file"]:
            Path(options["file"]).write_bytes(content)
        else:
            self.stdout.write(content.decode())
