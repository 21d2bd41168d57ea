"""Posts, versions and readings for tests of the record, given by words instead of offsets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from uuid import UUID

from django.utils import timezone

from extraction.models import Checkpoint, Deployment, Post, PostVersion, Reading
from extraction.readings import queue as readings_queue
from extraction.schema import (
    Amount,
    Claimed,
    ExtractedEntity,
    ExtractedMention,
    Extraction,
    Factuality,
    Relation,
    When,
)
from knowledge.graphs import projector
from knowledge.graphs.units import StoreRefused, StoreUnavailable, Unit
from knowledge.models import Entity, Projection, Statement
from knowledge.record import current
from knowledge.record.projection_queue import stale, store_names
from knowledge.recording import recorder

Name = tuple[str, str]
RelationSpec = tuple[str, str, str] | tuple[str, str, str, float]
PUBLISHED = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEAL = "Facebook plans deal\n\nFacebook agreed to buy WhatsApp for $19 billion in March, Zoe said. It will not sue Ann."
MARCH = (date(2014, 3, 1), date(2014, 3, 31))


def checkpoint(name: str = "first", *, active: bool = True, default: float = 0.5, **own: float) -> Checkpoint:
    created = Checkpoint.objects.create(
        name=name,
        digest=hashlib.sha256(name.encode()).hexdigest(),
        system="deterministic",
        path="",
        floor=0.05,
        thresholds={"default": default} | own,
    )
    if active:
        activate(created)
    return created


def activate(created: Checkpoint) -> None:
    Deployment.objects.filter(active=True).update(active=False)
    Deployment.objects.create(checkpoint=created)


def post(text: str, link: str = "", **fields: object) -> Post:
    link = link or f"https://news.example/{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    created = Post.objects.create(link=link, published_at=PUBLISHED, seen_at=PUBLISHED, **fields)
    edit(created, text)
    return created


def edit(changed: Post, text: str) -> PostVersion:
    """A new version of the post's text, with a due reading of the deployed checkpoint."""
    version = PostVersion.objects.create(
        post=changed,
        ordinal=changed.versions.count() + 1,
        text=text,
        title_end=text.find("\n\n") if "\n\n" in text else 0,
        language="en",
        text_hash=hashlib.sha256(text.encode()).hexdigest(),
        fetched_at=timezone.now(),
    )
    changed.current_version = version
    changed.save(update_fields=["current_version"])
    deployment = Deployment.objects.filter(active=True).first()
    if deployment is not None:
        Reading.objects.create(version=version, checkpoint=deployment.checkpoint, due_at=timezone.now())
    return version


def extraction(text: str, names: Iterable[Name], specs: Iterable[RelationSpec] = (), id: str = "") -> Extraction:
    """Each name at every place of the text; each relation between the first places of its ends."""
    spans = [(place, place + len(name), kind) for name, kind in names for place in _places(text, name)]
    first = {text[start:end]: index for index, (start, end, _) in reversed(list(enumerate(spans)))}
    mentions = tuple(ExtractedMention(start, end, kind, 0.9) for start, end, kind in spans)
    relations = tuple(
        Relation(first[item[0]], first[item[2]], item[1], item[3] if len(item) == 4 else 0.9) for item in specs
    )
    return Extraction(id=id, text=text, language="en", mentions=mentions, relations=relations)


def deal(factuality: Factuality = "alleged") -> Extraction:
    """Of DEAL, with resolved coreference: a purchase with claimant, time and sum, and a lawsuit that is denied."""
    kinds = ("organization", "organization", "number", "time", "person", "person", "organization")
    called = ("Facebook", "WhatsApp", "$19 billion", "March", "Zoe", "Ann", "")
    words = (*called[:5], "It", "Ann", "plans")
    meant = (0, 1, 2, 3, 4, 0, 5, 6)
    mentions = tuple(
        ExtractedMention(at, at + len(one), kinds[of], 0.9, "pronoun" if one == "It" else "name", of)
        for one, of in zip(words, meant, strict=True)
        for at in [DEAL.index(one)]
    )
    qualifiers = {"factuality": factuality, "by": 4, "when": When(3, *MARCH), "amount": Amount(2, 19e9, "USD")}
    relations = (
        Relation(0, 1, "acquired", 0.9, **qualifiers),  # type: ignore[arg-type]
        Relation(5, 6, "sued", 0.9, factuality="denied"),
        Relation(7, 1, "acquired", 0.9),
        Relation(0, 5, "subsidiary", 0.9),
    )
    entities = tuple(map(ExtractedEntity, kinds, called))
    return Extraction("x", DEAL, "en", mentions=mentions, relations=relations, entities=entities)


def read(what: Post, names: Iterable[Name], relations: Iterable[RelationSpec] = ()) -> bool:
    """Claim the reading of the post's current version, and record these mentions and relations."""
    claimed = claim_of(what)
    return recorder.record(claimed, extraction(claimed.document.text, names, relations))


def claim_of(what: Post) -> Claimed:
    """The claim on the post's due reading; the others that were due are released."""
    claims = readings_queue.claim("test", 100)
    mine = [claimed for claimed in claims if claimed.document.id == str(what.public_id)]
    readings_queue.release([claimed for claimed in claims if claimed not in mine])
    assert len(mine) == 1, f"{len(mine)} readings of this post are due"
    return mine[0]


def entity(name: str) -> Entity:
    return Entity.objects.get(label=name)


def settle() -> None:
    """Mark every graph update as done, as a projector does."""
    for unit in Projection.objects.all():
        Projection.objects.filter(pk=unit.pk).update(done=unit.wanted)


class MemoryStore:
    """A store that keeps the units that it was given, by key; it refuses those that its test lists."""

    def __init__(self) -> None:
        self.units: dict[UUID, Unit] = {}
        self.refuse: set[UUID] = set()
        self.down = False
        self.requests = 0
        self.fence = 0
        self.shows_support = False
        self.named = ""

    def identity(self) -> str:
        if self.down:
            raise StoreUnavailable("the store is down")
        return self.named

    def set_identity(self, identity: str) -> None:
        self.named = identity

    def replace(self, units: Sequence[Unit]) -> None:
        self.requests += 1
        if self.down:
            raise StoreUnavailable("the store is down")
        if self.refuse & {unit.key for unit in units}:
            raise StoreRefused("malformed")
        self.units |= {unit.key: unit for unit in units}

    def clear(self, earlier_base: str = "") -> None:
        self.units.clear()


def project(store: MemoryStore | None = None) -> projector.Projected:
    """Run the projector until nothing is due."""
    return projector.run("rdf", opened=store or MemoryStore())


def marked() -> set[tuple[str, str]]:
    """(kind, name) of the stale graph updates; posts by link, statements as `head relation tail`."""
    found = set()
    for unit in stale(store_names()[0]):
        if unit.kind == "post":
            found.add(("post", Post.objects.get(public_id=unit.key).link))
        elif unit.kind == "entity":
            found.add(("entity", Entity.objects.get(public_id=unit.key).label))
        else:
            found.add(("statement", str(Statement.objects.get(public_id=unit.key))))
    return found


def supported_triples() -> set[tuple[str, str, str]]:
    """The supported triples, by the labels of the entities that stand for their ends; each once."""
    labels = dict(Entity.objects.values_list("pk", "label"))
    triples = current.supported_statements().values_list("head_now", "relation", "tail_now")
    return {(labels[head], relation, labels[tail]) for head, relation, tail in triples}


def _places(text: str, name: str) -> Sequence[int]:
    places, place = [], text.find(name)
    while place >= 0:
        places.append(place)
        place = text.find(name, place + 1)
    assert places, f"{name!r} is not in the text"
    return places
