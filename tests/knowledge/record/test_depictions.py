"""Depictions in a post's pictures: recorded, reviewed by editors, in the graph as nodes, on the pages."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
import rdflib
from django.test import Client
from django.utils import timezone
from PIL import Image
from pyshacl import validate

from extraction.images import detection
from extraction.models import Post, Reading
from extraction.schema import ExtractedMention, Extraction, Region, Relation
from knowledge.entities import merges
from knowledge.graphs import export, unit_builder
from knowledge.graphs.neo4j import rows as neo4j_rows
from knowledge.graphs.rdf import quads as rdf_quads
from knowledge.management.commands.ontology import SHAPES
from knowledge.models import Depiction, DepictionReview, Entity, Event
from knowledge.ontology import vocabulary
from knowledge.record import depictions, thresholds
from knowledge.record.projection_queue import stale
from knowledge.recording import erasure, recorder
from knowledge.recording.row_plan import Unplannable, plan
from tests import records
from tests.extraction.images.broken_images import rotated
from tests.extraction.images.test_detection import shown
from tests.factories import make_user
from tests.markup import markup

pytestmark = pytest.mark.django_db

TEXT = "Ada walks a dog in London. Ada is happy."
ADA, LONDON, AGAIN = (
    ExtractedMention(0, 3, "person", 0.9),
    ExtractedMention(19, 25, "location", 0.9),
    ExtractedMention(27, 30, "person", 0.8),
)
BOX = (0.1, 0.2, 0.3, 0.4)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT, settings.FEATURES_ROOT = tmp_path / "media", tmp_path / "features"


def recorded_post(*relations: Relation, text: str = TEXT, picture: bool = True) -> Post:
    """A post with a picture, read with these relations of ADA (0), LONDON (1) and the second ADA (2)."""
    post = records.post(text)
    if picture:
        shown(post, rotated(6), caption="Ada")
    read(post, *relations)
    return post


def read(post: Post, *relations: Relation) -> Reading:
    claimed = records.claim_of(post)
    [claimed] = detection.with_pictures([claimed], None)
    mentions = (ADA, LONDON, AGAIN)
    text, contents = claimed.document.text, claimed.document.contents
    regions = tuple(dict.fromkeys(one.tail for one in relations if isinstance(one.tail, Region)))
    found = Extraction("", text, "en", mentions, relations, regions=regions, contents=contents)
    assert recorder.record(claimed, found)
    post.refresh_from_db()
    return Reading.objects.get(pk=claimed.reading_id)


def depicts(
    head: int = 0, box: tuple[float, float, float, float] = BOX, score: float = 0.8, grounded: bool = False
) -> Relation:
    return Relation(head, Region(box, "person", 0.9, grounded=grounded), "depicts", score)


def active(post: Post) -> list[str]:
    return [one.entity.label for one in depictions.of_posts([post.pk]).get(post.pk, []) if one.counts]


@pytest.fixture(autouse=True)
def deployed() -> None:
    records.checkpoint()


def test_it_is_recorded_with_its_place_in_the_picture() -> None:
    post = recorded_post(depicts(), Relation(0, 1, "residence", 0.9))
    row = Depiction.objects.get()
    image = post.images.get()
    assert (row.picture, row.image, row.box, row.label, row.score) == (image.sha256, 0, list(BOX), "person", 0.8)
    assert not row.grounded and (row.mention.start, row.mention.end) == (0, 3)
    assert active(post) == ["Ada"]


def test_a_person_s_region_alone_shows_nobody_until_an_editor_confirms_it(client: Client) -> None:
    """Whatever its confidence: by type and class it is any person, or no person at all."""
    post = recorded_post(depicts(score=0.99, grounded=True))
    assert active(post) == []
    client.force_login(make_user("editor"))
    html = " ".join(markup(client.get(f"/posts/{post.public_id}/")).split())
    assert "possibly shows" in html and "only by type and class: nothing was compared" in html
    assert not [one for one in neo4j_rows.lines(unit(post)) if ":DEPICTS" in one]
    ada = records.entity("Ada")
    assert client.get(f"/entities/{ada.public_id}/").context["frames"] == []
    thresholds.set_active({"default": 0.5, "depicts": 0.0})
    assert active(post) == []
    row = Depiction.objects.get()
    client.post(f"/posts/{post.public_id}/depicted/", {"depiction": str(row.public_id), "verdict": "accept"})
    assert active(post) == ["Ada"]
    assert [one for one in neo4j_rows.lines(unit(post)) if ":DEPICTS" in one]


def test_the_same_reading_gives_the_same_ids() -> None:
    region = Region(BOX, "person", 0.9)
    found = Extraction("", TEXT, "en", (ADA, LONDON, AGAIN), (Relation(0, region, "depicts", 0.8),), regions=(region,))
    given: dict[str, Any] = {"post": UUID(int=1), "ordinal": 1, "digest": "d"}
    [one], [again] = plan(found, **given).depictions, plan(replace(found, contents=("ab",)), **given).depictions
    assert one.public_id == again.public_id and (one.picture, again.picture) == ("", "ab")
    assert plan(found, **given | {"ordinal": 2}).depictions[0].public_id != one.public_id


@pytest.mark.parametrize(
    "relation",
    [
        depicts(box=(0.5, 0.5, 0.9, 0.4)),
        depicts(box=(float("nan"), 0.5, 0.1, 0.4)),
        depicts(score=1.5),
        depicts(head=9),
    ],
)
def test_results_of_no_sound_reader_are_refused(relation: Relation) -> None:
    with pytest.raises(Unplannable):
        recorded_post(relation)


def test_relations_to_objects_without_a_name_state_nothing() -> None:
    recorded_post(replace(depicts(), key="residence"), depicts(score=0.001))
    assert Depiction.objects.count() <= 1
    assert not Depiction.objects.filter(score__gt=0.01).exists()


def test_below_the_threshold_it_is_not_active_until_the_threshold_falls() -> None:
    post = recorded_post(depicts(score=0.4))
    assert active(post) == []
    records.settle()
    thresholds.set_active({"default": 0.5, "depicts": 0.3})
    assert active(post) == ["Ada"]
    assert post.public_id in stale("rdf").filter(kind="post").values_list("key", flat=True)


def test_a_rejected_one_stays_rejected_when_the_post_is_read_again() -> None:
    editor = make_user("editor")
    post = recorded_post(depicts())
    records.settle()
    depictions.review(Depiction.objects.get(), "reject", editor)
    assert active(post) == []
    assert [unit.key for unit in stale("rdf")] == [post.public_id]
    first = Reading.objects.get()
    Reading.objects.create(
        version=first.version, checkpoint=first.checkpoint, inputs="again", due_at=timezone.now() - timedelta(hours=1)
    )
    read(post, depicts(head=2, box=(0.11, 0.2, 0.31, 0.4)))
    assert active(post) == [], "another mention of the same entity, in mostly the same box"
    newest = Depiction.objects.latest("pk")
    depictions.withdraw(newest, editor)
    assert active(post) == ["Ada"]
    assert Event.objects.filter(what="depiction judged").count() == 2


def test_a_verdict_is_about_one_entity_one_part_one_picture() -> None:
    post = recorded_post(depicts(), depicts(head=1), depicts(box=(0.7, 0.2, 0.2, 0.4)))
    one = Depiction.objects.get(mention__start=0, box=list(BOX))
    depictions.review(one, "reject", None)
    assert sorted(active(post)) == ["Ada", "London"]


def test_a_confirmed_one_is_active_whatever_its_score() -> None:
    post = recorded_post(depicts(score=0.2))
    one = Depiction.objects.get()
    depictions.review(one, DepictionReview.Verdict.ACCEPT, None)
    assert active(post) == ["Ada"]
    depictions.review(one, DepictionReview.Verdict.REJECT, None)
    assert active(post) == [] and DepictionReview.objects.filter(withdrawn_at__isnull=True).count() == 1


def test_one_of_an_earlier_reading_cannot_be_judged() -> None:
    post = recorded_post(depicts())
    one = Depiction.objects.get()
    Post.objects.filter(pk=post.pk).update(current_reading=None)
    with pytest.raises(depictions.NothingToJudge, match="analysed again"):
        depictions.review(one, "reject", None)


def test_a_merge_takes_pictures_along() -> None:
    post = recorded_post(depicts())
    ada = records.entity("Ada")
    other = Entity.objects.create(type="person", label="Ada King", key="ada king|person")
    merges.merge(other, [ada], None)
    assert active(post) == ["Ada King"]
    assert [one.entity for one in depictions.of_entities([ada.pk, other.pk])] == [other]


def test_an_erased_post_leaves_none() -> None:
    post = recorded_post(depicts())
    depictions.review(Depiction.objects.get(), "accept", None)
    erasure.erase(post, None)
    assert not Depiction.objects.exists() and not DepictionReview.objects.exists()


# the graphs


def unit(post: Post) -> Any:
    [found] = unit_builder.posts([post.public_id])
    return found


def test_a_part_of_a_picture_is_a_node_that_leads_to_the_entity_and_the_picture() -> None:
    post = recorded_post(depicts(), depicts(head=2), Relation(0, 1, "residence", 0.9))
    quads = list(rdf_quads.quads(unit(post)))
    assert len(quads) == len(set(quads)), "what is streamed back is counted"
    here = f"http://kg.example/id/post/{post.public_id}"
    part, ada = (
        f"{here}/picture/0#xywh=percent:10,20,30,40",
        f"http://kg.example/id/entity/{records.entity('Ada').public_id}",
    )
    triples = {(value(q.subject), value(q.predicate), value(q.object)) for q in quads}
    assert {
        (part, vocabulary.RDF + "type", vocabulary.SCHEMA + "ImageObject"),
        (part, vocabulary.SCHEMA + "isPartOf", f"{here}/picture/0"),
        (f"{here}/picture/0", vocabulary.SCHEMA + "isPartOf", here),
        (part, vocabulary.NAMESPACE + "depicts", ada),
    } <= triples
    named = [s for s, p, o in triples if (p, o) == (vocabulary.RDF + "type", vocabulary.NAMESPACE + "Depiction")]
    assert len(named) == 2 and all((one, vocabulary.SCHEMA + "about", ada) in triples for one in named)
    assert all((one, vocabulary.NAMESPACE + "region", part) in triples for one in named)


def value(term: object) -> str:
    return str(getattr(term, "value", ""))


def test_all_of_it_has_its_shape_and_what_has_not_is_noticed() -> None:
    recorded_post(depicts(), Relation(0, 1, "residence", 0.9))
    depictions.review(Depiction.objects.get(), "accept", None)
    out = io.BytesIO()
    export.write(out, "turtle")
    graph = rdflib.Graph().parse(data=out.getvalue(), format="turtle")
    shapes = rdflib.Graph().parse(SHAPES, format="turtle")
    good, _, report = validate(graph, shacl_graph=shapes)
    assert good, report
    kg = rdflib.Namespace(vocabulary.NAMESPACE)
    [depiction] = graph.subjects(rdflib.RDF.type, kg.Depiction)
    graph.remove((depiction, kg.region, None))
    assert not validate(graph, shacl_graph=shapes)[0]


def test_neo4j_is_sent_the_same() -> None:
    post = recorded_post(depicts(score=0.7), depicts(head=2, score=0.8))
    lines = neo4j_rows.lines(unit(post))
    ada, picture = records.entity("Ada").public_id, f"{post.public_id}/picture/0"
    region = f"{picture}#xywh=percent:10,20,30,40"
    assert f"({post.public_id})-[:SHOWS {{}}]->({picture})" in lines
    assert f"({picture})-[:HAS_REGION {{}}]->({region})" in lines
    assert f'({region})-[:DEPICTS {{"accepted": false, "grounded": false, "score": 0.8}}]->({ada})' in lines
    assert len([line for line in lines if ":PictureRegion" in line]) == 1
    Post.objects.filter(pk=post.pk).update(state=Post.State.WITHDRAWN)
    assert neo4j_rows.lines(unit(post)) == set()


def test_a_page_s_query_for_who_is_shown_needs_no_more_queries_for_more_posts(
    django_assert_max_num_queries: Any,
) -> None:
    posts = [recorded_post(depicts(), text=f"{TEXT} {number}") for number in range(4)]
    with django_assert_max_num_queries(3):
        found = depictions.of_posts([post.pk for post in posts])
    assert len(found) == 4


# the pages


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(make_user("editor"))
    return client


def test_the_post_s_page_shows_whom_a_region_depicts_and_takes_a_verdict(editor: Client) -> None:
    post = recorded_post(depicts(), depicts(box=(0.6, 0.2, 0.3, 0.4), score=0.2))
    image, one = post.images.get(), Depiction.objects.get(score=0.8)
    html = markup(editor.get(f"/posts/{post.public_id}/"))
    assert f'data-regions="{image.pk}-e0"' in html and "below the threshold" in html
    assert 'x="12.0" y="32.0" width="36.0" height="64.0"' in html, "of the upright 120 x 160"
    data = {"depiction": str(one.public_id), "verdict": "reject"}
    response = editor.post(f"/posts/{post.public_id}/depicted/", data, follow=True)
    html = markup(response)
    assert "no longer depicts the entity" in html and "rejected by" in html
    assert active(post) == []
    response = editor.post(f"/posts/{post.public_id}/depicted/", data | {"verdict": "withdraw"}, follow=True)
    assert active(post) == ["Ada"] and "verdict was undone" in response.content.decode()
    response = editor.post(f"/posts/{post.public_id}/depicted/", data | {"verdict": "perhaps"}, follow=True)
    assert "A verdict is accept, reject or withdraw." in response.content.decode()
    gone = editor.post(f"/posts/{post.public_id}/depicted/", {"depiction": "x", "verdict": "reject"})
    assert gone.status_code == 404


def test_the_post_s_page_names_an_entity_once_in_a_region_and_apart_from_whom_it_might_be(editor: Client) -> None:
    """The second mention of Ada has the higher confidence: it is shown. The other region is inactive: it is folded."""
    post = recorded_post(depicts(score=0.7), depicts(head=2, score=0.8), depicts(box=(0.6, 0.2, 0.3, 0.4), score=0.2))
    shows, _, perhaps = markup(editor.get(f"/posts/{post.public_id}/")).partition("Possible people in the picture")
    assert [html.count('class="depiction') for html in (shows, perhaps)] == [1, 1]
    assert f'id="d-{Depiction.objects.get(score=0.8).public_id}"' in shows


def test_an_entity_s_page_frames_it_in_the_pictures_of_it(editor: Client) -> None:
    post = recorded_post(depicts(), depicts(head=2, box=(0.6, 0.2, 0.3, 0.4), score=0.6))
    image = post.images.get()
    page = f"/entities/{records.entity('Ada').public_id}/"
    html = markup(editor.get(page))
    small = f"/posts/{post.public_id}/pictures/{image.pk}/small/"
    assert html.count(small) == 1 and "<h2>Pictures" in html and f"#p{image.pk}" in html
    assert '<rect x="10.00" y="20.00" width="30.00" height="40.00"/>' in html
    with Image.open(io.BytesIO(b"".join(editor.get(small).streaming_content))) as thumbnail:  # type: ignore[attr-defined]
        assert thumbnail.width / thumbnail.height == pytest.approx(image.width / image.height, abs=0.01)
    for each in Depiction.objects.all():
        depictions.review(each, "reject", None)
    assert "<h2>Pictures" not in markup(editor.get(page))


def test_a_picture_s_iri_leads_to_it(editor: Client) -> None:
    post = recorded_post(depicts())
    response = editor.get(f"/id/post/{post.public_id}/picture/0", headers={"accept": "text/html"})
    assert response.status_code == 303 and response["Location"].endswith(
        f"/posts/{post.public_id}/#p{post.images.get().pk}"
    )
    assert editor.get(f"/id/post/{post.public_id}/picture/0", headers={"accept": "text/turtle"})["Location"].endswith(
        "graph.ttl"
    )
    assert editor.get(f"/id/post/{post.public_id}/picture/1").status_code == 404


def test_one_box_is_the_same_place_in_every_size_of_a_turned_picture(editor: Client) -> None:
    """A mark is drawn into the stored file; its box in the upright picture finds it in each copy and in the graph."""
    upright = Image.new("RGB", (900, 1200), (40, 40, 40))
    upright.paste((250, 250, 250), (180, 240, 450, 720))  # x 0.2, y 0.2, width 0.3, height 0.4
    exif = Image.Exif()
    exif[0x0112] = 6
    written = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(written, "JPEG", exif=exif, quality=95)
    post = records.post(TEXT)
    image = shown(post, written.getvalue())
    box = (0.2, 0.2, 0.3, 0.4)
    read(post, depicts(box=box))
    kept = [Path(detection.settings.MEDIA_ROOT) / name for name in (image.file, image.thumbnail)]
    for path in (*kept, detection.reading_copy(image.sha256)):
        with Image.open(path) as copy:
            assert copy.width < copy.height
            x, y, w, h = (share * side for share, side in zip(box, (copy.width, copy.height) * 2, strict=True))
            grey = copy.convert("L")
            inside = grey.crop((round(x + 3), round(y + 3), round(x + w - 3), round(y + h - 3)))
            left, over = grey.crop((0, 0, round(x - 3), copy.height)), grey.crop((0, 0, copy.width, round(y - 3)))
            assert np.asarray(inside).min() > 200 and np.asarray(left).max() < 90 > np.asarray(over).max(), path
    html = markup(editor.get(f"/posts/{post.public_id}/"))
    assert 'viewBox="0 0 900 1200"' in html and 'x="180.0" y="240.0" width="270.0" height="480.0"' in html
    assert any(value(q.subject).endswith("/picture/0#xywh=percent:20,20,30,40") for q in rdf_quads.quads(unit(post)))
