"""`manage.py describe_systems`: what can be trained, with every setting and its default, as JSON. Needs no database."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Prints the systems with their settings, defaults and meanings as JSON: the launch form is made of it."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        from training.jobs.system_descriptions import describe

        self.stdout.write(json.dumps(describe(), indent=1))
