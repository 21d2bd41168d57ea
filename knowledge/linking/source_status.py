"""How the sources that KNOWLEDGE names stand, for people. Nobody is asked: what is told is how they answered last."""

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
    says: str
    costs: str = ""


def standing() -> SourceState:
    told = [_index() if source == linker_from_settings.NAME else _service(source) for source in settings.KNOWLEDGE]
    told += _away()
    worst = max((one.state for one in told), key=("there", "missing", "wrong").index)
    costs = dict.fromkeys(one.costs for one in told if one.costs)
    return SourceState(worst, " ".join(one.says for one in told), " ".join(costs))


def _index() -> SourceState:
    if not linker_from_settings.index_path().is_file():
        costs = BUILD if settings.KNOWLEDGE == (linker_from_settings.NAME,) else ""
        return SourceState("missing" if costs else "there", "The local index covers only the sample posts.", costs)
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
    says = f"{name} is used at {urlsplit(address).netloc}."
    return SourceState("wrong", says, CONTACT) if unnamed else SourceState("there", says)


def _away() -> list[SourceState]:
    waiting = Link.objects.exclude(error="").count()
    costs = f"{waiting} entities have incomplete links and are retried automatically; everything else continues."
    troubled = KnowledgeService.objects.filter(open_until__gt=timezone.now()).exclude(error="").order_by("name")
    return [
        SourceState(
            "missing", f"{one.name} is unavailable and retried at {one.open_until:%H:%M} UTC: {one.error}", costs
        )
        for one in troubled
    ]
