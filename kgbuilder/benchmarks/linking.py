"""How often names go to the right entity, and how long a lookup takes in a large index against a small one."""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kgbuilder.benchmarks import NotMeasured
from knowledge.linking import fit
from knowledge.linking.fit import LinkScore
from knowledge.linking.linker import Linker
from knowledge.sources import index_builder
from knowledge.sources.local_index import LocalIndex
from knowledge.sources.protocol import Known

HELP = "names that go to the right entity, and lookups in a large index against a small one"
LOOKUPS, ROUNDS = 400, 7
SMALL = 10_000
SYLLABLES = [a + b for a in "bdfghklmnprst" for b in "aeo"]


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--records", type=Path, help="wikidata-mel.json; without it only lookups are timed")
    parser.add_argument("--entities", type=int, default=1_000_000, help="in the large generated index; 0: not timed")


def run(options: Mapping[str, Any], write: Callable[[str], object], note: Callable[[str], object]) -> None:
    if options["records"]:
        try:
            whole, lacking = quality(options["records"])
        except fit.RecordsError as error:
            raise NotMeasured(str(error)) from error
        write(f"{whole.mentions} mentions, right entity first: {share(whole.right, whole.mentions)}")
        write(f"  the shortest name that contains the mention's words: {share(whole.baseline, whole.mentions)}")
        write(f"{whole.several} of them with several candidates: {share(whole.several_right, whole.several)}")
        write(f"  the shortest name: {share(whole.several_baseline, whole.several)}")
        write(f"a fifth of the entities left out, NIL F1: {lacking.nil_f1():.1%}")
        write(f"  no exact name, so NIL: {lacking.nil_f1(exact=True):.1%}")
        calibration(lacking, write)
    if options["entities"]:
        small, large = lookups((SMALL, options["entities"]))
        write(f"lookup among {SMALL}: {1e6 * small:.0f} µs; among {options['entities']}: {1e6 * large:.0f} µs")
        write(f"ratio: {large / small:.2f}")


def calibration(score: LinkScore, write: Callable[[str], object]) -> None:
    """Whether links are right as often as their confidence predicts."""
    from training.evaluation.metrics import calibration_error, reliability

    error = calibration_error(score.confidences, score.correct)
    write(
        f"of these, {len(score.confidences)} mentions with candidates, "
        f"expected calibration error of the best: {error:.3f}"
    )
    for row in reliability(score.confidences, score.correct):
        bounds = f"{row.low:.1f} to {row.high:.1f}"
        write(f"  confidence {bounds}: {row.count} mentions, {row.score:.1%} on average, right {row.right:.1%}")


def share(part: int, whole: int) -> str:
    return f"{part / max(1, whole):.1%}"


def quality(path: Path) -> tuple[LinkScore, LinkScore]:
    """On records that the weights were not fitted on: all names indexed, and without a fifth of the entities."""
    train, held_out = fit.split(fit.records(path))
    known = fit.entities([*train, *held_out], train)
    absent = fit.left_out(known, seed=2)
    with tempfile.TemporaryDirectory() as folder:
        scores = []
        for number, gone in enumerate((frozenset[str](), absent)):
            file = Path(folder) / f"{number}.sqlite3"
            index_builder.build(file, path.name, (one for one in known.values() if one.id not in gone))
            index = LocalIndex(file)
            scores.append(fit.measure(held_out, Linker.shipped([index]), index, gone))
    return scores[0], scores[1]


def lookups(sizes: tuple[int, int], seed: int = 1) -> list[float]:
    """Median seconds of a lookup (search and description of the candidates) in an index of each size, by turns."""
    with tempfile.TemporaryDirectory() as folder:
        indexes = []
        for size in sizes:
            file = Path(folder) / f"{size}.sqlite3"
            index_builder.build(file, f"{size} generated", generated(size, seed))
            indexes.append(LocalIndex(file))
        names = [one.label for one in generated(sizes[0], seed)]
        draw = random.Random(seed)
        queries = [draw.choice(names) if number % 2 else draw.choice(names).split()[-1] for number in range(LOOKUPS)]
        rounds: list[list[float]] = [[] for _ in sizes]
        for _ in range(ROUNDS):
            for index, times in zip(indexes, rounds, strict=True):
                began = time.perf_counter()
                for name in queries:
                    index.describe(index.search(name, 30))
                times.append((time.perf_counter() - began) / LOOKUPS)
    return [statistics.median(times) for times in rounds]


def generated(count: int, seed: int) -> Iterator[Known]:
    """Entities with names of two words; family names are shared as they are among people, a few by very many."""
    draw = random.Random(seed)
    family = ["".join(draw.choices(SYLLABLES, k=3)).title() for _ in range(4000)]
    weights = [1 / (rank + 10) for rank in range(len(family))]
    for number in range(1, count + 1):
        name = f"{''.join(draw.choices(SYLLABLES, k=3)).title()} {draw.choices(family, weights)[0]}"
        yield Known(f"Q{number}", name, "a generated entity", (name,), popularity=int(draw.paretovariate(1)))
