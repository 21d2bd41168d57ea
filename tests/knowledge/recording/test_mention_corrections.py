"""Corrections of mentions: added, changed, deleted, undone, and found again in edited texts and other readings."""

from __future__ import annotations

import pytest

from extraction.models import Post
from extraction.readings import reading_requests
from knowledge.graphs import unit_builder
from knowledge.models import Assertion, Entity, Event, Mention, MentionCorrection, Statement
from knowledge.record import current
from knowledge.recording import mention_corrections, reviews, splits
from knowledge.recording.claims import Change
from knowledge.recording.mention_corrections import ImpossibleMention, MarkedWords
from tests import records

pytestmark = pytest.mark.django_db

TEXT = "News\n\nJacobin wrote that Ann Lee works for Acebush. Lee left Jacobin, an magazine, in March."
NAMES = [("Jacobin", "location"), ("Ann Lee", "person"), ("Acebush", "organization")]
WORKS = ("Ann Lee", "employer", "Acebush")
LIVES = ("Ann Lee", "residence", "Jacobin")


@pytest.fixture
def post() -> Post:
    records.checkpoint()
    made = records.post(TEXT)
    records.read(made, NAMES, [WORKS, LIVES])
    made.refresh_from_db()
    return made


def mention(words: str) -> Mention:
    row = Mention.objects.filter(reading__current_of__isnull=False).select_related("reading__version")
    return next(one for one in row.order_by("start") if one.reading.version.text[one.start : one.end] == words)


def marked(post: Post, words: str, entity_type: str, entity: Entity | None = None) -> MarkedWords:
    start = post.versions.order_by("-ordinal")[0].text.index(words)
    return MarkedWords(start, start + len(words), entity_type, entity)


def graph(post: Post) -> list[object]:
    """Everything that the stores would be given now."""
    statements = list(Statement.objects.order_by("pk").values_list("public_id", flat=True))
    entities = list(Entity.objects.order_by("pk").values_list("public_id", flat=True))
    shown = [one for one in unit_builder.statements(statements, with_support=True) if one.present]
    known = [one for one in unit_builder.entities(entities) if one.content]
    return [*unit_builder.posts([post.public_id]), *shown, *known]


def read_again(post: Post, names: list[records.Name], relations: list[records.RelationSpec]) -> None:
    other = records.checkpoint(f"reader {Mention.everything.count()}", active=False)
    records.activate(other)
    reading_requests.request_missing(other)
    records.read(post, names, relations)
    post.refresh_from_db()


def words_and_types(post: Post) -> set[tuple[str, str, str]]:
    post.refresh_from_db()
    assert post.current_reading
    text = post.current_reading.version.text
    rows = post.current_reading.mentions.select_related("entity")
    return {(text[one.start : one.end], one.type, one.entity.label) for one in rows}


def test_another_type_takes_the_name_and_its_statements_to_another_entity_and_back(post: Post) -> None:
    before = graph(post)
    records.settle()
    given = mention_corrections.change(mention("Jacobin"), marked(post, "Jacobin", "organization"), None)
    [moved] = [edge for edge in current.statements_of(records.entity("Ann Lee")) if edge.relation == "residence"]
    assert (moved.tail.type, moved.tail.label) == ("organization", "Jacobin")
    assert ("statement", "Ann Lee residence Jacobin") in records.marked() and ("post", post.link) in records.marked()
    mention_corrections.withdraw(given, None)
    assert graph(post) == before
    assert [one.what for one in Event.objects.order_by("pk")] == ["mention changed", "correction undone"]


def test_a_correction_is_found_again_in_an_edited_text_and_another_reading(post: Post) -> None:
    mention_corrections.change(mention("Jacobin"), marked(post, "Jacobin", "organization"), None)
    old = post.current_reading
    records.edit(post, TEXT.replace("News\n", "The news of today\n"))
    records.read(post, NAMES, [LIVES])
    assert ("Jacobin", "organization", "Jacobin") in words_and_types(post)
    assert not Mention.everything.filter(reading=old, changed_by__isnull=False).exists(), "as it was extracted"
    read_again(post, NAMES[1:], [])
    assert ("Jacobin", "organization", "Jacobin") in words_and_types(post), "this reader does not find it at all"
    records.edit(post, "News\n\nAnn Lee works.")
    records.read(post, [NAMES[1]])
    assert MentionCorrection.objects.get().lost
    records.edit(post, TEXT)
    records.read(post, NAMES)
    assert not MentionCorrection.objects.get().lost
    assert ("Jacobin", "organization", "Jacobin") in words_and_types(post)


def test_a_deleted_mention_takes_its_statements_out_of_the_graph(post: Post) -> None:
    before = graph(post)
    given = mention_corrections.delete(mention("Jacobin"), None, "no place")
    assert records.supported_triples() == {WORKS}
    assert given.kind == "mention deleted" and given.words == "Jacobin"
    read_again(post, NAMES, [WORKS, LIVES])
    assert records.supported_triples() == {WORKS}
    assert Assertion.everything.filter(removed=True).count() == 1
    mention_corrections.withdraw(given, None)
    assert records.supported_triples() == {WORKS, LIVES}
    assert len(graph(post)) == len(before)


def test_selected_words_become_a_mention_of_what_their_name_leads_to(post: Post) -> None:
    given = mention_corrections.add(post, marked(post, "March", "time"), None)
    assert ("March", "time", "March") in words_and_types(post)
    read_again(post, NAMES, [])
    assert ("March", "time", "March") in words_and_types(post)
    mention_corrections.withdraw(given, None)
    assert "March" not in {words for words, *_ in words_and_types(post)}


def test_a_mention_can_mean_a_chosen_entity_without_giving_it_a_name(post: Post) -> None:
    ann = records.entity("Ann Lee")
    start = TEXT.index("Lee left")
    mention_corrections.add(post, MarkedWords(start, start + 3, "person", ann), None)
    assert ("Lee", "person", "Ann Lee") in words_and_types(post)
    assert set(ann.names.values_list("name", flat=True)) == {"Ann Lee"}


def test_a_span_is_changed_with_the_entity_that_it_names(post: Post) -> None:
    mention_corrections.change(mention("Ann Lee"), marked(post, "Ann", "person"), None)
    assert ("Ann", "person", "Ann") in words_and_types(post)
    assert ("Ann", "employer", "Acebush") in records.supported_triples()


def test_a_second_correction_replaces_the_first_and_its_undo_gives_that_back(post: Post) -> None:
    first = mention_corrections.change(mention("Jacobin"), marked(post, "Jacobin", "organization"), None)
    second = mention_corrections.change(mention("Jacobin"), marked(post, "Jacobin", "group"), None)
    assert ("Jacobin", "group", "Jacobin") in words_and_types(post)
    assert second.superseded == first and second.target_type == "location"
    mention_corrections.withdraw(second, None)
    assert ("Jacobin", "organization", "Jacobin") in words_and_types(post)


def test_verdicts_own_claims_and_splits_go_along(post: Post) -> None:
    before = graph(post)
    accepted = reviews.review(post, Statement.objects.get(relation="residence"), "accept", None)
    ends = (mention("Ann Lee"), mention("Jacobin"))
    own = reviews.add(post, ends, Change(relation="place_of_birth"), None)
    given = mention_corrections.change(mention("Ann Lee"), marked(post, "Ann Lee", "person", _other("Eva Lee")), None)
    assert ("Eva Lee", "residence", "Jacobin") in records.supported_triples()
    assert ("Eva Lee", "place_of_birth", "Jacobin") in records.supported_triples()
    split = splits.split(records.entity("Eva Lee"), [post], None, None)
    assert {edge.relation for edge in current.statements_of(split.target)} == {
        "employer",
        "residence",
        "place_of_birth",
    }
    splits.undo(split, None)
    mention_corrections.withdraw(given, None)
    reviews.withdraw_review(own, None)
    accepted.refresh_from_db()
    reviews.withdraw_review(accepted, None)
    assert graph(post) == before


def _other(name: str) -> Entity:
    return Entity.objects.create(type="person", label=name, key=f"{name.lower()}|person")


@pytest.mark.parametrize(
    ("start", "end", "entity_type"), [(3, 3, "person"), (0, 9000, "person"), (6, 13, "demon"), (2, 9, "person")]
)
def test_what_is_no_mention_is_refused(post: Post, start: int, end: int, entity_type: str) -> None:
    with pytest.raises(ImpossibleMention):
        mention_corrections.add(post, MarkedWords(start, end, entity_type), None)
    assert not MentionCorrection.objects.exists()
