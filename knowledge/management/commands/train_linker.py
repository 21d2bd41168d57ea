"""Fits the weights that ship with the linker."""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Fit the linker on texts with linked names (MELBench's form). Needs no database; takes some minutes."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--records", type=Path, required=True, help="wikidata-mel.json")
        parser.add_argument("--out", type=Path, required=True, help="folder for linker.json and rarity.npy")
        parser.add_argument("--limit", type=int, default=9000, help="records to fit on, of those not held out")

    def handle(self, *args: Any, records: Path, out: Path, limit: int, **options: Any) -> None:
        import numpy as np

        from knowledge.linking import fit, text_similarity
        from knowledge.linking.candidate_ranking import RARITY, WEIGHTS, Comparer
        from knowledge.sources import index_builder
        from knowledge.sources.local_index import LocalIndex

        try:
            train, held_out = fit.split(fit.records(records))
        except fit.RecordsError as error:
            raise CommandError(str(error)) from error
        known = fit.entities([*train, *held_out], train)
        rarity = text_similarity.rarity(row.sentence for row in train).astype(np.float16)
        comparer = Comparer(text_similarity.ContextEncoder(rarity.astype(np.float32)))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "index.sqlite3"
            index_builder.build(path, records.name, known.values())
            weights = fit.fit(train[:limit], LocalIndex(path), known, comparer)
        out.mkdir(parents=True, exist_ok=True)
        np.save(out / RARITY.name, rarity)
        about = {"fitted on": "wikidata-mel of MELBench (MIT)", "records": min(limit, len(train))}
        weights.save(out / WEIGHTS.name, about)
        self.stdout.write((out / WEIGHTS.name).read_text(encoding="utf-8"))
