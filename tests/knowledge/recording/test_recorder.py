"""Recording: what is planned, written once, and marked; across edits, other checkpoints and erasure."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from extraction.models import Post, Reading
from extraction.readings import queue as readings_queue
from extraction.readings import reading_requests
from extraction.schema import Amount, Declined, ExtractedMention, Extraction, Region, Relation, When
from knowledge.models import Assertion, Entity, EntityName, Evidence, Link, Projection, Statement
from knowledge.record import current, projection_queue
from knowledge.recording import bulk_insert, erasure, recorder
from tests import records
from tests.records import PUBLISHED

pytestmark = pytest.mark.django_db

TEXT = "Couple honoured\n\nMarie Curie married Pierre Curie. She was born in Warsaw."
NAMES = [("Marie Curie", "person"), ("Pierre Curie", "person"), ("Warsaw", "location")]
TRIPLES = [("Marie Curie", "spouse", "Pierre Curie"), ("Marie Curie", "place_of_birth", "Warsaw")]


def planned(extraction: Extraction) -> recorder.Record:
    return recorder.plan(extraction, post=uuid.UUID(int=1), ordinal=1, digest="d")


def test_a_plan_is_data_alone_and_the_same_each_time() -> None:
    extraction = records.extraction(TEXT, NAMES, TRIPLES)
    plan = planned(extraction)
    assert plan == planned(extraction)
    assert [(mention.name, mention.key) for mention in plan.mentions] == [
        ("Marie Curie", "marie curie|person"),
        ("Pierre Curie", "pierre curie|person"),
        ("Warsaw", "warsaw|location"),
    ]
    assert len({assertion.public_id for assertion in plan.assertions}) == 2
    other = recorder.plan(extraction, post=uuid.UUID(int=1), ordinal=2, digest="d")
    assert not {a.public_id for a in plan.assertions} & {a.public_id for a in other.assertions}


def test_what_was_read_twice_is_planned_once_with_the_higher_score() -> None:
    mentions = (
        ExtractedMention(0, 5, "person", 0.4),
        ExtractedMention(0, 5, "person", 0.8),
        ExtractedMention(6, 9, "person", 0.5),
    )
    relations = (Relation(0, 2, "child", 0.3), Relation(1, 2, "child", 0.6), Relation(0, 1, "spouse", 0.9))
    plan = planned(Extraction("x", "Alice Bob", mentions=mentions, relations=relations))
    assert [mention.score for mention in plan.mentions] == [0.8, 0.5]
    assert [(a.head, a.relation, a.tail, a.score) for a in plan.assertions] == [(0, "child", 1, 0.6)]


def test_a_relation_to_a_region_has_no_statement() -> None:
    relation = Relation(0, Region((0, 0, 1, 1)), "spouse", 0.9)
    plan = planned(Extraction("x", "Alice", mentions=(ExtractedMention(0, 5, "person"),), relations=(relation,)))
    assert plan.assertions == ()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"mentions": (ExtractedMention(0, 99, "person"),)}, "spans 0-99"),
        ({"mentions": (ExtractedMention(3, 3, "person"),)}, "spans 3-3"),
        ({"mentions": (ExtractedMention(0, 5, "robot"),)}, "type 'robot'"),
        ({"mentions": (ExtractedMention(0, 5, "person", float("nan")),)}, "score is nan"),
        ({"relations": (Relation(0, 7, "spouse"),)}, "mention 7"),
        ({"relations": (Relation(0, 1, "adores"),)}, "called 'adores'"),
        ({"relations": (Relation(0, 1, "spouse", 1.5),)}, "score is 1.5"),
    ],
)
def test_a_broken_extraction_is_refused_with_a_sentence(changes: dict[str, object], sentence: str) -> None:
    sound = Extraction("x", "Alice Bob", mentions=(ExtractedMention(0, 5, "person"), ExtractedMention(6, 9, "person")))
    with pytest.raises(recorder.Unplannable, match=sentence):
        planned(dataclasses.replace(sound, **changes))  # type: ignore[arg-type]


def test_a_reading_is_recorded_once_and_becomes_current() -> None:
    records.checkpoint()
    post = records.post(TEXT)
    claimed = records.claim_of(post)
    extraction = records.extraction(TEXT, NAMES, TRIPLES)
    assert recorder.record(claimed, extraction)
    assert not recorder.record(claimed, extraction), "the lease was used up"
    post.refresh_from_db()
    assert post.current_reading is not None and post.current_reading.stage == Reading.Stage.DONE
    assert Assertion.objects.count() == 2
    assert records.supported_triples() == set(TRIPLES)
    assert records.marked() == {
        ("post", post.link),
        ("entity", "Marie Curie"),
        ("entity", "Pierre Curie"),
        ("entity", "Warsaw"),
        ("statement", "Marie Curie spouse Pierre Curie"),
        ("statement", "Marie Curie place_of_birth Warsaw"),
    }


def test_qualifiers_of_an_assertion_are_recorded_with_it() -> None:
    records.checkpoint()
    claimed = records.claim_of(records.post(records.DEAL))
    assert recorder.record(claimed, records.deal())
    bought, sued = Assertion.objects.order_by("relation")
    assert str(bought.statement) == "Facebook acquired WhatsApp" and bought.factuality == "alleged"
    assert bought.claimant is not None and bought.claimant.entity == records.entity("Zoe")
    assert (bought.when_words, bought.when_earliest, bought.when_latest) == ("March", *records.MARCH)
    assert (bought.amount_words, bought.amount_value, bought.amount_unit) == ("$19 billion", 19e9, "USD")
    assert (sued.factuality, sued.claimant, sued.when_words, sued.amount_value) == ("denied", None, "", None)
    assert str(sued.statement) == "Facebook sued Ann" and sued.head_mention.form == "pronoun"
    assert records.supported_triples() == {("Facebook", "acquired", "WhatsApp")}
    assert [str(one.statement) for one in current.denials()] == ["Facebook sued Ann"]
    assert set(EntityName.objects.filter(entity__label="Facebook").values_list("name", flat=True)) == {"Facebook"}


def test_values_are_rows_that_are_never_linked() -> None:
    records.checkpoint()
    recorder.record(records.claim_of(records.post(records.DEAL)), records.deal())
    assert Entity.objects.get(type="time").key == "2014-03|time"
    linked = set(Link.objects.values_list("entity__label", flat=True))
    assert linked == {"Facebook", "WhatsApp", "Zoe", "Ann"}


def test_an_assertion_keeps_its_id_whatever_its_qualifiers() -> None:
    given = records.deal()
    stated = dataclasses.replace(given, relations=(Relation(0, 1, "acquired", 0.9), *given.relations[1:]))
    assert [one.public_id for one in planned(given).assertions] == [one.public_id for one in planned(stated).assertions]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"factuality": "hoped"}, "is 'hoped'"),
        ({"by": 9}, "mention 9"),
        ({"when": When(9)}, "mention 9"),
        ({"amount": Amount(-1)}, "mention -1"),
        ({"amount": Amount(2, float("inf"))}, "amount is inf"),
        ({"when": When(3, records.MARCH[1], records.MARCH[0])}, "ends before"),
    ],
)
def test_a_broken_account_of_an_assertion_is_refused(changes: dict[str, Any], sentence: str) -> None:
    given = records.deal()
    broken = dataclasses.replace(given.relations[0], **changes)
    with pytest.raises(recorder.Unplannable, match=sentence):
        planned(dataclasses.replace(given, relations=(broken,)))


@pytest.mark.parametrize(("entity", "sentence"), [(7, "entity 7"), (-1, "entity -1")])
def test_a_mention_of_no_entity_is_refused(entity: int, sentence: str) -> None:
    given = records.deal()
    broken = dataclasses.replace(given.mentions[0], entity=entity)
    with pytest.raises(recorder.Unplannable, match=sentence):
        planned(dataclasses.replace(given, mentions=(broken, *given.mentions[1:])))


def test_a_lost_lease_records_nothing() -> None:
    records.checkpoint()
    post = records.post(TEXT)
    claimed = records.claim_of(post)
    Reading.objects.update(lease_token="somebody else's")
    assert not recorder.record(claimed, records.extraction(TEXT, NAMES, TRIPLES))
    assert not Entity.objects.exists() and not Projection.objects.exists()


def test_a_failure_while_recording_leaves_nothing_and_the_reading_due(monkeypatch: pytest.MonkeyPatch) -> None:
    records.checkpoint()
    post = records.post(TEXT)
    claimed = records.claim_of(post)
    monkeypatch.setattr(recorder, "_make_current", lambda moves: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        recorder.record(claimed, records.extraction(TEXT, NAMES, TRIPLES))
    assert not Entity.objects.exists() and not Statement.objects.exists()
    row = Reading.objects.get()
    assert (row.stage, row.lease_token) == (Reading.Stage.READ, claimed.token)


def test_a_batch_is_recorded_together_and_one_bad_post_delays_no_other() -> None:
    records.checkpoint()
    posts = [records.post(f"{TEXT} {number}") for number in range(10)]
    claims = readings_queue.claim("test", 10)
    pairs = [(claimed, records.extraction(claimed.document.text, NAMES, TRIPLES)) for claimed in claims]
    bad = dataclasses.replace(pairs[3][1], mentions=(ExtractedMention(0, 5, "robot"),), relations=())
    pairs[3] = (pairs[3][0], bad)
    pairs[5] = (dataclasses.replace(pairs[5][0], token="not the lease's"), pairs[5][1])
    outcomes = recorder.record_many(pairs)
    assert isinstance(outcomes[3], recorder.Unplannable) and outcomes[5] is False
    assert [outcome for place, outcome in enumerate(outcomes) if place not in (3, 5)] == [True] * 8
    assert Post.objects.filter(current_reading__isnull=False).count() == 8 == len(posts) - 2
    assert Assertion.objects.count() == 16 and Entity.objects.count() == 3 and Statement.objects.count() == 2
    assert current.statements_of(records.entity("Warsaw"))[0].posts == 8


def test_a_row_that_the_database_refuses_delays_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    records.checkpoint()
    for number in range(3):
        records.post(f"{TEXT} {number}")
    claims = readings_queue.claim("test", 3)
    original = recorder._write

    def refuse(items: Any, posts: Any) -> None:
        original(items, posts)
        if any(item.reading.pk == claims[1].reading_id for item in items):
            raise IntegrityError("refused")

    monkeypatch.setattr(recorder, "_write", refuse)
    found = [records.extraction(claimed.document.text, NAMES, TRIPLES) for claimed in claims]
    outcomes = recorder.record_many(list(zip(claims, found, strict=True)))
    assert [outcomes[0], str(outcomes[1]), outcomes[2]] == [True, "refused", True]
    assert Assertion.objects.count() == 4


def test_recording_a_batch_takes_few_queries(django_assert_max_num_queries: Any) -> None:
    """About as many as for one post: what they have in common is looked up once."""
    records.checkpoint()
    for number in range(8):
        records.post(f"{TEXT} {number}")
    claims = readings_queue.claim("test", 8)
    pairs = [(claimed, records.extraction(claimed.document.text, NAMES, TRIPLES)) for claimed in claims]
    with django_assert_max_num_queries(30):
        assert recorder.record_many(pairs) == [True] * 8


def test_evidence_is_kept_with_its_assertion() -> None:
    from extraction.schema import EvidencePart

    records.checkpoint()
    post = records.post("Alice Bob")
    part = EvidencePart("word", {"start": 0, "end": 9}, 0.7)
    mentions = (ExtractedMention(0, 5, "person"), ExtractedMention(6, 9, "person"))
    found = Extraction("x", "Alice Bob", mentions=mentions, relations=(Relation(0, 1, "spouse", 0.9, (part,)),))
    assert recorder.record(records.claim_of(post), found)
    row = Evidence.objects.get()
    assert (row.kind, row.reference, row.weight) == ("word", {"start": 0, "end": 9}, 0.7)


def test_an_entity_under_three_names() -> None:
    records.checkpoint()
    names = ["MALMÖ", "Malmo", "Malmö"]
    for name in names:
        records.read(records.post(f"{name} is a city."), [(name, "location")])
    malmo = Entity.objects.get()
    assert malmo.label == "Malmö"
    assert sorted(malmo.names.values_list("name", flat=True)) == sorted(names)
    assert set(malmo.names.values_list("key", flat=True)) == {"malmo"}


def test_the_label_does_not_depend_on_the_order_of_reading() -> None:
    records.checkpoint()
    for name in ["Malmö", "Malmo", "MALMÖ"]:
        records.read(records.post(f"{name} is a city."), [(name, "location")])
    assert Entity.objects.get().label == "Malmö"


def test_one_name_of_two_types_is_two_entities_and_a_mention_keeps_its_type() -> None:
    records.checkpoint()
    post = records.post("Washington met in Washington.")
    records.read(post, [("Washington", "person"), ("Washington", "location")])
    assert sorted(Entity.objects.values_list("type", flat=True)) == ["location", "person"]
    assert sorted(set(current.mentions().values_list("type", "entity__type"))) == [
        ("location", "location"),
        ("person", "person"),
    ]


def test_a_symmetric_relation_read_both_ways_is_one_statement() -> None:
    records.checkpoint()
    one, other = records.post(TEXT), records.post("Pierre Curie is the husband of Marie Curie.")
    records.read(one, NAMES, [("Marie Curie", "spouse", "Pierre Curie")])
    records.read(other, NAMES[:2], [("Pierre Curie", "spouse", "Marie Curie")])
    statement = Statement.objects.get()
    assert statement.head_id < statement.tail_id
    heads = [assertion.head_mention.entity.label for assertion in Assertion.objects.order_by("pk")]
    assert heads == ["Marie Curie", "Pierre Curie"], "each assertion keeps the order that was read"
    [edge] = current.statements_of(records.entity("Pierre Curie"))
    assert edge.posts == 2


def test_an_edit_that_drops_a_statement() -> None:
    records.checkpoint()
    post = records.post(TEXT)
    records.read(post, NAMES, TRIPLES)
    records.settle()
    records.edit(post, "Couple honoured\n\nMarie Curie married Pierre Curie.")
    assert records.supported_triples() == set(TRIPLES), "until it is read again the last reading stands"
    records.read(post, NAMES[:2], TRIPLES[:1])
    assert records.supported_triples() == {TRIPLES[0]}
    assert ("statement", "Marie Curie place_of_birth Warsaw") in records.marked()
    assert ("entity", "Warsaw") in records.marked()
    assert Assertion.objects.count() == 3, "what was read before is history, not lost"


def test_a_reading_of_an_older_version_is_kept_but_not_current() -> None:
    records.checkpoint()
    post = records.post(TEXT)
    claimed = records.claim_of(post)
    records.edit(post, "Nothing is left.")
    assert recorder.record(claimed, records.extraction(TEXT, NAMES, TRIPLES))
    post.refresh_from_db()
    assert post.current_reading is None and records.supported_triples() == set()


def test_a_re_read_by_another_checkpoint_and_back() -> None:
    first = records.checkpoint("first")
    post = records.post(TEXT)
    records.read(post, NAMES, TRIPLES)
    second = records.checkpoint("second", active=False)
    assert reading_requests.request_missing(second) == 1
    records.read(post, NAMES, TRIPLES[:1])
    assert records.supported_triples() == set(TRIPLES), "a checkpoint that is not deployed reads in the shadow"
    records.activate(second)
    assert recorder.adopt(second) == 1
    assert records.supported_triples() == {TRIPLES[0]}
    records.settle()
    records.activate(first)
    assert reading_requests.request_missing(first) == 0, "what it has read it need not read again"
    assert recorder.adopt(first) == 1
    assert records.supported_triples() == set(TRIPLES)
    assert ("statement", "Marie Curie place_of_birth Warsaw") in records.marked()


def test_a_declined_text_has_a_current_reading_without_statements() -> None:
    records.checkpoint()
    post = records.post(TEXT)
    records.read(post, NAMES, TRIPLES)
    records.edit(post, "Ce texte est en français.")
    declined = Extraction("x", "Ce texte est en français.", declined=Declined("language", "The text is French."))
    recorder.record(records.claim_of(post), declined)
    post.refresh_from_db()
    assert post.current_reading is not None
    assert (post.current_reading.stage, post.current_reading.declined_code) == ("declined", "language")
    assert records.supported_triples() == set()


def test_a_withdrawn_post_supports_nothing_until_it_comes_back() -> None:
    records.checkpoint()
    post = records.post(TEXT)
    records.read(post, NAMES, TRIPLES)
    records.settle()
    Post.objects.update(state=Post.State.WITHDRAWN)
    projection_queue.mark_posts([post])
    assert records.supported_triples() == set() and not current.entities().exists()
    assert len(records.marked()) == 6
    Post.objects.update(state=Post.State.LIVE)
    assert records.supported_triples() == set(TRIPLES)


def test_an_erased_post_leaves_nothing_that_only_it_supported() -> None:
    records.checkpoint()
    post, other = records.post(TEXT), records.post("MARIE CURIE won.")
    records.read(post, NAMES, TRIPLES)
    records.read(other, [("MARIE CURIE", "person")])
    keys = set(Projection.objects.values_list("kind", "key"))
    records.settle()
    erasure.erase(post, None)
    post.refresh_from_db()
    assert (post.state, post.current_version, post.current_reading) == ("erased", None, None)
    assert not post.versions.exists() and not Assertion.objects.exists()
    assert set(Entity.objects.values_list("label", flat=True)) == {"MARIE CURIE", "(erased)"}
    assert list(EntityName.objects.values_list("name", flat=True)) == ["MARIE CURIE"]
    stale = set(projection_queue.stale("rdf").values_list("kind", "key"))
    assert stale == keys - {("post", other.public_id)}, "its statements and entities too"
    records.project()
    assert list(Entity.objects.values_list("label", flat=True)) == ["MARIE CURIE"]
    assert not Statement.objects.exists()
    assert Projection.objects.count() == 3, "two posts and an entity"


def test_samples_go_with_all_that_came_of_them_and_a_story_of_another_feed_stays() -> None:
    from django.utils import timezone

    from extraction.models import Feed, Sighting

    records.checkpoint()
    samples = Feed.objects.create(url="http://127.0.0.1:8000/samples/feed.xml", sample=True)
    own = Feed.objects.create(url="https://news.example/feed")
    sample, shared = records.post(TEXT, sample=True), records.post("Warsaw is a city.")
    for feed, post in [(samples, sample), (samples, shared), (own, shared)]:
        Sighting.objects.create(
            feed=feed, post=post, guid=str(post.pk), first_seen=timezone.now(), last_seen=timezone.now()
        )
    records.read(sample, NAMES, TRIPLES)
    records.read(shared, [("Warsaw", "location")])
    assert erasure.remove_samples() == 1
    assert list(Feed.objects.all()) == [own] and list(Post.objects.all()) == [shared]
    records.project()
    assert list(Entity.objects.values_list("label", flat=True)) == ["Warsaw"]
    assert not Statement.objects.exists()


def test_rows_are_inserted_in_order_and_by_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_insert, "PARAMETERS", 16)
    rows = [(uuid.uuid4(), "person", f"Name {number}", f"key {number}", None, PUBLISHED) for number in range(7)]
    ids = bulk_insert.insert(Entity, ("public_id", "type", "label", "key", "canonical_id", "created_at"), rows)
    assert [Entity.objects.get(pk=pk).label for pk in ids] == [row[2] for row in rows]
    assert Entity.objects.get(pk=ids[0]).created_at == PUBLISHED
    with pytest.raises(IntegrityError), transaction.atomic():
        bulk_insert.insert(Entity, ("public_id", "type", "label", "key", "created_at"), [(*rows[0][:4], PUBLISHED)])


def test_a_part_of_a_longer_name_in_the_same_post_is_that_person() -> None:
    records.checkpoint()
    post = records.post("Angela Merkel spoke. Merkel left with Ann Smith, Bob Smith and another Smith.")
    people = ["Angela Merkel", "Merkel", "Ann Smith", "Bob Smith", "Smith"]
    records.read(post, [(name, "person") for name in people])
    by_name = {name.name: name.entity.label for name in EntityName.objects.select_related("entity")}
    assert by_name["Merkel"] == "Angela Merkel"
    assert by_name["Smith"] == "Smith", "of two it is part of, none is meant"
