"""Labels out of reviews, through the whole path: a verdict, a snapshot, an example, a network's targets."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import torch
from django.core.management import CommandError, call_command

from extraction.datasets import registry
from extraction.features.targets import Targets, word_pair_targets
from extraction.labels import inventory
from extraction.models import Post
from extraction.networks.eega import relation_loss, type_loss
from extraction.schema import Example
from knowledge.models import Event, Mention, Statement
from knowledge.recording import erasure, judged_posts, mention_corrections, reviews
from knowledge.recording.claims import Change
from knowledge.recording.mention_corrections import MarkedWords
from tests import records
from tests.factories import make_user
from training.corpora import label_snapshots
from training.evaluation import metrics
from training.evaluation.word_pair_grid import ScoredRelation, ScoredSpan
from training.heads import HEADS

pytestmark = pytest.mark.django_db

TEXT = "News\n\nAnn Lee works for Acebush in Norwich, and Bob Roy lives in Paris."
NAMES = [
    *(("Ann Lee", "person"), ("Acebush", "organization"), ("Norwich", "location")),
    *(("Bob Roy", "person"), ("Paris", "location")),
]
WORKS, LIVES = ("Ann Lee", "employer", "Acebush"), ("Bob Roy", "residence", "Paris")
WRONG = ("Ann Lee", "residence", "Norwich")
DAY = date(2026, 12, 1)
LABELS = inventory(("labels",))
BAND = 4


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    monkeypatch.setattr(label_snapshots, "split_of", lambda post: "train")
    records.checkpoint()
    made = records.post(TEXT)
    records.read(made, NAMES, [WORKS, LIVES, WRONG])
    made.refresh_from_db()
    return made


def statement(spec: tuple[str, str, str]) -> Statement:
    return Statement.objects.get(head__label=spec[0], relation=spec[1], tail__label=spec[2])


def marked(words: str, type: str) -> MarkedWords:
    return MarkedWords(TEXT.index(words), TEXT.index(words) + len(words), type)


def mention(words: str) -> Mention:
    return Mention.objects.get(start=TEXT.index(words), end=TEXT.index(words) + len(words))


def snapshot(root: Path) -> list[Example]:
    label_snapshots.write(judged_posts.rows(), root, DAY)
    return registry.load("labels", "train", root)


def body(root: Path) -> Example:
    return snapshot(root)[1]


def cells(targets: Targets) -> dict[tuple[int, int, str], tuple[bool, float]]:
    """The known relation cells: (head word, tail word, relation) to whether it is related, and the cell's weight."""
    return {
        (int(targets.i[0, at]), int(targets.j[0, at]), LABELS.relation_keys[key]): (
            bool(targets.related[0, at, key]),
            float(targets.weights[0, at]),
        )
        for at, key in targets.annotated[0].nonzero().tolist()
    }


def targets(example: Example) -> Targets:
    return word_pair_targets([example], LABELS, BAND, noise=3, rng=np.random.default_rng(1))


def word(example: Example, words: str) -> int:
    return example.words.index(words)


def test_a_rejected_statement_changes_the_targets_of_exactly_its_cells(post: Post, tmp_path: Path) -> None:
    reviews.review(post, statement(LIVES), "accept", None)
    before = targets(body(tmp_path))
    reviews.review(post, statement(WRONG), "reject", None)
    example = body(tmp_path)
    after = targets(example)
    head, tail = (word(example, "Ann"), word(example, "Lee")), word(example, "Norwich")
    known = cells(after)
    added = {place: value for place, value in known.items() if place not in cells(before)}
    assert set(added) == {(one, tail, "residence") for one in head}, "no other pair, and no other relation of this one"
    assert all(value == (False, 0.5) for value in added.values())
    assert {place: known[place] for place in cells(before)} == cells(before)
    for name in ("allowed", "refused", "factuality", "roles"):
        same = getattr(before, name), getattr(after, name)
        if name in ("allowed", "refused"):
            assert bool((same[0] == same[1]).all()), f"{name}: a rejected relation says nothing about its mentions"
    assert after.coreference is None, "what else its words refer to nobody has judged"


def test_an_accepted_statement_is_right_at_its_place_and_everything_else_is_masked(post: Post, tmp_path: Path) -> None:
    reviews.review(post, statement(WORKS), "accept", None)
    example = body(tmp_path)
    known = cells(targets(example))
    tail = word(example, "Acebush")
    ends = {(word(example, "Ann"), tail), (word(example, "Lee"), tail)}
    assert {place: value[0] for place, value in known.items()} == {(*one, "employer"): True for one in ends}
    made = targets(example)
    for nobody in ("Norwich", "Bob", "Paris", "and"):
        assert not made.refused[0, word(example, nobody), 0].any(), f"{nobody}: no gradient"
    assert made.refused[0, word(example, "Acebush"), 0].any()
    assert not snapshot(tmp_path)[0].mentions, "the title has no judged words"


def test_what_nobody_judged_gives_no_gradient(post: Post, tmp_path: Path) -> None:
    reviews.review(post, statement(WORKS), "accept", None)
    reviews.review(post, statement(WRONG), "reject", None)
    example = body(tmp_path)
    made = targets(example)
    types = torch.zeros(made.allowed.shape, requires_grad=True)
    relations = torch.zeros(made.related.shape, requires_grad=True)
    real = torch.ones(1, len(example.words), dtype=torch.bool)
    (type_loss(types, made.allowed, made.refused, real) + relation_loss(relations, made)).backward()
    assert types.grad is not None and relations.grad is not None
    words = {example.words[place] for place in types.grad[0, :, 0].abs().sum(-1).nonzero().flatten().tolist()}
    assert words == {"Ann", "Lee", "Acebush"}
    assert {LABELS.relation_keys[key] for key in relations.grad[0].abs().sum(0).nonzero().flatten().tolist()} == {
        *("employer", "residence")
    }
    assert bool(((relations.grad[0] != 0) == made.annotated[0]).all())


def test_a_correction_gives_its_relation_direction_factuality_and_time(post: Post, tmp_path: Path) -> None:
    reviews.correct(post, statement(WORKS), Change(relation="leads", factuality="planned"), None)
    example = body(tmp_path)
    [relation] = example.relations
    assert (relation.key, relation.factuality) == ("leads", "planned")
    known = cells(targets(example))
    head, tail = word(example, "Ann"), word(example, "Acebush")
    assert known[head, tail, "leads"][0] and not known[head, tail, "employer"][0]
    reviews.correct(post, statement((*WORKS[:1], "leads", WORKS[2])), Change(when=("in Norwich", None, None)), None)
    [relation] = body(tmp_path).relations
    assert relation.when is not None and body(tmp_path).mentions[relation.when].type == "time"


def test_a_corrected_mention_is_right_and_what_was_extracted_is_wrong(post: Post, tmp_path: Path) -> None:
    mention_corrections.change(mention("Acebush"), marked("Acebush", "location"), None)
    mention_corrections.delete(mention("Paris"), None)
    mention_corrections.add(post, marked("lives", "event"), None)
    example = body(tmp_path)
    assert {(example.words[one.start], one.type) for one in example.mentions} == {
        ("Acebush", "location"),
        ("lives", "event"),
    }
    made, paris = targets(example), word(example, "Paris")
    refused = {LABELS.tags[tag - 1][0] for tag in made.refused[0, paris, 0].nonzero().flatten().tolist()}
    assert refused == {"location"} and bool(made.allowed[0, paris, 0, 0])
    may = made.allowed[0, word(example, "Acebush"), 0].nonzero().flatten().tolist()
    assert [LABELS.tags[tag - 1] for tag in may] == [("location", "name")]
    assert not made.refused[0, word(example, "Norwich"), 0].any()


def test_disputed_withdrawn_and_lost_verdicts_are_no_labels(post: Post, tmp_path: Path) -> None:
    reviews.review(post, statement(LIVES), "accept", None)
    reviews.review(post, statement(WORKS), "accept", make_user("editor", "one"))
    reviews.review(post, statement(WORKS), "reject", make_user("editor", "two"))
    reviews.withdraw_review(reviews.review(post, statement(WRONG), "reject", None), None)
    [example] = [one for one in snapshot(tmp_path) if one.relations]
    assert [relation.key for relation in example.relations] == ["residence"]
    assert {key for _, _, key in cells(targets(example))} == {"residence"}


def test_figures_count_what_is_judged_alone(post: Post, tmp_path: Path) -> None:
    reviews.review(post, statement(WORKS), "accept", None)
    reviews.review(post, statement(WRONG), "reject", None)
    example = body(tmp_path)
    spans = [(word(example, "Ann"), 2, "person"), (word(example, "Acebush"), 1, "organization")]
    spans += [(word(example, "Norwich"), 1, "location"), (word(example, "Paris"), 1, "location")]
    ends = [(1, "employer"), (2, "residence"), (3, "residence"), (2, "work_location")]
    found = metrics.Prediction(
        [ScoredSpan(start, start + size, kind, 0.9) for start, size, kind in spans],
        [ScoredRelation(0, tail, key, 0.9) for tail, key in ends],
    )
    relations = metrics.relation_score([example], [found], LABELS)
    assert (relations.right, relations.predicted, relations.gold) == (1, 2, 1)
    mentions = metrics.mention_score([example], [found])
    assert (mentions.right, mentions.predicted, mentions.gold) == (2, 2, 2)


def test_a_post_has_its_split_by_its_id_alone() -> None:
    ids = [str(uuid4()) for _ in range(4000)]
    shares = {split: sum(label_snapshots.split_of(one) == split for one in ids) / 4000 for split in ("dev", "test")}
    assert abs(shares["test"] - 0.2) < 0.04 and abs(shares["dev"] - 0.1) < 0.03
    assert label_snapshots.split_of("00000000-0000-0000-0000-000000000007") == "train"


def test_held_out_posts_are_in_no_training_set(post: Post, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = records.post(TEXT, "https://other.example/copy")
    records.read(copy, NAMES, [WORKS])
    for one in (post, copy):
        reviews.review(one, statement(WORKS), "accept", None)
    held = {str(post.public_id): "test"}
    monkeypatch.setattr(label_snapshots, "split_of", lambda id: held.get(id, "train"))
    snapshot(tmp_path)
    assert {one.document for one in registry.load("labels", "test", tmp_path)} == {str(post.public_id)}
    assert registry.load("labels-2026-12-01", "train", tmp_path)
    assert registry.training_set(("labels",), tmp_path) == [], "the same words under another link are held out too"


def test_versions_are_kept_and_named_by_day(post: Post, settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    with pytest.raises(CommandError, match="no labels"):
        call_command("labels", "snapshot")
    reviews.review(post, statement(WORKS), "accept", None)
    first, new = label_snapshots.write(judged_posts.rows(), tmp_path, DAY)
    assert new and (first.name, first.relations, first.wrong_relations) == ("labels-2026-12-01", 1, 0)
    assert label_snapshots.write(judged_posts.rows(), tmp_path, date(2026, 12, 2)) == (first, False)
    reviews.review(post, statement(WRONG), "reject", None)
    second, _ = label_snapshots.write(judged_posts.rows(), tmp_path, DAY)
    assert second.name == "labels-2026-12-01-2" and second.wrong_relations == 1
    old, latest = (cells(targets(registry.load(name, "train", tmp_path)[1])) for name in (first.name, "labels"))
    assert set(old) < set(latest)
    with pytest.raises(registry.DatasetError, match="there are 2026-12-01, 2026-12-01-2"):
        registry.load("labels-2020-01-01", "train", tmp_path)


def test_the_command_leaves_an_event(post: Post, settings: Any, tmp_path: Path, capsys: Any) -> None:
    settings.DATA_DIR = tmp_path
    reviews.review(post, statement(WORKS), "accept", None)
    call_command("labels", "snapshot")
    assert "posts train 1, dev 0, test 0; 1 relations right, 0 wrong" in capsys.readouterr().out
    assert Event.objects.filter(what="labels snapshot").count() == 1
    call_command("labels", "snapshot")
    assert "Nothing was judged since" in capsys.readouterr().out
    assert Event.objects.filter(what="labels snapshot").count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_erased_post_is_in_no_version(post: Post, settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    other = records.post(TEXT.replace("News", "Other news"))
    records.read(other, NAMES, [WORKS])
    for one in (post, other):
        reviews.review(one, statement(WORKS), "accept", None)
    snapshot(tmp_path)
    erasure.erase(post, None)
    kept = (tmp_path / "labels" / "2026-12-01" / "train.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line)["id"] for line in kept.splitlines()] == [str(other.public_id)]


def test_a_task_without_a_mask_does_not_take_labels(tmp_path: Path) -> None:
    from training.config import TrainConfig
    from training.data.preparation import prepare

    for head in ("tags", "pair"):
        config = dataclasses.replace(TrainConfig(), data=("labels-2026-12-01",))
        with pytest.raises(ValueError, match="only what editors have judged"):
            prepare(config, HEADS[head], tmp_path, None)  # type: ignore[arg-type]
