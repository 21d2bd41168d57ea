"""Parses entities in Wikidata's JSON, from dumps and the API, into `Known`; dumps line by line. Input is untrusted."""

from __future__ import annotations

import bz2
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from extraction.labels import RELATIONS
from knowledge.sources.protocol import Known, KnownFact

_ITEM = re.compile(r"Q[1-9][0-9]{0,14}")
_IN_IRIS = (
    "/:@!$&'()*+,;=~"  # characters that DBpedia does not escape in an entity's address, beside letters and digits
)
LONGEST_LINE = 16 << 20  # bytes; the largest entities have a few million
NAMES, FACTS = 60, 200  # of one entity that are kept
LONGEST_TEXT = 400
YEAR, DAY = 9, 11  # precisions of dates; a month's lies between

PERSON = "Q5"
OF_PLACES = ("P625", "P131", "P36", "P47", "P206")
OF_BODIES = ("P159", "P112", "P749", "P355", "P127", "P452", "P488", "P169", "P856")
OF_WORKS = ("P577", "P50", "P57", "P175", "P161", "P170", "P123", "P585", "P580")
KEPT = frozenset(relation.property for relation in RELATIONS.values() if relation.property) | {"P31", "P106", "P279"}


def known(entity: Any, language: str = "en") -> Known | None:
    """Parse an entity; None for one that is no item or has no name in the language."""
    if not isinstance(entity, dict) or not is_item(entity.get("id")):
        return None
    label = _text(entity.get("labels"), language)
    if not label:
        return None
    aliases = _dict(entity.get("aliases")).get(language)
    names = [_short(item.get("value")) for item in _list(aliases)[:NAMES] if isinstance(item, dict)]
    claims, sitelinks = _dict(entity.get("claims")), _dict(entity.get("sitelinks"))
    return Known(
        id=entity["id"],
        label=label,
        description=_text(entity.get("descriptions"), language),
        names=tuple(dict.fromkeys([label, *(name for name in names if name)])),
        types=_types(claims),
        popularity=len(sitelinks),
        links=_links(sitelinks, language),
        facts=tuple(_facts(claims))[:FACTS],
    )


def dump(path: Path, start: int = 0) -> Iterator[tuple[int, Known | None]]:
    """(number of the line, its entity) for the lines after the first `start`; plain, .gz or .bz2.

    A dump is a JSON list with one entity a line, or just a line for each. A line that is no entity gives None.
    """
    with _open(path) as opened:
        number = 0
        while line := opened.readline(LONGEST_LINE):
            number += 1
            if number > start:
                yield number, _line(line)


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return bz2.open(path, "rb") if path.suffix == ".bz2" else path.open("rb")


def _line(line: bytes) -> Known | None:
    try:
        return known(json.loads(line.strip().rstrip(b",")))
    except (ValueError, RecursionError):
        return None


def _types(claims: dict[str, Any]) -> tuple[str, ...]:
    """The entity types that it can have. Derived from its properties, as Wikidata's classes are too diverse: a person
    is an instance of human; a place has coordinates; an organization has a seat, owners or a website; a work, dates
    and makers."""
    if PERSON in {fact.value for fact in _facts({"P31": claims.get("P31")})}:
        return ("person",)
    marks = {"location": OF_PLACES, "organization": OF_BODIES, "miscellaneous": OF_WORKS}
    return tuple(kind for kind, properties in marks.items() if any(name in claims for name in properties))


def _facts(claims: dict[str, Any]) -> Iterator[KnownFact]:
    for name, statements in claims.items():
        if name not in KEPT:
            continue
        for statement in _list(statements):
            value = _value(statement)
            if value:
                yield KnownFact(name, value)


def _value(statement: Any) -> str:
    """An item's id, or a date or plain text; "" for a value that is deprecated, unknown or of another kind."""
    if not isinstance(statement, dict) or statement.get("rank") == "deprecated":
        return ""
    value = _dict(_dict(statement.get("mainsnak")).get("datavalue")).get("value")
    if isinstance(value, str):
        return _short(value)
    value = _dict(value)
    if is_item(value.get("id")):
        return str(value["id"])
    return _date(value)


def _date(value: dict[str, Any]) -> str:
    """A date to its precision, with 00 for an unknown month or day; "" for a decade, a century, an age."""
    time, precision = _short(value.get("time")).lstrip("+"), value.get("precision", DAY)
    if not isinstance(precision, int) or precision < YEAR:
        return ""
    if precision >= DAY:
        return time
    return re.sub(r"-\d\d-\d\dT", "-00-00T", time) if precision == YEAR else re.sub(r"-\d\dT", "-00T", time)


def _links(sitelinks: dict[str, Any], language: str) -> dict[str, str]:
    """The article's title in that language's Wikipedia, which is DBpedia's name for it too where it is English."""
    title = _short(_dict(sitelinks.get(f"{language}wiki")).get("title"))
    links = {f"{language}wiki": title} if title else {}
    if title and language == "en":
        links["dbpedia"] = f"http://dbpedia.org/resource/{quote(title.replace(' ', '_'), safe=_IN_IRIS)}"
    return links


def _text(by_language: Any, language: str) -> str:
    return _short(_dict(_dict(by_language).get(language)).get("value"))


def _short(value: Any) -> str:
    return " ".join(value.split())[:LONGEST_TEXT] if isinstance(value, str) else ""


def is_item(value: Any) -> bool:
    """Whether it is an item's id, as Q42."""
    return isinstance(value, str) and bool(_ITEM.fullmatch(value))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
