"""The pictures on the page of a post: regions in place, statements linked to them, scene graph and attention."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from PIL import Image

from extraction.images import detection
from extraction.models import Post, PostImage, Reading, RegionSet
from extraction.readings import queue as readings_queue
from extraction.schema import EvidencePart, ExtractedMention, Extraction, Relation, WeightGrid
from extraction.vision.image_analysis import ImageAnalyser
from knowledge.models import Assertion, Evidence
from knowledge.recording import recorder
from knowledge.recording.row_plan import Unplannable
from knowledge.views.posts import scene_graph
from tests.extraction.images.broken_images import rotated, written
from tests.extraction.images.broken_images import scene as drawn
from tests.extraction.images.test_detection import shown
from tests.extraction.vision.test_image_analysis import Fake
from tests.factories import make_checkpoint, make_post, make_user
from tests.markup import markup

pytestmark = pytest.mark.django_db

TEXT = "Ada walks a dog in London."
ADA, LONDON = ExtractedMention(0, 3, "person", 0.9), ExtractedMention(19, 25, "location", 0.9)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT, settings.FEATURES_ROOT = tmp_path / "media", tmp_path / "features"


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(make_user("editor"))
    return client


def read(post: Post, extraction: dict[str, Any] | None = None, **relation: Any) -> Reading:
    """Analyse the post with its pictures: one statement with regions 0 (60 %) and 1 as evidence.

    With `given` in `extraction`, the reading refers to the pictures by their hashes.
    """
    assert post.current_version is not None
    Reading.objects.create(version=post.current_version, checkpoint=make_checkpoint(), due_at=timezone.now())
    [claimed] = detection.with_pictures(readings_queue.claim("test", 1), ImageAnalyser(Fake()))
    parts = tuple(EvidencePart("region", {"region": place}, 0.6 - 0.3 * place) for place in (0, 1))
    values: dict[str, Any] = {"score": 0.8, "evidence": parts, "without_image": 0.2} | relation
    one = Relation(0, 1, "residence", **values)
    grids = (
        WeightGrid("region", ((0, 3), (19, 25)), ((0.9, 0.1), (0.2, 0.8)), columns=(0, 1)),
        WeightGrid("patch", ((0, 3),), ((0.1, 0.2, 0.3, 0.4),), image=0, wide=2),
    )
    document = claimed.document
    fields: dict[str, Any] = {"regions": document.regions, "scene": document.scene, "grids": grids} | (extraction or {})
    if "used_images" in fields:
        fields["contents"] = document.contents
    extracted = Extraction(*(document.id, TEXT, "en", (ADA, LONDON), (one,)), **fields)
    assert recorder.record(claimed, extracted)
    post.refresh_from_db()
    return Reading.objects.get(pk=claimed.reading_id)


@pytest.fixture
def walk() -> Post:
    post = make_post(TEXT)
    shown(post, rotated(6), caption="Ada and a dog")
    return post


def page(client: Client, post: Post) -> str:
    return markup(client.get(f"/posts/{post.public_id}/"))


def test_boxes_lie_on_the_page_where_they_lie_in_the_upright_picture(editor: Client, walk: Post) -> None:
    read(walk)
    image = walk.images.get()
    html = page(editor, walk)
    assert (image.width, image.height) == (120, 160), "the file is stored lying"
    assert 'viewBox="0 0 120 160"' in html and 'width="120" height="160"' in html
    key = f"{image.pk}-0"
    assert f'data-region="{key}" x="12.0" y="16.0" width="36.0" height="128.0"' in html
    with Image.open(Path(detection.settings.MEDIA_ROOT) / image.thumbnail) as small:
        assert small.width / small.height == pytest.approx(image.width / image.height, abs=0.01)


def test_a_statement_names_the_regions_that_support_it(editor: Client, walk: Post) -> None:
    read(walk)
    image = walk.images.get()
    html = page(editor, walk)
    assert f'data-regions="{image.pk}-0 {image.pk}-1"' in html
    assert "only with the picture" in html and "20 % without it" in html
    stored = list(Evidence.objects.order_by("-weight").values_list("kind", "reference", "weight"))
    assert stored[0] == (
        "region",
        {"region": 0, "box": [0.1, 0.1, 0.3, 0.8], "class": "person", "image": 0, "score": 0.9},
        0.6,
    )
    assert Assertion.objects.get().score_without_image == 0.2


@pytest.mark.parametrize(
    ("score", "without", "message"),
    [(0.8, 0.6, "raised by the picture"), (0.6, 0.8, "lowered by the picture"), (0.8, 0.799, ""), (0.8, None, "")],
)
def test_the_effect_of_the_picture_is_shown(
    editor: Client, walk: Post, score: float, without: float | None, message: str
) -> None:
    read(walk, score=score, without_image=without)
    html = page(editor, walk)
    assert message in html
    assert ("by the picture" in html) == bool(message) and "only with the picture" not in html


def test_a_region_that_a_later_detector_does_not_find_is_still_drawn(editor: Client, walk: Post) -> None:
    read(walk)
    RegionSet.objects.update(regions=[{"box": [0.5, 0.5, 0.1, 0.1], "class": "cup", "score": 0.5}], scene=[])
    html = page(editor, walk)
    image = walk.images.get()
    assert f'data-region="{image.pk}-e1" x="12.0" y="16.0" width="36.0" height="128.0"' in html
    assert f'data-regions="{image.pk}-e1 {image.pk}-e2"' in html


def test_evidence_of_a_missing_region_is_refused(walk: Post) -> None:
    with pytest.raises(Unplannable, match="rests on region 7, and the pictures have 2"):
        read(walk, evidence=(EvidencePart("region", {"region": 7}, 1.0),))


def test_scene_matrix_and_heat_map_are_drawn(editor: Client, walk: Post) -> None:
    read(walk)
    html = page(editor, walk)
    assert 'aria-label="Scene graph: 1 person — near → 2 dog' in html
    assert '<table class="matrix">' in html and '<td class="w9" title="90 %">' in html
    assert "Attention of “<bdi>Ada</bdi>”" in html
    assert "Words and regions side by side" in html
    assert re.search(r'1 person <span class="number">90 %</span></button>\s*<span class="quiet">— near →</span>', html)
    assert html.count('class="heat"') == 1 and 'fill-opacity="0.75"' in html


def second(post: Post) -> PostImage:
    return shown(post, written(drawn(300, 200), "PNG"), "https://cdn.example/second.png", position=1)


def test_regions_of_several_pictures_are_distinguished(editor: Client, walk: Post) -> None:
    lead, other = walk.images.get(), second(walk)
    parts = tuple(EvidencePart("region", {"region": place}, 0.5) for place in (1, 2))
    words = WeightGrid("region", ((0, 3), (19, 25)), ((0.1, 0.9), (0.8, 0.2)), columns=(1, 2))
    read(walk, {"takes": "regions", "used_images": (0, 1), "grids": (words,)}, evidence=parts)
    html = page(editor, walk)
    assert f'data-regions="{lead.pk}-1 {other.pk}-0"' in html
    assert '<span class="tag">Picture 2</span>' in html
    assert "2 dog, picture 1 <span" in html and "1 person, picture 2 <span" in html
    assert f'<th scope="col" data-region="{other.pk}-0">1 person, picture 2</th>' in html
    assert "The reader uses" not in html
    # The pair has no relation: a scene graph never covers regions of two pictures.
    assert re.search(r"1 person, picture 2 <span[^>]*>90 %</span></button>\s*<span class=\"quiet\">and</span>", html)


def test_a_picture_that_the_reader_did_not_use_is_marked(editor: Client, walk: Post) -> None:
    lead, other = walk.images.get(), second(walk)
    read(walk, {"takes": "leading", "used_images": (0,)})
    html = page(editor, walk)
    assert html.count("The reader uses only the lead picture") == 1
    assert html.index(f'id="p{other.pk}"') < html.index("The reader uses only the lead picture")
    assert Reading.objects.get().results["pictures"] == {"takes": "leading", "given": [lead.sha256]}


def test_attention_stays_with_its_regions_when_a_later_detector_renumbers_them(editor: Client, walk: Post) -> None:
    read(walk)
    row = RegionSet.objects.get()
    cup = {"box": [0.5, 0.5, 0.1, 0.1], "class": "cup", "score": 0.99}
    row.regions, row.scene = [cup, row.regions[1]], []
    row.save()
    html = page(editor, walk)
    image = walk.images.get()
    head = html[html.index('<table class="matrix">') :]
    columns = re.findall(r'<th scope="col" data-region="([^"]*)">([^<]*)</th>', head)
    # The person is evidence of the statement, so it is added again; the dog has a new number.
    assert columns == [(f"{image.pk}-e2", "3 person"), (f"{image.pk}-1", "2 dog")]
    Evidence.objects.all().delete()
    html = page(editor, walk)
    head = html[html.index('<table class="matrix">') :]
    assert '<th scope="col" data-region="">person</th>' in head and "cup</th>" not in head


def test_the_same_photograph_elsewhere_is_named(editor: Client) -> None:
    photo = drawn(900, 600)
    mine, other, mirrored = make_post("Mine"), make_post("Another paper's"), make_post("A mirror image")
    shown(mine, written(photo, "JPEG"))
    shown(other, written(photo.resize((450, 300)), "JPEG", quality=50))
    shown(mirrored, written(photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "JPEG"))
    html = page(editor, mine)
    assert re.search(rf'appears in: <a href="/posts/{other.public_id}/"', html)
    assert str(mirrored.public_id) not in html
    Post.objects.filter(pk=other.pk).update(state=Post.State.WITHDRAWN)
    assert "The same photograph" not in page(editor, mine)


def test_errors_of_a_picture_are_shown(editor: Client, walk: Post) -> None:
    image = walk.images.get()
    row = RegionSet.objects.create(
        sha256=image.sha256, detector="fake", error="The detector failed.", seen_at=timezone.now()
    )
    assert "The detector failed." in page(editor, walk)
    row.error = ""
    row.save()
    assert "found no known objects in this picture" in page(editor, walk)
    PostImage.objects.update(file="", thumbnail="", let_go_at=timezone.now() - timedelta(days=1))
    assert "was deleted on" in page(editor, walk)


def test_queries_do_not_grow_with_pictures_and_regions(editor: Client, walk: Post) -> None:
    read(walk)
    page(editor, walk)
    with CaptureQueriesContext(connection) as few:
        page(editor, walk)
    for number in range(3):
        shown(walk, written(drawn(300 + number, 200), "PNG"), f"https://cdn.example/{number}.png", position=number + 1)
    detection.detect_due(ImageAnalyser(Fake()))
    with CaptureQueriesContext(connection) as many:
        html = page(editor, walk)
    assert html.count("<rect data-region") == 8
    assert len(many) == len(few)


# drawings


def test_the_scene_s_nodes_do_not_overlap_and_interactions_come_first() -> None:
    regions = [{"box": [0.1 * place, 0.1, 0.08, 0.5], "class": "person"} for place in range(9)]
    edges = [
        {"subject": a, "object": b, "predicate": "left of", "kind": "spatial", "score": 0.9}
        for a in range(9)
        for b in range(a + 1, 9)
    ]
    edges.append({"subject": 8, "object": 0, "predicate": "holding", "kind": "interaction", "score": 0.3})
    drawing = scene_graph.draw(regions, edges, [str(place) for place in range(9)])
    assert drawing is not None
    assert drawing.sentences[0] == "9 person — holding → 1 person (30 %)"
    assert len(drawing.lines) == scene_graph.MOST_EDGES
    spots = np.array([(node.x, node.y) for node in drawing.nodes])
    apart = np.abs(spots[:, None] - spots[None]) + 1e9 * np.eye(len(spots))[..., None]
    assert ((apart[..., 0] >= scene_graph.NODE_WIDTH - 6) | (apart[..., 1] >= scene_graph.NODE_HEIGHT)).all()
    assert all(node.left >= 0 and node.left + scene_graph.NODE_WIDTH <= scene_graph.WIDTH for node in drawing.nodes)
    assert scene_graph.draw(regions, [], []) is None


def test_boxes_in_the_graph_are_those_of_the_page(walk: Post) -> None:
    from knowledge.graphs import unit_builder
    from knowledge.graphs.rdf import quads as rdf_quads

    read(walk)
    [unit] = unit_builder.posts([walk.public_id])
    quads = {(_value(q.subject).rpartition("/")[2], q.predicate.value, _value(q.object)) for q in rdf_quads.quads(unit)}
    parts = {value for _, predicate, value in quads if predicate.endswith("wasInfluencedBy")}
    assert parts == {
        f"http://kg.example/id/post/{walk.public_id}/picture/0#xywh=percent:{box}"
        for box in ("10,10,30,80", "50,60,20,30")
    }
    assert {value for _, predicate, value in quads if predicate.endswith("scoreWithoutImage")} == {"0.2"}
    fragment = next(iter(parts)).rpartition("/")[2]
    assert (fragment, "https://schema.org/isPartOf", f"http://kg.example/id/post/{walk.public_id}/picture/0") in quads


def _value(term: object) -> str:
    return str(getattr(term, "value", ""))
