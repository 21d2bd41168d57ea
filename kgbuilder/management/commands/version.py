"""Print the product's version."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from kgbuilder import VERSION


class Command(BaseCommand):
    """As `manage.py` itself prints before it reads the settings; here for `manage.py help` and `call_command`."""

    help = "Prints the product's version, also where settings or the database are wrong."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"kgbuilder {VERSION}")
