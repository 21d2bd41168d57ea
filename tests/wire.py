"""A post of news, read: with plans, allegations, denials, times, amounts, nominals and pronouns."""

from __future__ import annotations

from datetime import UTC, date, datetime

from django.utils import timezone

from extraction.models import Post, Reading
from extraction.readings import queue as readings_queue
from extraction.schema import Amount, ExtractedEntity, ExtractedMention, Extraction, Form, Relation, When
from knowledge.recording import recorder
from tests.factories import deployed, make_post

TITLE = "Acme to buy Bolt for $2 billion"
BODY = """Acme, a maker of bicycles, has agreed to buy Bolt for $2 billion in March. The company was founded in 1901 \
in Turin.

Kenya says that Uganda attacked Mombasa on Sunday. Uganda denied that it had attacked Mombasa.

Ada Obi leads Acme. She met Kofi Mensah on Sunday. Acme has never sued Bolt."""
MONTH, SUNDAY = (date(2026, 3, 1), date(2026, 3, 31)), (date(2026, 3, 1), date(2026, 3, 1))

ENTITIES = {
    "Acme": "organization",
    "Bolt": "organization",
    "Turin": "location",
    "Kenya": "location",
    "Uganda": "location",
    "Mombasa": "location",
    "Ada Obi": "person",
    "Kofi Mensah": "person",
    "$2 billion": "number",
    "March": "time",
    "1901": "time",
    "Sunday": "time",
}
# The words, or their n-th place; their entity; their form.
MENTIONS: tuple[tuple[str, str, Form], ...] = (
    ("Acme#2", "Acme", "name"),
    ("Bolt#2", "Bolt", "name"),
    ("$2 billion#2", "$2 billion", "name"),
    ("March", "March", "name"),
    ("company", "Acme", "nominal"),
    ("1901", "1901", "name"),
    ("Turin", "Turin", "name"),
    ("Kenya", "Kenya", "name"),
    ("Uganda", "Uganda", "name"),
    ("Mombasa", "Mombasa", "name"),
    ("Sunday", "Sunday", "name"),
    ("Uganda#2", "Uganda", "name"),
    ("it", "Uganda", "pronoun"),
    ("Mombasa#2", "Mombasa", "name"),
    ("Ada Obi", "Ada Obi", "name"),
    ("Acme#3", "Acme", "name"),
    ("She", "Ada Obi", "pronoun"),
    ("Kofi Mensah", "Kofi Mensah", "name"),
    ("Sunday#2", "Sunday", "name"),
    ("Acme#4", "Acme", "name"),
    ("Bolt#3", "Bolt", "name"),
)
PLACE = {words: place for place, (words, _, _) in enumerate(MENTIONS)}


def relations() -> tuple[Relation, ...]:
    sunday = When(PLACE["Sunday"], *SUNDAY)
    return (
        _relation("Acme#2", "acquired", "Bolt#2", 0.94, factuality="planned",
                  when=When(PLACE["March"], *MONTH), amount=Amount(PLACE["$2 billion#2"], 2e9, "USD")),
        _relation("company", "inception", "1901", 0.91),
        _relation("company", "location_of_formation", "Turin", 0.85),
        _relation("Uganda", "attacked", "Mombasa", 0.88, factuality="alleged", by=PLACE["Kenya"], when=sunday),
        _relation("it", "attacked", "Mombasa#2", 0.82, factuality="denied", by=PLACE["Uganda#2"]),
        _relation("Ada Obi", "leads", "Acme#3", 0.97),
        _relation("Acme#4", "sued", "Bolt#3", 0.8, factuality="denied"),
        _relation("She", "met", "Kofi Mensah", 0.9, when=When(PLACE["Sunday#2"], *SUNDAY)),
    )  # fmt: skip


def _relation(head: str, key: str, tail: str, score: float, **qualifiers: object) -> Relation:
    return Relation(PLACE[head], PLACE[tail], key, score, **qualifiers)  # type: ignore[arg-type]


def read_wire() -> Post:
    """The post, with its reading in the record."""
    post = make_post(TITLE, BODY, published=datetime(2026, 3, 2, 12, tzinfo=UTC))
    version = post.current_version
    assert version is not None
    Reading.objects.create(version=version, checkpoint=deployed(), due_at=timezone.now().replace(year=2000))
    [claimed] = readings_queue.claim("wire", 1)
    extraction = Extraction(
        *(str(post.public_id), version.text, "en"),
        mentions=tuple(_mention(version.text, *mention) for mention in MENTIONS),
        relations=relations(),
        entities=tuple(ExtractedEntity(kind, name) for name, kind in ENTITIES.items()),
    )
    assert recorder.record(claimed, extraction)
    post.refresh_from_db()
    return post


def _mention(text: str, words: str, entity: str, form: Form) -> ExtractedMention:
    sought, _, nth = words.partition("#")
    start = -1
    for _ in range(int(nth or 1)):
        start = text.index(sought, start + 1)
    return ExtractedMention(start, start + len(sought), ENTITIES[entity], 0.95, form, list(ENTITIES).index(entity))
