"""Write docs/settings.md from the table of settings."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from kgbuilder.conf.environment import ROOT
from kgbuilder.conf.settings_doc import as_markdown


class Command(BaseCommand):
    help = "Writes docs/settings.md from the table in kgbuilder/conf/environment.py."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        (ROOT / "docs" / "settings.md").write_text(as_markdown(), encoding="utf-8")
