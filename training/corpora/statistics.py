"""What a corpus holds: entities by type, mentions by type and form, relations by factuality."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from extraction.datasets.annotation import Annotation
from extraction.datasets.articles import NewsArticle
from extraction.labels import ENTITY_TYPES
from extraction.schema import FACTUALITIES, FORMS


@dataclass(slots=True)
class Counts:
    items: int = 0
    words: int = 0  # of the items whose text is at hand
    entities: Counter[str] = field(default_factory=Counter)
    mentions: Counter[tuple[str, str]] = field(default_factory=Counter)
    relations: Counter[tuple[str, str]] = field(default_factory=Counter)


def count(annotations: Iterable[Annotation], articles: Mapping[str, NewsArticle]) -> Counts:
    counts = Counts()
    for annotation in annotations:
        types = {entity.id: entity.type for entity in annotation.entities}
        counts.items += 1
        counts.words += len((annotation.text_in(articles) or "").split())
        counts.entities.update(entity.type for entity in annotation.entities)
        counts.mentions.update((types[mention.entity], mention.form) for mention in annotation.mentions)
        counts.relations.update((relation.relation, relation.factuality) for relation in annotation.relations)
    return counts


def format_counts(counts: Counts) -> str:
    lines = [f"{counts.items} items, {counts.words} words, {counts.entities.total()} entities"]
    lines += ["", _heading("type", ("entities", *FORMS))]
    for key in ENTITY_TYPES:
        lines.append(_row(key, [counts.entities[key], *(counts.mentions[key, form] for form in FORMS)]))
    lines += ["", _heading("relation", ("all", *FACTUALITIES))]
    of_relation = {key: [counts.relations[key, one] for one in FACTUALITIES] for key, _ in counts.relations}
    for key, numbers in sorted(of_relation.items(), key=lambda pair: (-sum(pair[1]), pair[0])):
        lines.append(_row(key, [sum(numbers), *numbers]))
    by_factuality = [sum(numbers[i] for numbers in of_relation.values()) for i in range(len(FACTUALITIES))]
    lines.append(_row("together", [counts.relations.total(), *by_factuality]))
    return "\n".join(lines)


def _heading(first: str, columns: tuple[str, ...]) -> str:
    return f"{first:28}" + "".join(f"{column:>10}" for column in columns)


def _row(key: str, numbers: list[int]) -> str:
    return f"{key:28}" + "".join(f"{number:10}" for number in numbers)
