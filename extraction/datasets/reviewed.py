"""What editors have judged in posts, as a data set: "labels" (the latest version) and "labels-DATE".

The format is that of `reviewed_text`. Sentences and words are those that the shipped parser gives a reader live.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from extraction.datasets.load_report import DatasetError, LoadReport, open_text
from extraction.datasets.news import both_ways, sentences_of, shipped_parser, word_span
from extraction.datasets.reviewed_text import ReviewedText, reviewed_from, versions
from extraction.labels import REVIEWED, LabelMode, annotated_relations, annotated_types
from extraction.schema import Example, WordRelation, Words, WordSpan


def load(name: str, split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    """The sentences of one split. Raises DatasetError where there is no such version, or a line is damaged."""
    known = versions(root / REVIEWED)
    version = name.removeprefix(f"{REVIEWED}-") if name != REVIEWED else known[-1] if known else ""
    if version not in known:
        there = f"there are {', '.join(known)}" if known else "there are none; `manage.py labels snapshot` makes one"
        raise DatasetError(f"There is no version {version or 'of labels'} in {root / REVIEWED}: {there}.")
    texts = read(root / REVIEWED / version / f"{split}.jsonl")
    titles = [one.title_end for one in texts]
    parsed = sentences_of(shipped_parser(), [one.text for one in texts], titles)
    examples: list[Example] = []
    for one, sentences in zip(texts, parsed, strict=True):
        report.add(f"{REVIEWED}: posts")
        examples += _examples(name, one, sentences, labels, report)
    return examples


def read(path: Path) -> list[ReviewedText]:
    """Raises DatasetError with the line."""
    texts = []
    for number, line in enumerate(open_text(path).split("\n"), start=1):
        if line.strip():
            try:
                texts.append(reviewed_from(json.loads(line)))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise DatasetError(f"{path}, line {number}: {error!r}. Take a new snapshot of the labels.") from error
    return texts


@dataclass(slots=True)
class _Sentence:
    """What is known in one sentence: mentions by their index in the post."""

    mentions: dict[int, WordSpan]
    not_mentions: list[WordSpan]

    def place(self) -> dict[int, int]:
        """The index of each mention in the example, in the order of the text."""
        order = sorted(self.mentions, key=lambda number: (self.mentions[number].start, self.mentions[number].end))
        return {number: place for place, number in enumerate(order)}


def _examples(
    name: str, reviewed: ReviewedText, sentences: Sequence[Words], labels: LabelMode, report: LoadReport
) -> Iterator[Example]:
    parts = [_Sentence({}, []) for _ in sentences]
    _place_mentions(reviewed, sentences, parts, report)
    id = reviewed.annotation.id
    _count_apart(reviewed, parts, report)
    first = sentences[0].words if sentences and reviewed.title_end else ()
    for number, (words, part) in enumerate(zip(sentences, parts, strict=True)):
        place = part.place()
        relations = tuple(_relations(reviewed, place))
        pairs, triples = _masked(reviewed, place, relations, annotated_relations(name, labels))
        yield Example(
            id=f"{id}#{number}",
            dataset=name,
            words=words.words,
            mentions=tuple(part.mentions[one] for one in place),
            relations=relations,
            types=annotated_types(name, labels),
            relation_keys=annotated_relations(name, labels),
            masked_pairs=pairs,
            masked_relations=triples,
            complete=False,
            before=first if number else (),
            document=id,
            news=True,
            unsettled=frozenset(place[one] for one in place if one in reviewed.unjudged),
            not_mentions=tuple(part.not_mentions),
        )


def _place_mentions(
    reviewed: ReviewedText, sentences: Sequence[Words], parts: Sequence[_Sentence], report: LoadReport
) -> None:
    """Puts each mention into its sentence. Of two judged ones that overlap the first stays: a word has one mention."""
    types = {entity.id: entity.type for entity in reviewed.annotation.entities}
    starts = [words.spans[0][0] for words in sentences]
    taken: list[set[int]] = [set() for _ in sentences]

    def placed(start: int, end: int) -> tuple[int, tuple[int, int]] | None:
        sentence = bisect_right(starts, start) - 1
        span = word_span(sentences[sentence], start, end) if sentence >= 0 else None
        return None if span is None else (sentence, span)

    for number, one in sorted(enumerate(reviewed.annotation.mentions), key=lambda pair: (pair[1].start, pair[1].end)):
        found = placed(one.start, one.end)
        judged = number not in reviewed.unjudged
        if found is None or (judged and taken[found[0]] & set(range(*found[1]))):
            report.add(f"{REVIEWED}: mentions that are no whole words of one sentence, or overlap, left out")
            continue
        taken[found[0]] |= set(range(*found[1])) if judged else set()
        parts[found[0]].mentions[number] = WordSpan(*found[1], types[one.entity], one.form)
    for wrong in reviewed.wrong_mentions:
        if (found := placed(wrong.start, wrong.end)) is not None:
            parts[found[0]].not_mentions.append(WordSpan(*found[1], wrong.type))


def _relations(reviewed: ReviewedText, place: dict[int, int]) -> Iterator[WordRelation]:
    for one in reviewed.annotation.relations:
        if one.head in place and one.tail in place:
            by, when, amount = (
                place.get(index) if index is not None else None
                for index in (one.by[0] if one.by else None, one.when, one.amount)
            )
            yield WordRelation(
                *(place[one.head], place[one.tail], one.relation, one.factuality), by=by, when=when, amount=amount
            )


def _count_apart(reviewed: ReviewedText, parts: Sequence[_Sentence], report: LoadReport) -> None:
    sentence = {number: index for index, part in enumerate(parts) for number in part.mentions}
    ends = [(one.head, one.tail) for one in reviewed.annotation.relations]
    ends += [(one.head, one.tail) for one in reviewed.wrong_relations]
    for head, tail in ((sentence.get(head), sentence.get(tail)) for head, tail in ends):
        if head is None or head != tail:
            report.add(f"{REVIEWED}: judged relations that are not in one sentence, left out")


def _masked(
    reviewed: ReviewedText, place: dict[int, int], relations: Sequence[WordRelation], keys: frozenset[str]
) -> tuple[frozenset[tuple[int, int]], frozenset[tuple[int, int, str]]]:
    """The pairs of which nothing is judged, and of the others the relations that are not."""
    wrong = [one for one in reviewed.wrong_relations if one.head in place and one.tail in place]
    judged = [(one.head, one.tail, one.key) for one in relations]
    judged += [(place[one.head], place[one.tail], one.relation) for one in wrong]
    known = {fact for one in judged for fact in both_ways(*one)}
    pairs = {(head, tail) for head, tail, _ in known}
    places = range(len(place))
    unknown = {(head, tail) for head in places for tail in places if head != tail} - pairs
    triples = {(head, tail, key) for head, tail in pairs for key in keys} - known
    return frozenset(unknown), frozenset(triples)
