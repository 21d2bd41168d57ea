"""The audit catches sets that give their labels away and sets that hold one another's texts, and lets clean ones be."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from extraction.datasets import registry
from extraction.datasets.mnre import with_grounding
from extraction.schema import Candidate, Example, Region, WordSpan
from training.data.audit_report import audit_files, lines
from training.data.label_leakage import Regression, auc, audit, items, shared_texts

FIXTURES = Path(__file__).parents[2] / "fixtures"
LEAKING = FIXTURES / "leaking"


def test_grounding_crops_whose_number_predicts_the_label_are_caught():
    """The leak of MNRE's published crops, in sentences of our own: two crops where nothing is related, else three or
    four; the detected boxes beside them are as many for every label."""
    result, _ = audit_files("mnre", LEAKING)
    by_feature = {(leak.feature, leak.split): leak.auc for leak in result.features}
    for split in registry.SPLITS:
        assert by_feature["grounded regions", split] > 0.99
        assert by_feature["detected regions", split] < 0.6
        assert any(f"{split}: the number of grounded regions" in warning for warning in result.warnings)
    assert all(guess.auc > 0.99 for guess in result.guesses if guess.kind == "picture")
    assert any("is no evidence of reading" in warning for warning in result.warnings)


def test_the_same_set_without_its_grounding_is_clean():
    splits = {split: registry.load("mnre", split, LEAKING, "native") for split in registry.SPLITS}
    result = audit("mnre", splits)
    assert not [warning for warning in result.warnings if "regions" in warning]
    assert {guess.accuracy for guess in result.guesses if guess.kind == "picture"} == {0.5}


def test_grounding_is_read_by_the_audit_alone():
    plain = registry.load("mnre", "test", LEAKING, "native")
    assert not any(region.grounded for example in plain for region in example.regions)
    grounded = with_grounding(plain, "test", LEAKING)
    counts = [sum(region.grounded for region in example.regions) for example in grounded]
    related = [bool(example.candidates[0].key) for example in grounded]
    assert all((count > 2) == yes for count, yes in zip(counts, related, strict=True))


def test_grounding_that_does_not_fit_is_named(tmp_path):
    folder = tmp_path / "mnre" / "boxes"
    folder.mkdir(parents=True)
    (folder / "test_vg_box_dict.json").write_text("{}")
    (folder / "test_vg_crops.json").write_text('{"0": ["gone.jpg"]}')
    with pytest.raises(registry.DatasetError, match=r"test_vg_crops\.json"):
        with_grounding([tweet("a")], "test", tmp_path)


def tweet(text: str, id: str = "1", **parts) -> Example:
    return Example(id, "made up", tuple(text.split()), **parts)


def test_a_train_split_that_holds_other_sets_test_tweets_is_caught_however_they_are_cut():
    """As GMNER's train split holds test tweets of Twitter2015 and Twitter2017, in a tokenization of its own."""
    train = [tweet("RT @ ada _ q : Rowers win # Regatta http://t. co/a1B"), tweet("Nothing to see")]
    theirs = [tweet("RT @ada_q : Rowers win #Regatta http://t.co/a1B"), tweet("Else where")]
    result = audit("made", {"train": train}, {"twitter2015's test": theirs, "twitter2017's test": theirs[1:]})
    assert [(one.count, one.part) for one in result.shared] == [(1, "twitter2015's test")]
    assert any("1 texts of twitter2015's test stand in train too" in warning for warning in result.warnings)
    assert registry.drop_held_out(train, theirs) == train[1:]


def test_texts_shared_by_splits_are_counted_from_the_later_ones_side():
    splits = {
        "train": [tweet("a b"), tweet("c")],
        "dev": [tweet("A b !"), tweet("d")],
        "test": [tweet("d"), tweet("a b")],
    }
    found = [(one.count, one.part, one.holder) for one in shared_texts(splits, {})]
    assert found == [(1, "dev", "train"), (1, "test", "train"), (2, "test", "dev")]


def test_auc_is_the_share_of_pairs_in_order_with_ties_half():
    values, positive = np.array([1.0, 2, 2, 3, 0, 2]), np.array([False, True, False, True, False, False])
    pairs = [(a > b) + (a == b) / 2 for a in values[positive] for b in values[~positive]]
    assert auc(values, positive) == pytest.approx(np.mean(pairs))
    assert auc(-values, positive) == pytest.approx(np.mean(pairs))
    assert auc(values, np.ones(6, bool)) == 0.5


def test_the_classifier_finds_what_no_order_of_values_shows():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 5, (400, 1)).astype(float)
    labels = np.where(counts[:, 0] == 2, "here", "there").astype(np.str_)
    assert auc(counts[:, 0], labels == "here") < 0.6
    guess = Regression.fit(counts, labels)
    assert (guess.labels[guess.shares(counts).argmax(1)] == labels).mean() == 1.0


def test_items_are_pairs_and_of_sets_without_pairs_sentences():
    spans = (WordSpan(0, 2, "person"), WordSpan(4, 5, "person"))
    regions = (Region((0, 0, 1, 1)), Region((0, 0, 1, 1), grounded=True))
    pair = tweet("Ada Quill met by Bram", mentions=spans, candidates=(Candidate(0, 1, "peer"),), regions=regions)
    made = items([pair, dataclasses.replace(pair, candidates=(Candidate(0, 1), Candidate(1, 0)))])
    assert made.labels.tolist() == ["peer", "none", "none"]
    assert made.features[0].tolist() == [1, 1, 1, 5, 17, 2, 2, 1, 2]
    assert items([pair, dataclasses.replace(pair, candidates=())]).labels.tolist() == ["peer"]
    assert items([dataclasses.replace(pair, candidates=())]).labels.tolist() == ["a mention"]


def test_the_command_prints_tables_and_can_be_strict(capsys):
    call_command("audit_dataset", "mnre", "--data-root", str(LEAKING))
    printed = capsys.readouterr().out
    assert "WARNING" in printed and "grounded regions" in printed
    with pytest.raises(CommandError, match="warnings"):
        call_command("audit_dataset", "mnre", "--data-root", str(LEAKING), "--strict")
    with pytest.raises(CommandError, match="unknown data set"):
        call_command("audit_dataset", "nothing", "--data-root", str(LEAKING))


def test_a_set_with_a_split_missing_is_audited_as_far_as_it_goes():
    result, printed = audit_files("redocred", FIXTURES / "datasets")
    assert result.counts and printed
    assert list(lines(result))[-1]
