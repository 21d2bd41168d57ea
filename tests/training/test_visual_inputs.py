"""What networks are given of pictures: by the rows of a recipe from a data set's files, and by a live reader."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from PIL import Image

from extraction.features.batch import SELF_LOOP, Batch
from extraction.features.visual_inputs import BOXES, PUBLISHED, VisualInputs, of_before
from extraction.networks.systems import SYSTEMS
from extraction.reader.checkpoint import LoadedCheckpoint, Manifest
from extraction.reader.load import reader_of
from extraction.schema import Candidate, Document, Example, GroundedWords, ImageSources, Region, SceneEdge, WordSpan
from extraction.text.parser import Parser
from extraction.vision import scene_graph
from extraction.vision.focal_frames import GREY
from tests.extraction.reader.test_pair_classifier import TEXT, classifier, composed, pair_checkpoint
from tests.generated import Chain, config, eight, network, prepared, spoken
from tests.tiny import tokenizer
from training.data.preparation import prepare, prepare_examples
from training.data.prepared import Prepared
from training.engine.loop import Run
from training.heads import head_of
from training.recipes import RECIPES

FIXTURES = Path(__file__).parents[1] / "fixtures" / "datasets" / "mnre"
SOURCES = ImageSources("fake-1:10", depth="estimate-1", scene=scene_graph.RULES, features="colours-edges-1@fake-1")


@pytest.fixture(scope="module")
def parser() -> Parser:
    return Parser.load()


@pytest.fixture
def mnre(tmp_path: Path) -> Path:
    """The fixture of MNRE with six samples more, each of a picture with three to five published boxes."""
    folder = tmp_path / "mnre"
    shutil.copytree(FIXTURES, folder)
    first = (folder / "mnre_train.txt").read_text(encoding="utf-8").splitlines()[0]
    lines = [first.replace("pier.jpg", f"p{n}.jpg").replace("'greets'", f"'greets{n}'") for n in range(6)]
    with (folder / "mnre_train.txt").open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    rng, boxes = np.random.default_rng(0), {}
    for number in range(6):
        for place in range(3 + number % 3):
            size, middle = rng.uniform(0.05, 0.4, 2), rng.uniform(0.25, 0.75, 2)
            boxes[f"p{number}_crop_{place}.jpg"] = [*middle.tolist(), *size.tolist(), 0.1]
    (folder / "boxes").mkdir()
    (folder / "boxes" / "train_detect_box_dict.json").write_text(json.dumps(boxes))
    return tmp_path


def of_recipe(name: str, root: Path, **changes: Any) -> Prepared:
    """The examples as the recipe prepares them from the data set's files."""
    chosen = dataclasses.replace(RECIPES[name], **changes)
    return prepare(chosen, head_of(chosen.system, chosen.head), root, Chain(), lambda _: tokenizer())


def batch_of(given: Prepared, needs: Any) -> Batch:
    rows = given.rows(needs)
    return rows.batch([given.row(rows, item, given.titled[item.example]) for item in given.items])


@pytest.mark.parametrize("recipe", ["mega", "jmere-boxes"])
def test_no_scene_graph_of_a_recipe_is_complete_and_alpha_is_not_the_first_objects(recipe: str, mnre: Path) -> None:
    given = of_recipe(recipe, mnre)
    options = {"align": 8} if recipe == "mega" else {"objects": 10, "heads": 2}
    needs = network(config(RECIPES[recipe].system, given.head.name, network=options), given.vocabularies).needs
    batch = batch_of(given, needs)
    assert batch.objects is not None
    many = [row for row in range(len(batch.ids)) if int(batch.objects.present[row].sum()) >= 3]
    assert len(many) >= (6 if recipe == "mega" else 1)
    for row in many:
        size = int(batch.objects.present[row].sum())
        joined = (batch.objects.edges[row, :size, :size] > SELF_LOOP).sum().item() // 2
        assert size - 1 <= joined < size * (size - 1) // 2
        if batch.alignment is not None:
            given_by_column = batch.alignment[row].sum(0)
            assert given_by_column[:size].max() < 0.999 * given_by_column.sum()
    if batch.alignment is not None:
        assert len({batch.alignment[row].sum(0).argmax().item() for row in many}) > 1, "it is not always object 0"


def test_near_is_an_edge_that_networks_see() -> None:
    regions = [Region((0.1, 0.1, 0.2, 0.2)), Region((0.35, 0.1, 0.2, 0.2))]
    near = scene_graph.FIRST_TYPE + scene_graph.PREDICATES.index("near")
    assert scene_graph.sparse_types(regions).tolist() == [[0, near], [near, 0]]


def test_a_graph_has_no_triangle_and_joins_all_regions() -> None:
    rng = np.random.default_rng(1)
    for count in range(2, 11):
        regions = [Region((*rng.uniform(0, 0.5, 2).tolist(), *rng.uniform(0.1, 0.5, 2).tolist())) for _ in range(count)]
        joined = scene_graph.neighbours(regions)
        assert not np.trace(np.linalg.matrix_power(joined.astype(int), 3)), "no three regions are all joined"
        reached = np.linalg.matrix_power(joined.astype(float) + np.eye(count), count)
        assert (reached > 0).all()


def seen(features: float = 0.0, label: str = "dog", score: float = 0.9, depth: float = 0.5) -> tuple[Region, ...]:
    """Three regions; the middle one is varied."""
    described = [np.full(4, value, np.float16) for value in (0.1, features, 0.9)]
    boxes = ((0.05, 0.4, 0.2, 0.2), (0.3, 0.4, 0.2, 0.2), (0.55, 0.4, 0.2, 0.2))
    labels, scores, depths = ("person", label, "cup"), (0.95, score, 0.6), (0.2, depth, 0.8)
    values = zip(boxes, labels, scores, depths, described, strict=True)
    return tuple(Region(box, name, sure, 0, deep, features=own) for box, name, sure, deep, own in values)


def pictured(number: int, regions: tuple[Region, ...], predicate: str = "near", **parts: Any) -> Example:
    words = tuple(spoken(number).split())
    mentions = (WordSpan(0, 1, "per"), WordSpan(len(words) - 1, len(words), "loc"))
    scene = (SceneEdge(0, 1, predicate, "interaction"), SceneEdge(1, 2, "left of"), SceneEdge(2, 1, "right of"))
    candidates = (Candidate(0, 1), Candidate(0, 1, region=True))
    return Example(
        str(number),
        "mnre",
        words,
        mentions,
        candidates=candidates,
        regions=regions,
        image=f"{number}.jpg",
        **{"scene": scene, "sources": SOURCES, **parts},
    )


CHANGES: dict[str, Any] = {
    "features": lambda: pictured(0, seen(features=0.7)),
    "class": lambda: pictured(0, seen(label="cup")),
    "score": lambda: pictured(0, seen(score=0.4)),
    "depth": lambda: pictured(0, seen(depth=0.9)),
    "edge": lambda: pictured(0, seen(), "holding"),
}
TAKEN = {
    "mega": {"features", "class", "score", "depth"},  # edges count by their number, not by their type (Eq. 12)
    "eega": {"features", "class", "score", "depth", "edge"},
    "relformer": {"features", "class", "score", "depth"},
}


@pytest.mark.parametrize("channel", CHANGES)
@pytest.mark.parametrize("system", TAKEN)
def test_a_network_of_objects_is_given_all_that_is_known_of_them(system: str, channel: str) -> None:
    head = SYSTEMS[system].heads[0]
    chosen = config(system, head)
    examples = [pictured(0, seen()), CHANGES[channel](), pictured(1, seen())]
    given = prepared(chosen, examples)
    assert given.vocabularies.inputs.object_width == 5 + 1 + 1 + 4
    net = network(chosen, given.vocabularies).eval()
    if system == "relformer":  # what no training has shown begins at 0
        torch.nn.init.normal_(net.vision.embed.depth.weight)
    batch = batch_of(given, net.needs)
    with torch.no_grad():
        found = net(batch)
    scores = found.logits if hasattr(found, "logits") else found.type_logits.flatten(1)
    of = [place for place, item in enumerate(given.items) if item.example in (0, 1)]
    same = torch.allclose(scores[of[0]], scores[of[1]], atol=1e-6)
    assert same == (channel not in TAKEN[system])


@pytest.mark.parametrize("system", TAKEN)
def test_a_live_reader_makes_the_rows_of_training(system: str, parser: Parser, tmp_path: Path) -> None:
    """The same regions, scene and features become the same objects; what is of another make is left out and named."""
    head = SYSTEMS[system].heads[0]
    chosen = config(system, head)
    given = prepared(chosen, [pictured(0, seen(0.3)), *(pictured(n, seen(0.1 * n)) for n in range(1, 8))])
    net = network(chosen, given.vocabularies)
    trained = batch_of(given, net.needs)
    manifest = Manifest("tiny", net.config, given.inventory, {}, (), (), "none", system=system, head=head)
    manifest = dataclasses.replace(manifest, classes=given.vocabularies.classes, inputs=given.vocabularies.inputs)
    if system == "eega":
        from extraction.features.model_inputs import InputRow, InputRows
        from extraction.reader.image_selection import ImageSelection

        images = ImageSelection("regions", net.needs, manifest.given)
        rows = InputRows(net.needs, tokenizer(), (), manifest.classes, inputs=manifest.given)
        document = Document("1", TEXT, regions=seen(0.3), scene=pictured(0, ()).scene or (), sources=SOURCES)
        [selected] = images.select(document)
        made = rows.batch([InputRow(given.plain[0], regions=selected.regions, scene=selected.scene)])
        other = dataclasses.replace(document, sources=dataclasses.replace(SOURCES, features="another"), images=("a",))
        [bare] = images.select(other)
        assert all(region.features is None for region in bare.regions)
        assert images.unavailable(other) == ("features",)
        assert images.unavailable(dataclasses.replace(document, images=("a",))) == ()
    else:
        reader = composed(parser, tmp_path, system, head, inputs=manifest.inputs, classes=manifest.classes)
        pairs = classifier(reader)
        rows = dataclasses.replace(pairs.rows, needs=net.needs)
        example = pictured(0, seen(0.3))
        made = rows.batch([rows.pair(example, given.plain[0], example.candidates[int(head == "region_pair")])])
        assert pairs.rows.aligned is None, "a reader keeps nothing of what it has read"
    assert made.objects is not None and trained.objects is not None
    for part in ("vectors", "edges", "classes", "depth", "boxes"):
        assert torch.equal(getattr(made.objects, part)[0], getattr(trained.objects, part)[0, :3]), part


def test_a_reader_of_many_sentences_keeps_none_of_them(parser: Parser, tmp_path: Path) -> None:
    reader = composed(parser, tmp_path, "mega")
    for number in range(3):
        reader.read([Document(str(number), f"Anna {number} lives in Berlin.", images=("",), regions=seen())])
    assert classifier(reader).rows.aligned is None


@pytest.mark.parametrize(("shown", "grey"), [("canvas", True), ("photographs", False)])
@pytest.mark.parametrize("system", ["focalmre", "rsrnet"])
def test_a_network_of_canvases_is_never_shown_a_photograph(
    system: str, shown: Literal["canvas", "photographs"], grey: bool, parser: Parser, tmp_path: Path
) -> None:
    photograph = tmp_path / "photograph.jpg"
    Image.fromarray(np.full((64, 64, 3), 250, np.uint8)).save(photograph)
    made = pair_checkpoint(tmp_path / "made", system, "pair")
    reader = composed(parser, tmp_path / "read", system, inputs=dataclasses.replace(made.manifest.given, shown=shown))
    asked: list[Batch] = []
    pairs = classifier(reader)
    pairs.network.register_forward_pre_hook(lambda _, args: asked.append(args[0]))
    [read] = reader.read([Document("1", TEXT, images=(str(photograph),), regions=seen())])
    middle = [batch.pictures.pixels[0, 0, :, 1, 1].tolist() for batch in asked if batch.pictures is not None]
    assert middle and all(value == [GREY] * 3 for value in middle) == grey
    assert ("canvas" in read.missing) == grey


def test_a_checkpoint_of_before_is_given_what_it_was_trained_with(tmp_path: Path) -> None:
    saved = pair_checkpoint(tmp_path, "focalmre", "pair")
    values = json.loads((tmp_path / "config.json").read_text())
    assert VisualInputs(**values["inputs"]) == saved.manifest.given
    del values["inputs"]
    (tmp_path / "config.json").write_text(json.dumps(values))
    old = LoadedCheckpoint.load(tmp_path).manifest
    assert old.given == of_before(("mnre",), images=False) and old.given.shown == "canvas" and old.given.before
    lacking = old.given.lacking(Document("1", "x", images=("a.jpg",), sources=SOURCES), saved.network.needs)
    assert "canvas" in lacking


def test_a_relformer_of_before_is_built_as_it_was(tmp_path: Path) -> None:
    given = prepared(config("relformer", "region_pair"), eight())
    old = {"skip": False, "scaled_boxes": False, "object_width": 5}
    chosen = config("relformer", "region_pair")
    built = network(dataclasses.replace(chosen, network={**chosen.network, **old}), given.vocabularies)
    values = {name: value for name, value in dataclasses.asdict(built.config).items() if name not in old}
    assert SYSTEMS["relformer"].configured(values) == built.config
    assert not any("from_embedded" in name or "features" in name for name, _ in built.named_parameters())


def grounded_pair() -> Example:
    """Two names and a noun, each shown by a region, and a third name that is not of the pair."""
    words = ("Anna", "saw", "Bob", "and", "Carl", "with", "a", "dog")
    mentions = tuple(WordSpan(place, place + 1, "per") for place in (0, 2, 4))
    regions = tuple(Region((0.1 * place, 0.1, 0.1, 0.5), "person", 0.9) for place in range(4))
    shown = zip((7, 4, 2, 0), regions, strict=True)
    grounded = tuple(GroundedWords(word, word + 1, dataclasses.replace(one, grounded=True)) for word, one in shown)
    sources = dataclasses.replace(SOURCES, grounding="classes-1")
    candidates = (Candidate(0, 1), Candidate(2, 1))
    return Example(
        "1", "mnre", words, mentions, candidates=candidates, regions=regions, grounded=grounded, sources=sources
    )


def test_frames_are_of_the_pairs_two_entities_and_of_the_nouns() -> None:
    example = grounded_pair()
    given = prepared(config("focalmre", "pair"), [example])
    assert given.vocabularies.inputs.grounding == "classes-1"
    net = network(config("focalmre", "pair"), given.vocabularies)
    rows = given.rows(net.needs)
    first, second = (rows.pair(example, given.plain[0], candidate) for candidate in example.candidates)
    places = [[round(one.box[0], 1) for one in row.grounded] for row in (first, second)]
    assert places == [[0.3, 0.2, 0.0], [0.1, 0.2, 0.0]], "head, tail, then the dog; never the third name"
    batch = rows.batch([first, second])
    assert batch.pictures is None, "its photograph is not there, and a network of photographs is shown no canvas"
    canvases = dataclasses.replace(rows, inputs=dataclasses.replace(rows.inputs, shown="canvas"))
    pictures = canvases.batch([first, second]).pictures
    assert pictures is not None and pictures.present[:, 1:5].tolist() == [[True, True, True, False]] * 2
    red = (pictures.pixels[:, 1:5, 0] == 255) & (pictures.pixels[:, 1:5, 1] == 0)
    assert red[:, :3].flatten(2).any(-1).all(), "the red frames of grounded regions are in training"


def by_place(count: int) -> list[Example]:
    """Headlines of a mention that is shown by the left one of two boxes; boxes have no class, as in GMNER."""
    rng, made = np.random.default_rng(4), []
    for number in range(count):
        left, right = rng.uniform(0.02, 0.25), rng.uniform(0.55, 0.75)
        boxes = [Region((float(x), 0.3, 0.2, 0.4)) for x in (left, right)]
        turned = number % 2
        regions = tuple(reversed(boxes)) if turned else tuple(boxes)
        words = tuple(spoken(number).split())
        keys = ("depicts", "") if not turned else ("", "depicts")
        candidates = tuple(Candidate(0, place, key, True) for place, key in enumerate(keys))
        labels: dict[str, Any] = {"types": frozenset({"PER"}), "relation_keys": frozenset({"depicts"})}
        mentions = (WordSpan(0, 1, "PER"),)
        made.append(Example(str(number), "gmner", words, mentions, candidates=candidates, regions=regions, **labels))
    return made


def test_the_regions_of_one_mention_get_different_answers() -> None:
    """The recipe's network, trained on boxes without a class: the answer depends on which region is asked about."""
    recipe = dataclasses.replace(
        RECIPES["relformer"], epochs=14, batch=16, encoder_rate=2e-3, head_rate=2e-3, average=0.0, threads=1
    )
    given = prepare_examples(recipe, head_of("relformer"), by_place(64), Chain(), lambda _: tokenizer())
    net = network(dataclasses.replace(recipe, network={**recipe.network, "dropout": 0.0}), given.vocabularies, layers=6)
    run = Run(recipe, given, net)
    assert run.train()
    batch = batch_of(given, run.network.needs)
    with torch.no_grad():
        shown = torch.softmax(run.network.eval()(batch).logits, 1)[:, 1].reshape(-1, 2)
    assert (shown - shown.flip(1)).abs().min(1).values.median() > 0.5
    left = torch.tensor([one.candidates[0].key == "depicts" for one in given.examples])
    right_answers = torch.where(left, shown[:, 0] > shown[:, 1], shown[:, 1] > shown[:, 0])
    assert right_answers.float().mean() > 0.95
    assert given.vocabularies.inputs == dataclasses.replace(
        VisualInputs(), regions=PUBLISHED, most=2, scene=BOXES, shown="canvas"
    )


def test_a_reader_of_an_old_checkpoint_still_reads(parser: Parser, tmp_path: Path) -> None:
    made = pair_checkpoint(tmp_path, "mega", "pair")
    old = dataclasses.replace(made.manifest.network, object_width=5)
    net = SYSTEMS["mega"].build(old, made.network.encoder)
    manifest = dataclasses.replace(made.manifest, network=old, inputs=None)
    reader = reader_of(dataclasses.replace(made, manifest=manifest, network=net), parser)
    [read] = reader.read([Document("1", TEXT, images=("",), regions=seen(), sources=SOURCES)])
    assert set(read.missing) >= {"other_detector", "scene"}


def test_without_channels_no_channel_reaches_a_relation() -> None:
    """The ablation "no channels" takes them from our scorer of relations too."""
    from training.evaluation.ablations import ABLATIONS

    row = next(one for one in ABLATIONS["eega"][1] if one.name == "no channels")
    for options, same in ((row.network, True), ({"channels": False}, False)):
        chosen = config("eega", "word_pairs")
        chosen = dataclasses.replace(chosen, network={**chosen.network, **options})
        given = prepared(chosen, eight())
        net = network(chosen, given.vocabularies).eval()
        batch = batch_of(given, net.needs)
        other = dataclasses.replace(batch, together=batch.together * 0 + 3, pos=batch.pos.clamp(max=1))
        cells = torch.zeros(len(batch.ids), 1, dtype=torch.long), torch.ones(len(batch.ids), 1, dtype=torch.long)
        with torch.no_grad():
            one, two = (net.relate(net(each), *cells) for each in (batch, other))
        assert torch.allclose(one, two, atol=1e-6) == same
