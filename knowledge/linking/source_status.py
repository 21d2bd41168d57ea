"""The state of the sources that KNOWLEDGE names, for people: from their last answers, without any request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from knowledge.linking import linker_from_settings
from knowledge.models import KnowledgeService, Link
from knowledge.sources.local_index import LocalIndex
from knowledge.sources.protocol import SourceUnavailable

CONTACT = "Set CONTACT_URL: Wikidata refuses programs without a contact."
BUILD = "Few entities can be linked. Build a larger index with `manage.py build_index`."


@dataclass(frozen=True, slots=True)
class SourceState:
    state: Literal["there", "missing", "wrong"]
    message: str
    consequences: str = ""


def standing() -> SourceState:
    states = [_index() if source == linker_from_settings.NAME else _service(source) for source in settings.KNOWLEDGE]
    states += _away()
    worst = max((one.state for one in states), key=("there", "missing", "wrong").index)
    consequences = dict.fromkeys(one.consequences for one in states if one.consequences)
    return SourceState(worst, " ".join(one.message for one in states), " ".join(consequences))


def _index() -> SourceState:
    if not linker_from_settings.index_path().is_file():
        consequences = BUILD if settings.KNOWLEDGE == (linker_from_settings.NAME,) else ""
        return SourceState(
            "missing" if consequences else "there", "The local index covers only the sample posts.", consequences
        )
    try:
        size = LocalIndex(linker_from_settings.index_path()).size()
        return SourceState("there", f"The local index has {size:,} entities.")
    except SourceUnavailable as error:
        return SourceState("wrong", str(error), "Entities are not linked. Rebuild the index, or delete the file.")


def _service(source: str) -> SourceState:
    name, address = {
        "wikidata": ("Wikidata", settings.WIKIDATA_API_URL),
        "dbpedia": ("DBpedia", settings.DBPEDIA_SPARQL_URL),
    }[source]
    unnamed = source == "wikidata" and not settings.CONTACT_URL
    message = f"{name} is used at {urlsplit(address).netloc}."
    return SourceState("wrong", message, CONTACT) if unnamed else SourceState("there", message)


def _away() -> list[SourceState]:
    waiting = Link.objects.exclude(error="").count()
    consequences = f"{waiting} entities have incomplete links and are retried automatically; everything else continues."
    troubled = KnowledgeService.objects.filter(open_until__gt=timezone.now()).exclude(error="").order_by("name")
    return [
        SourceState(
            "missing", f"{one.name} is unavailable and retried at {one.open_until:%H:%M} UTC: {one.error}", consequences
        )
        for one in troubled
    ]
