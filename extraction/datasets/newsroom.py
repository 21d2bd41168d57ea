"""Sentences in the style of news, written for kgbuilder: templates whose slots are filled with names.

The public sets hold statements of an encyclopaedia and sentences chosen for their relations. They lack everyday
sentences of news, and sentences that state less than they seem to (a governor and a state, a speaker and the
broadcaster that quotes him, one politician and another's party). `samples/newsroom/` holds the templates and the names;
CC0.

No root is needed. Every fifth template is dev; there is no test split, because sentences made like the training data
do not measure anything about news.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from extraction.datasets.load_report import DatasetError, Draft, LoadReport, open_text
from extraction.labels import ENTITY_TYPES, LabelMode
from extraction.schema import Example

FOLDER = Path(__file__).parent.parent / "samples" / "newsroom"
FILLS = 5  # sentences made of one template
DEV_EVERY = 5
FAMILY_NAME_ALONE = 0.25
SLOT = re.compile(r"\{(\w+?)(\d*)\}")
INVERSE = {"in": ("located_in", "contains")}


@dataclass(frozen=True, slots=True)
class Template:
    line: int
    words: tuple[str, ...]
    relations: tuple[tuple[str, str, str], ...]  # head slot, relation, tail slot
    unsettled: tuple[tuple[str, str, str], ...]


def load(split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    """The sentences of one split, the same at every call. Raises DatasetError for a line that is not in the format."""
    templates = [one for place, one in enumerate(_templates()) if split == _split(place)]
    report.add("newsroom: templates", len(templates))
    return [_fill(template, number, labels) for template in templates for number in range(FILLS)]


def _split(place: int) -> str:
    return "dev" if place % DEV_EVERY == DEV_EVERY - 1 else "train"


@cache
def _templates() -> tuple[Template, ...]:
    path = FOLDER / "templates.txt"
    lines = enumerate(open_text(path).splitlines(), 1)
    return tuple(_template(path, number, line) for number, line in lines if line.strip() and line[0] != "#")


def _template(path: Path, number: int, line: str) -> Template:
    text, mark, stated = line.partition("|")
    slots = {match[1] + match[2] for match in SLOT.finditer(text)}
    known: list[tuple[str, str, str]] = []
    unsettled: list[tuple[str, str, str]] = []
    for part in stated.split(";") if stated.strip() else []:
        fields = part.strip().removeprefix("?").split()
        if len(fields) != 3 or not {fields[0], fields[2]} <= slots:
            raise DatasetError(f"{path}, line {number}: {part.strip()!r} is no relation between slots of the line")
        (unsettled if part.strip().startswith("?") else known).append((fields[0], fields[1], fields[2]))
    if not mark or not slots:
        raise DatasetError(f"{path}, line {number}: a template has slots, and a | before its relations")
    return Template(number, tuple(text.split()), tuple(known), tuple(unsettled))


@cache
def _lists() -> dict[str, tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """By name of slot: its entity types and the fillers, each a tuple as long as the types."""
    path, lists = FOLDER / "lists.txt", {}
    for number, line in enumerate(open_text(path).splitlines(), 1):
        if not line or line[0] == "#":
            continue
        name, kinds, fillers = (part.strip() for part in line.split("|"))
        types = tuple(kinds.split("/"))
        if not set(types) <= set(ENTITY_TYPES) or len(types) != len(name.split("/")):
            raise DatasetError(f"{path}, line {number}: {kinds!r} are no entity types for {name}")
        parted = fillers.split() if name in ("first", "last") else fillers.split(";")
        lists[name] = types, [tuple(item.strip() for item in one.split(" / ")) for one in parted]
    return lists


def _fill(template: Template, number: int, labels: LabelMode) -> Example:
    names = _names(template, random.Random(1000 * template.line + number))
    words: list[str] = []
    spans: list[tuple[str, int, int, str]] = []
    for token in template.words:
        if not (match := SLOT.fullmatch(token)):
            words.append(token)
            continue
        kind, name = names[match[1] + match[2]]
        article, rest = ("the", name[4:]) if name.startswith("the ") else ("", name)
        if article and (not words or words[-1].casefold() != "the"):
            words.append(article if words else "The")
        spans.append((match[1] + match[2], len(words), len(words) + len(rest.split()), kind))
        words += rest.split()
    draft = Draft("newsroom", labels, f"newsroom template {template.line}", tuple(words))
    place = {slot: draft.mention(start, end, kind) for slot, start, end, kind in spans}
    for head, relation, tail in template.relations:
        if relation in INVERSE:
            forward, back = INVERSE[relation]
            draft.relate(place[head], place[tail], forward)
            draft.relate(place[tail], place[head], back)
        else:
            draft.relate(place[head], place[tail], relation)
    for head, relation, tail in template.unsettled:
        draft.mask_relation(place[head], place[tail], relation)
    return draft.example(f"newsroom-{template.line}-{number}")


def _names(template: Template, draw: random.Random) -> dict[str, tuple[str, str]]:
    """For each slot its entity type and its filler; no two slots of one type have the same."""
    chosen: dict[str, tuple[str, str]] = {}
    used: set[str] = set()
    for token in template.words:
        if (match := SLOT.fullmatch(token)) and match[1] + match[2] not in chosen:
            for slot, kind, name in _draw(match[1], match[2], template, draw, used):
                chosen[slot] = kind, name
                used.add(name)
    return chosen


def _draw(
    slot: str, number: str, template: Template, draw: random.Random, used: set[str]
) -> list[tuple[str, str, str]]:
    if slot in ("p", "P", "Q"):
        return [(slot + number, "person", _person(slot, draw))]
    lists = _lists()
    wanted = slot.lower() if slot == "CITY" else slot
    names = next((name for name in lists if wanted in name.split("/")), None)
    if names is None:
        raise DatasetError(f"newsroom template {template.line}: there is no list for {{{slot}}}")
    types, fillers = lists[names]
    filler = draw.choice([one for one in fillers if not used & set(one)])
    if slot == "CITY":
        return [(slot + number, types[0], filler[0].upper())]
    return [(part + number, kind, name) for part, kind, name in zip(names.split("/"), types, filler, strict=True)]


def _person(slot: str, draw: random.Random) -> str:
    first, last = (draw.choice(_lists()[name][1])[0] for name in ("first", "last"))
    if slot == "Q" or (slot == "p" and draw.random() < FAMILY_NAME_ALONE):
        return last
    return f"{first} {last}"
