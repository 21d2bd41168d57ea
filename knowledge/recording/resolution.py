"""Which entity each mention of an extraction means, as the key by which the record finds or creates it. No Django.

A reader that resolves coreference decides which mentions are one entity; the key is then made of the entity's name and
type. Where its name does not identify it beyond the text, the key has a scope: the post, or for an office the body that
it is an office of. With any other reader, each mention's own words are the name.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

from extraction.schema import ExtractedEntity, ExtractedMention, Extraction, Relation
from knowledge.entities import names
from knowledge.ontology import values

PERSON = "person"
OFFICE_THRESHOLD = 0.5  # confidence from which an office is that of a body
NAMED = frozenset({"person", "organization", "location", "group"})  # a name without any capital is a common noun
_QUOTES = " \"'“”‘’«»(["


@dataclass(frozen=True, slots=True)
class ResolvedMention:
    """The entity that a mention means: its key, type and label, and the name that the mention gives it."""

    key: str
    type: str
    label: str
    name: str


def resolve(extraction: Extraction, post: UUID) -> dict[int, ResolvedMention]:
    """The entity of each mention, by the mention's index; of an entity without a name, mentions are left out.

    The extraction must be one whose indexes are in range.
    """
    return _ArticleEntities(extraction, post).resolved() if extraction.entities else _by_words(extraction)


def _by_words(extraction: Extraction) -> dict[int, ResolvedMention]:
    """Each by its own words; a person's name that is part of one longer name in the text is that person's."""
    words = {place: _words(extraction, one) for place, one in enumerate(extraction.mentions)}
    types = [one.type for one in extraction.mentions]
    longer = names.longer(names.name_key(name) for place, name in words.items() if name and types[place] == PERSON)
    found = {}
    for place, name in words.items():
        if name:
            whole = longer.get(names.name_key(name), name) if types[place] == PERSON else name
            key = names.resolution_key(whole, types[place])
            found[place] = ResolvedMention(key, types[place], name, name)
    return found


def _words(extraction: Extraction, mention: ExtractedMention) -> str:
    return names.shown(extraction.text[mention.start : mention.end])


class _ArticleEntities:
    """An extraction with resolved coreference. A name without an entity in it is an entity of its own."""

    def __init__(self, extraction: Extraction, post: UUID) -> None:
        self._extraction, self._post = extraction, f"post:{post}"
        self._entities = list(extraction.entities)
        self._of_mention: dict[int, int] = {}
        self._mentions: dict[int, list[ExtractedMention]] = defaultdict(list)
        for place, mention in enumerate(extraction.mentions):
            entity = mention.entity
            if entity is None:
                entity = len(self._entities)
                name = _words(extraction, mention) if mention.form == "name" else ""
                self._entities.append(ExtractedEntity(mention.type, name))
            self._of_mention[place] = entity
            self._mentions[entity].append(mention)
        self._bodies = self._offices()
        self._times = self._resolved_times()

    def resolved(self) -> dict[int, ResolvedMention]:
        known = {entity: self._known(entity) for entity in self._mentions if self._name(entity)}
        return {
            place: self._as_named(known[entity], mention)
            for place, mention in enumerate(self._extraction.mentions)
            for entity in [self._of_mention[place]]
            if entity in known and _words(self._extraction, mention)
        }

    def _name(self, entity: int) -> str:
        return names.shown(self._entities[entity].name)

    def _known(self, entity: int) -> ResolvedMention:
        name, kind = self._times.get(entity) or self._name(entity), self._entities[entity].type
        return ResolvedMention(self._key(entity), kind, name, name)

    def _as_named(self, known: ResolvedMention, mention: ExtractedMention) -> ResolvedMention:
        """With the mention's own words for a name, where they name a thing and do not merely refer to it."""
        words = _words(self._extraction, mention)
        own = mention.form == "name" and known.type not in values.VALUE_TYPES
        return ResolvedMention(known.key, known.type, known.label, words if own else known.name)

    def _key(self, entity: int) -> str:
        kind, name = self._entities[entity].type, self._name(entity)
        if time := self._times.get(entity):
            return names.resolution_key(time, kind)
        scope = self._scope(entity, kind, name)
        return names.scoped_key(name, kind, scope) if scope else names.resolution_key(name, kind)

    def _scope(self, entity: int, kind: str, name: str) -> str:
        """Within what the name identifies the entity; "" where it does everywhere."""
        if kind == "role" and (body := self._bodies.get(entity)) is not None:
            return hashlib.sha256(self._key(body).encode()).hexdigest()[:32]
        if kind in values.VALUE_TYPES or kind == "role":
            return self._post
        if kind == "event":
            return "" if self._is_proper(entity, name) else self._post
        return self._post if kind in NAMED and not names.has_capital(name) else ""

    def _is_proper(self, entity: int, name: str) -> bool:
        """Whether the text writes the name as a proper one: a headline or a sentence may begin any word large."""
        key, text = names.name_key(name), self._extraction.text
        own = [one for one in self._mentions[entity] if names.name_key(_words(self._extraction, one)) == key]
        body = text.find("\n\n")
        own = [one for one in own if one.start > body] or own
        if not all(names.is_proper(_words(self._extraction, one)) for one in own) or not names.is_proper(name):
            return False
        return " " in name or not own or not all(_begins_sentence(text, one.start) for one in own)

    def _offices(self) -> dict[int, int]:
        """For each role the body that it is an office of, by the surest relation that says so."""
        best: dict[int, tuple[float, int]] = {}
        for one in self._extraction.relations:
            if one.key == "role_at" and isinstance(one.tail, int) and self._counts(one):
                role, body = self._of_mention[one.head], self._of_mention[one.tail]
                if one.score > best.get(role, (0.0, 0))[0] and self._is_body(body):
                    best[role] = (one.score, body)
        return {role: body for role, (_, body) in best.items()}

    def _counts(self, relation: Relation) -> bool:
        return relation.score >= OFFICE_THRESHOLD and relation.factuality != "denied"

    def _is_body(self, entity: int) -> bool:
        return bool(self._name(entity)) and self._entities[entity].type not in {"role", *values.VALUE_TYPES}

    def _resolved_times(self) -> dict[int, str]:
        found: dict[int, str] = {}
        for one in self._extraction.relations:
            if one.when is not None and (time := values.interval(one.when.earliest, one.when.latest)):
                entity = self._of_mention[one.when.mention]
                if self._entities[entity].type == "time":
                    found.setdefault(entity, time)
        return found


def _begins_sentence(text: str, start: int) -> bool:
    before = text[:start].rstrip(_QUOTES)
    return not before or before[-1] in ".!?:…\n"
