"""Writes ontology.ttl from the labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from knowledge.ontology import turtle

FILE = Path(__file__).resolve().parents[2] / "ontology.ttl"


class Command(BaseCommand):
    help = "Write knowledge/ontology.ttl: the entity types and relations, and what they are in Wikidata."

    def handle(self, *args: Any, **options: Any) -> None:
        FILE.write_text(turtle(), encoding="utf-8")
        self.stdout.write(f"{FILE} written.")
