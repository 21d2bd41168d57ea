"""What must hold for every system and head, with tiny random encoders and data made here."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
import torch

from extraction.features.targets import PairTargets, TagTargets, pair_label, tag_targets
from extraction.networks.outputs import PairOutput, TagOutput
from extraction.networks.systems import SYSTEMS
from extraction.reader.checkpoint import LoadedCheckpoint
from extraction.reader.decoding import mentions_of
from tests.generated import (
    CASES,
    KEYS,
    Chain,
    blind,
    config,
    decided_by_knowledge,
    decided_by_the_picture,
    eight,
    mentions_by_picture,
    network,
    prepared,
)
from training.data.preparation import epoch_batches, prepare_held_out
from training.data.prepared import Prepared
from training.engine.loop import Run
from training.evaluation.oracle import ceiling
from training.evaluation.predictions import pair_logits
from training.publishing.publish import finished

# A key's bias moves all scores of a softmax alike: its gradient is zero by nature.
ZERO_BY_NATURE = re.compile(r"(key|pair_key|k_proj)\.bias$")

every = pytest.mark.parametrize(("system", "head"), CASES, ids=[f"{system}-{head}" for system, head in CASES])


def run_of(system: str, head: str, examples: Any = None, **changes: Any) -> Run:
    chosen = config(system, head, **changes)
    given = prepared(chosen, eight() if examples is None else examples)
    return Run(chosen, given, network(chosen, given.vocabularies))


def targets_of(given: Prepared, band: int) -> Any:
    """The targets of all items, for the run's head."""
    examples = [given.examples[item.example] for item in given.items]
    rng = np.random.default_rng(0)
    return given.head.targets(examples, given.items, given.inventory, band, 0, rng, ())


def answer(net: Any, given: Prepared, places: list[int]) -> torch.Tensor:
    """The network's scores of these items, in one batch, as one row of numbers each (padding cut off)."""
    rows = given.rows(net.needs)
    items = [given.items[place] for place in places]
    batch = rows.batch([given.row(rows, item, given.titled[item.example]) for item in items])
    with torch.no_grad():
        output = net.eval()(batch)
    if isinstance(output, PairOutput):
        return output.logits
    if isinstance(output, TagOutput):
        return output.emissions
    return output.type_logits[:, :, 0]


@every
def test_gradients_reach_every_parameter(system, head):
    run = run_of(system, head)
    places = list(range(len(run.prepared.items)))
    batch, targets, _ = run._make(places, 0)
    run.network.train().loss(batch, targets)["total"].backward()
    for name, weight in run.network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0 or ZERO_BY_NATURE.search(name), name


@every
def test_padding_and_companions_do_not_change_an_answer(system, head):
    run = run_of(system, head)
    together = answer(run.network, run.prepared, list(range(len(run.prepared.items))))
    for place, item in enumerate(run.prepared.items):
        alone = answer(run.network, run.prepared, [place])[0]
        words = len(run.prepared.examples[item.example].words)
        size = len(alone) if alone.ndim == 1 else words
        assert torch.allclose(alone[:size], together[place][:size], atol=2e-5), place


@every
def test_nothing_but_words_is_legal_and_changes_no_companion(system, head):
    examples = eight()
    bare = dataclasses.replace(
        examples[0], image="", facts=(), regions=() if head != "region_pair" else examples[0].regions
    )
    run = run_of(system, head, [bare, *examples[1:]])
    whole = run_of(system, head, examples)
    whole.network.load_state_dict(run.network.state_dict())
    everything = list(range(len(run.prepared.items)))
    mixed, full = answer(run.network, run.prepared, everything), answer(whole.network, whole.prepared, everything)
    own = [place for place, item in enumerate(run.prepared.items) if item.example == 0]
    for place in everything:
        if place not in own:
            assert torch.allclose(mixed[place], full[place], atol=2e-5)
    assert torch.isfinite(answer(run.network, run.prepared, own)).all()
    sees = run.network.needs.objects or run.network.needs.pictures or run.network.needs.facts
    assert torch.allclose(mixed[own[0]], full[own[0]], atol=1e-6) != bool(sees)


@every
def test_eight_examples_are_learnt(system, head):
    run = run_of(system, head, epochs=60, warmup=0.05)
    assert run.train()
    last = run.progress.recent(3)
    assert last["total"] - 0.6 * last.get("graph", 0.0) < 0.1
    assert run.prepared.score(run.network).figures["f1"] == 1.0


@every
def test_saved_and_loaded_it_predicts_the_same(system, head, tmp_path):
    run = run_of(system, head, epochs=2)
    run.train()
    made = finished(run, "tiny", Chain().version)
    made.save(tmp_path)
    loaded = LoadedCheckpoint.load(tmp_path)
    assert (loaded.manifest.system, loaded.manifest.head) == (system, head)
    everything = list(range(len(run.prepared.items)))
    assert torch.equal(answer(made.network, run.prepared, everything), answer(loaded.network, run.prepared, everything))


@every
def test_encoding_then_decoding_gives_back_the_gold(system, head):
    given = run_of(system, head).prepared
    wanted: Any = targets_of(given, band=4)
    if isinstance(wanted, PairTargets):
        keys = ("", *given.inventory.relation_keys)
        assert [keys[label] for label in wanted.labels.tolist()] == [item.candidate.key for item in given.items]  # type: ignore[union-attr]
    elif isinstance(wanted, TagTargets):
        assert _spans_of(wanted, given) == [
            [(one.start, one.end, one.type) for one in example.mentions] for example in given.examples
        ]
    else:
        result = ceiling(given.examples, given.inventory, band=4)
        assert result.mentions.f1 == result.relations.f1 == 1.0


def _spans_of(wanted: TagTargets, given: Prepared) -> list[list[tuple[int, int, str]]]:
    from extraction.networks.outputs import BestTags

    real = torch.tensor([[place < len(one.words) for place in range(wanted.tags.shape[1])] for one in given.examples])
    batch: Any = type("Batch", (), {"real": real})
    found = mentions_of(BestTags(wanted.tags, torch.ones_like(wanted.tags)), batch)
    return [[(one.start, one.end, given.inventory.types[one.type]) for one in row] for row in found]


EPOCHS = {"mega": 30, "rsrnet": 20, "focalmre": 20}  # the others learn faster
SIGHTED = [case for case in CASES if case[0] != "mtb"]


def accuracy(net: Any, given: Prepared) -> float:
    """Share of the held-out items whose relation (for taggers: mention) is the right one of the two that it can be."""
    if given.head.pairs:
        places = [pair_label(given.inventory, item.candidate) for item in given.items]
        both = [1 + given.inventory.relation_keys.index(key) for key in KEYS]
        logits = pair_logits(net, given)[:, both]
        return float(np.mean([both[one] == place for one, place in zip(logits.argmax(1), places, strict=True)]))
    found = given.head.predict(net, given)
    right = 0
    for example, one in zip(given.examples, found, strict=True):
        if given.head.name == "tags":
            kinds = {(m.start, m.end): given.inventory.types[m.type] for m in one.mentions}
            right += kinds == {(m.start, m.end): m.type for m in example.mentions}
        else:
            keys = given.inventory.relation_keys
            best = max(one.relations, key=lambda relation: relation.logit, default=None)
            right += best is not None and keys[best.relation] == example.relations[0].key
    return right / len(given.examples)


def learnt(system: str, head: str, train: Any, test: Any, epochs: int) -> float:
    """Held-out accuracy after training on one generated set."""
    if head == "tags":
        train, test = mentions_by_picture(train), mentions_by_picture(test)
    chosen = config(system, head, epochs=epochs, batch=16, head_rate=4e-3, encoder_rate=2e-3, vision_rate=4e-3)
    given = prepared(chosen, train)
    run = Run(chosen, given, network(chosen, given.vocabularies))
    run.train()
    return accuracy(run.network, prepare_held_out(given, test, Chain(), False))


@pytest.mark.parametrize(("system", "head"), SIGHTED, ids=[f"{system}-{head}" for system, head in SIGHTED])
def test_the_image_decides(system, head):
    boxed = system in ("mega", "eega", "relformer")  # the others see pixels alone
    train = decided_by_the_picture(96, boxed=boxed)
    test = decided_by_the_picture(48, first=1000, boxed=boxed)
    assert learnt(system, head, train, test, epochs=EPOCHS.get(system, 12)) >= 0.95
    assert learnt(system, head, blind(train), blind(test), epochs=3) <= 0.75


@pytest.mark.parametrize("head", SYSTEMS["relformer"].heads)
def test_relformer_uses_pixels_where_boxes_are_all_alike(head):
    train = decided_by_the_picture(96, boxed=False)
    test = decided_by_the_picture(48, first=1000, boxed=False)
    assert learnt("relformer", head, train, test, epochs=30) >= 0.95


@pytest.mark.parametrize("head", SYSTEMS["relformer"].heads)
def test_knowledge_decides(head):
    train, test = decided_by_knowledge(96), decided_by_knowledge(48, first=1000)
    assert learnt("relformer", head, train, test, epochs=16) >= 0.95
    assert learnt("relformer", head, blind(train), blind(test), epochs=3) <= 0.75


def test_few_shots_and_fractions_are_drawn_by_seed():
    some = prepared(config("mtb", "pair", per_relation=2), eight())
    assert len(some.items) == 6 and "6 of 8 training items drawn" in some.notes
    half = [prepared(config("mtb", "pair", fraction=0.5, seed=seed), eight()).items for seed in (1, 1, 2)]
    assert len(half[0]) == 4 and half[0] == half[1] != half[2]


@pytest.mark.parametrize(("system", "head"), [("eega", "word_pairs"), ("rsrnet", "tags")])
def test_few_shots_of_sentences_are_counted_by_what_they_hold(system, head):
    some = prepared(config(system, head, per_relation=1), eight())
    whole = {one.key for example in eight() for one in example.relations}
    kept = [some.examples[item.example] for item in some.items]
    assert whole == {one.key for example in kept for one in example.relations}
    assert 1 < len(kept) < 8


def test_a_relation_that_is_not_trained_is_named():
    strange = [dataclasses.replace(one, key="/per/per/rival") for one in eight()[1].candidates]
    given = prepared(config("mtb", "pair"), [dataclasses.replace(eight()[1], candidates=tuple(strange))])
    with pytest.raises(ValueError, match="/per/per/rival"):
        targets_of(given, band=1)


def test_batches_count_examples_where_configured():
    chosen = config("mtb", "pair", batch=3)
    given = prepared(chosen, eight())
    assert sorted(len(one) for one in epoch_batches(chosen, given, 0)) == [2, 3, 3]
    assert tag_targets(given.examples, given.inventory).tags.shape[0] == 8
