"""Write docs/labels.md from the inventory of entity types and relations."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from extraction.labels.labels_doc import as_markdown
from kgbuilder.conf.environment import ROOT


class Command(BaseCommand):
    help = "Writes docs/labels.md from the inventory in extraction/labels/relations.py."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        (ROOT / "docs" / "labels.md").write_text(as_markdown(), encoding="utf-8")
