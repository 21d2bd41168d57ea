"""Writes ontology.ttl from the labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from knowledge.ontology import shacl
from knowledge.ontology.vocabulary import turtle

FILE = Path(__file__).resolve().parents[2] / "ontology" / "ontology.ttl"
SHAPES = FILE.with_name("shapes.ttl")


class Command(BaseCommand):
    help = "Write ontology.ttl, the types and relations with Wikidata's, and shapes.ttl, the SHACL shapes."

    def handle(self, *args: Any, **options: Any) -> None:
        FILE.write_text(turtle(), encoding="utf-8")
        SHAPES.write_text(shacl.turtle(), encoding="utf-8")
        self.stdout.write(f"{FILE} and {SHAPES} written.")
