"""The annotated corpora of news by sentence: "voa" (real articles) and "newsroom" (items written for kgbuilder).

The annotation lies in `training/corpora/`; voa's texts lie in the data root, `voa/articles.jsonl`. Sentences and words
are those that the shipped parser gives a reader live. All sentences of an article stay together, in order: the title,
if there is one, is the first.

A fact is annotated once for a pair of entities, at the mentions that state it best. Where other mentions of the same
two entities meet, whether these state it too is not annotated: that relation is masked there, not negative. A relation
between two sentences is no example of either.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from extraction.datasets.annotation import AnnotatedRelation, Annotation, AnnotationError, load_annotations
from extraction.datasets.articles import ArticleError, NewsArticle, load_articles
from extraction.datasets.load_report import DatasetError, LoadReport
from extraction.labels import RELATIONS, LabelMode, annotated_relations, annotated_types
from extraction.schema import Example, WordRelation, Words, WordSpan
from extraction.text.parser import Parser

CORPORA = Path(__file__).parents[2] / "training" / "corpora"

End = TypeVar("End", int, str)


@dataclass(frozen=True, slots=True)
class _MentionPlace:
    """A mention of the article: its sentence, its index among that sentence's mentions, and its entity."""

    sentence: int
    index: int
    entity: str


def load(name: str, split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    """The sentences of one split. Raises DatasetError where a file is missing or a text is not the annotated one."""
    try:
        annotations = load_annotations(CORPORA / name / f"{split}.jsonl")
        articles = load_articles(root / "voa" / "articles.jsonl") if name == "voa" else {}
    except (AnnotationError, ArticleError) as problem:
        raise DatasetError(str(problem)) from problem
    texts = [_text(one, articles) for one in annotations]
    titles = [len(articles[one.id].title) if one.id in articles else 0 for one in annotations]
    examples: list[Example] = []
    for annotation, sentences in zip(annotations, sentences_of(shipped_parser(), texts, titles), strict=True):
        report.add(f"{name}: articles")
        examples += _examples(name, annotation, sentences, labels, report)
    return examples


@cache
def shipped_parser() -> Parser:
    return Parser.load()


def _text(annotation: Annotation, articles: dict[str, NewsArticle]) -> str:
    text = annotation.text_in(articles)
    if text is None:
        raise DatasetError(f"There is no text of {annotation.id} in voa/articles.jsonl: get the whole file.")
    if annotation.sha256 and articles[annotation.id].sha256 != annotation.sha256:
        raise DatasetError(f"The text of {annotation.id} is not the one that was annotated: get the file again.")
    return text


def sentences_of(parser: Parser, texts: Sequence[str], titles: Sequence[int]) -> list[list[Words]]:
    """The sentences of each text, the title's (its first code points) apart from the body's; spans in the text."""
    parts = [part for text, title in zip(texts, titles, strict=True) for part in (text[:title], text[title:])]
    parsed = iter(parser.parse_texts(parts))
    result = []
    for title in titles:
        heading, body = next(parsed), next(parsed)
        result.append(heading + [_moved(words, title) for words in body])
    return result


def _moved(words: Words, start: int) -> Words:
    spans = tuple((a + start, b + start) for a, b in words.spans)
    return Words(spans, words.words, words.tags, words.heads, words.deps)


def _examples(
    name: str, annotation: Annotation, sentences: Sequence[Words], labels: LabelMode, report: LoadReport
) -> Iterator[Example]:
    mentions: list[list[WordSpan]] = [[] for _ in sentences]
    placed: dict[int, _MentionPlace] = {}
    types = {entity.id: entity.type for entity in annotation.entities}
    starts = [words.spans[0][0] for words in sentences]
    for number, mention in sorted(enumerate(annotation.mentions), key=lambda pair: (pair[1].start, pair[1].end)):
        sentence = bisect_right(starts, mention.start) - 1
        span = word_span(sentences[sentence], mention.start, mention.end) if sentence >= 0 else None
        known = mentions[sentence]
        if span is None or (known and span[0] < known[-1].end):
            report.add(f"{name}: mentions that are no whole words of one sentence, left out")
            continue
        placed[number] = _MentionPlace(sentence, len(known), mention.entity)
        known.append(WordSpan(*span, types[mention.entity], mention.form, mention.entity))
    relations = _relations(name, annotation, placed, len(sentences), report)
    masked = _masked(annotation, placed, mentions, relations)
    first = sentences[0].words if sentences else ()
    for number, words in enumerate(sentences):
        yield Example(
            id=f"{annotation.id}#{number}",
            dataset=name,
            words=words.words,
            mentions=tuple(mentions[number]),
            relations=tuple(relations[number]),
            types=annotated_types(name, labels),
            relation_keys=annotated_relations(name, labels),
            masked_relations=frozenset(masked[number]),
            before=first if number and name == "voa" else (),
            document=annotation.id,
            news=True,
        )


def word_span(words: Words, start: int, end: int) -> tuple[int, int] | None:
    """The words that these code points cover, if they end at a word's end in this sentence."""
    first = bisect_right(words.spans, (start, end)) - 1
    first = first if first >= 0 and words.spans[first][1] > start else first + 1
    last = first
    while last < len(words.spans) and words.spans[last][1] < end:
        last += 1
    if last >= len(words.spans) or words.spans[last][0] >= end:
        return None
    return first, last + 1


def _relations(
    name: str, annotation: Annotation, placed: dict[int, _MentionPlace], sentences: int, report: LoadReport
) -> list[list[WordRelation]]:
    """The relations of each sentence between two of its mentions."""
    result: list[list[WordRelation]] = [[] for _ in range(sentences)]
    for relation in annotation.relations:
        head, tail = placed.get(relation.head), placed.get(relation.tail)
        if head is None or tail is None or head.sentence != tail.sentence:
            report.add(f"{name}: relations between two sentences, left out")
            continue
        by, when, amount = (_beside(head, placed, one) for one in (_claimant(relation), relation.when, relation.amount))
        result[head.sentence].append(
            WordRelation(head.index, tail.index, relation.relation, relation.factuality, by, when, amount)
        )
    return result


def _claimant(relation: AnnotatedRelation) -> int | None:
    return relation.by[0] if relation.by else None


def _beside(head: _MentionPlace, placed: dict[int, _MentionPlace], number: int | None) -> int | None:
    """The index of that mention in the head's sentence; None where it is elsewhere."""
    other = placed.get(number) if number is not None else None
    return other.index if other is not None and other.sentence == head.sentence else None


def _masked(
    annotation: Annotation,
    placed: dict[int, _MentionPlace],
    mentions: Sequence[Sequence[WordSpan]],
    relations: Sequence[Sequence[WordRelation]],
) -> list[set[tuple[int, int, str]]]:
    """For each sentence the relations of its pairs of mentions that are annotated at other mentions of the entities."""
    stated: dict[tuple[str, str], set[str]] = defaultdict(set)
    entity = {number: one.entity for number, one in enumerate(annotation.mentions)}
    for relation in annotation.relations:
        for head, tail, key in both_ways(entity[relation.head], entity[relation.tail], relation.relation):
            stated[head, tail].add(key)
    result: list[set[tuple[int, int, str]]] = []
    for own, known in zip(mentions, relations, strict=True):
        here = {place for one in known for place in both_ways(one.head, one.tail, one.key)}
        triples = {
            (head, tail, key)
            for head, one in enumerate(own)
            for tail, other in enumerate(own)
            if head != tail
            for key in stated.get((one.entity, other.entity), ())
        }
        result.append(triples - here)
    return result


def both_ways(head: End, tail: End, key: str) -> list[tuple[End, End, str]]:
    """The fact as it is annotated, and from the other end where the relation is symmetric or has an inverse."""
    relation = RELATIONS[key]
    other = key if relation.symmetric else relation.inverse
    facts = [(head, tail, key)]
    if other:
        facts.append((tail, head, other))
    return facts
