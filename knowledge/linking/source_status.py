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

CONTACT = "Set CONTACT_URL: Wikidata turns away programs that name nobody to write to."
BUILD = "Few entities bear identifiers of Wikidata. `manage.py build_index` makes an index of your own."


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
        return SourceState("missing" if costs else "there", "The index is the small one of the samples.", costs)
    try:
        return SourceState("there", f"The index has {LocalIndex(linker_from_settings.index_path()).size():,} entities.")
    except SourceUnavailable as error:
        return SourceState("wrong", str(error), "Entities are not looked up. Build the index anew, or delete the file.")


def _service(source: str) -> SourceState:
    name, address = {
        "wikidata": ("Wikidata", settings.WIKIDATA_API_URL),
        "dbpedia": ("DBpedia", settings.DBPEDIA_SPARQL_URL),
    }[source]
    unnamed = source == "wikidata" and not settings.CONTACT_URL
    says = f"{name} is asked at {urlsplit(address).netloc}."
    return SourceState("wrong", says, CONTACT) if unnamed else SourceState("there", says)


def _away() -> list[SourceState]:
    waiting = Link.objects.exclude(error="").count()
    costs = f"{waiting} entities show less than is known and are looked up again by themselves; all else goes on."
    troubled = KnowledgeService.objects.filter(open_until__gt=timezone.now()).exclude(error="").order_by("name")
    return [
        SourceState("missing", f"{one.name} is away, and asked again at {one.open_until:%H:%M} UTC: {one.error}", costs)
        for one in troubled
    ]
