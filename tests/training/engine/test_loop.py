"""The training loop on a handful of made-up sentences: it learns them, and a killed run ends where another would."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch

from extraction.features.featurizer import SHAPES
from extraction.labels import inventory
from extraction.networks.eega import EEGA
from extraction.networks.encoders.text import TextEncoder, tiny
from extraction.reader.calibration import Calibration
from extraction.schema import Example, WordRelation, WordSpan
from extraction.text.parser import Parser
from tests.tiny import sizes, tokenizer
from training.config import TrainConfig
from training.data.preparation import epoch_batches, prepare_examples
from training.engine import run_state
from training.engine.loop import Run, StateError, schedule
from training.evaluation.metrics import mention_score, relation_score
from training.evaluation.predictions import found_by_word_pairs
from training.evaluation.quintuple_scores import Predictor
from training.heads import HEADS

SMALL = {"heads": 2, "inner": 16, "edge_width": 8, "channel_width": 8, "channel_out": 16, "type_hidden": 16}
CONFIG = TrainConfig(
    data=("conll04",),
    labels="native",
    network={**SMALL, "relation_hidden": 32, "band": 4, "dropout": 0.1},
    epochs=2,
    batch_pieces=60,
    head_rate=1e-2,
    encoder_rate=1e-2,
    average=0.9,
    precision="fp32",
)
NAMES = inventory(("conll04",), "native")


def example(number: int, person: str, place: str) -> Example:
    return Example(
        id=str(number),
        dataset="conll04",
        words=(person, "lives", "in", "old", place, "."),
        mentions=(WordSpan(0, 1, "Peop"), WordSpan(3, 5, "Loc")),
        relations=(WordRelation(0, 1, "Live_In"),),
        types=frozenset(NAMES.types),
        relation_keys=frozenset(NAMES.relation_keys),
        before=("A", "title") if number % 2 else (),
    )


EXAMPLES = [example(n, *pair) for n, pair in enumerate(zip("abcdefghij", "klmnopqrst", strict=True))]


@pytest.fixture(scope="module")
def parser():
    return Parser.load()


def run(parser: Parser, **changes) -> Run:
    config = dataclasses.replace(CONFIG, **changes)
    prepared = prepare_examples(config, HEADS["word_pairs"], EXAMPLES, parser, lambda name: tokenizer())
    featurizer = prepared.vocabularies.featurizer
    torch.manual_seed(config.seed)
    encoder = TextEncoder.blank(tiny(featurizer.tokenizer.get_vocab_size(), width=32), len(SHAPES))
    return Run(config, prepared, EEGA(sizes(featurizer, prepared.inventory, **config.network), encoder))


def _after(part: Run, steps: int) -> Callable[[], bool]:
    return lambda: part.progress.step >= steps


def weights(run: Run) -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in run.network.state_dict().items()}


def test_it_learns_what_it_is_shown(parser):
    learnt = run(parser, epochs=40)
    assert learnt.train()
    first, last = learnt.progress.losses[0], learnt.progress.losses[-1]
    assert last["types"] < first["types"] / 10 and last["relations"] < first["relations"] / 3
    network = learnt.averaged()
    found = found_by_word_pairs(network, learnt.prepared)
    predictions = Predictor(NAMES, Calibration(), {"default": 0.5}).predictions(found)
    assert mention_score(EXAMPLES, predictions).f1 > 0.95
    assert relation_score(EXAMPLES, predictions, NAMES).f1 > 0.95


def test_no_step_is_reported_in_an_epoch_that_does_not_exist(parser):
    learnt = run(parser, evaluate_every=1)
    each = len(epoch_batches(learnt.config, learnt.prepared, 0))
    assert learnt.progress.passing == 1
    places = [(progress.step, progress.passing) for progress in learnt.steps()]
    assert set(places) == {(step, 1 if step <= each else 2) for step in range(1, learnt.progress.steps + 1)}
    assert learnt.progress.finished and learnt.progress.passing == 2


def test_a_run_stopped_twice_ends_with_the_weights_of_one_that_was_not(parser, tmp_path):
    whole = run(parser)
    assert whole.train()
    for steps in (3, 5):
        part = run(parser)
        part.resume(tmp_path)
        assert not part.train(tmp_path, stop=_after(part, steps))
    rest = run(parser)
    assert rest.resume(tmp_path) and rest.progress.step == 5
    assert rest.train(tmp_path)
    assert rest.progress.losses == whole.progress.losses
    for name, weight in weights(whole).items():
        assert torch.equal(weight, weights(rest)[name]), name
    for mean, other in zip(whole.average, rest.average, strict=True):
        assert torch.equal(mean, other)


def test_a_run_with_other_settings_is_not_resumed(parser, tmp_path):
    run(parser).save(tmp_path)
    assert run(parser, max_minutes=5.0).resume(tmp_path)
    with pytest.raises(StateError, match="other settings"):
        run(parser, seed=2).resume(tmp_path)


def test_a_run_continues_after_an_update_that_adds_a_setting(tmp_path):
    config = CONFIG.as_dict()
    older = {name: value for name, value in config.items() if name != "halve_every"}
    run_state.write(tmp_path, {"weight": torch.ones(2)}, {"step": 3}, older)
    found = run_state.read(tmp_path, config)
    assert found is not None and found[1] == {"step": 3}
    with pytest.raises(StateError, match=r"other settings \(halve_every\)"):
        run_state.read(tmp_path, {**config, "halve_every": 5})


def test_nothing_to_resume(parser, tmp_path):
    assert not run(parser).resume(tmp_path)


def test_the_time_limit_ends_a_run_with_its_state_saved(parser, tmp_path):
    limited = run(parser, max_minutes=1e-9)
    assert not limited.train(tmp_path)
    assert limited.progress.step == 1 and run(parser).resume(tmp_path)


def test_an_epochs_batches_depend_on_seed_and_epoch_alone(parser):
    prepared = run(parser).prepared
    one, again, next_epoch = (epoch_batches(CONFIG, prepared, epoch) for epoch in (0, 0, 1))
    assert one == again != next_epoch
    assert sorted(index for batch in one for index in batch) == list(range(len(EXAMPLES)))


def test_weights_draw_a_data_set_more_or_less_often(parser):
    prepared = run(parser).prepared
    twice_and_a_half = dataclasses.replace(CONFIG, weights={"conll04": 2.5})
    drawn = [index for batch in epoch_batches(twice_and_a_half, prepared, 0) for index in batch]
    assert len(drawn) == 25 and {drawn.count(index) for index in range(10)} == {2, 3}


def test_examples_that_are_too_long_are_left_out_and_counted(parser):
    short = dataclasses.replace(CONFIG, longest=5)
    prepared = prepare_examples(
        short,
        HEADS["word_pairs"],
        [*EXAMPLES, dataclasses.replace(EXAMPLES[0], words=("a",), mentions=(), relations=())],
        parser,
        lambda name: tokenizer(),
    )
    assert len(prepared.examples) == 1
    assert "10 examples of more than 5 words left out" in prepared.notes


def test_the_rate_rises_and_falls():
    rates = [schedule(step, 100, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == 1.0
    assert rates[55] == pytest.approx(0.5) and 0 < rates[99] < 0.02


def test_a_rate_that_is_halved_falls_in_no_other_way():
    rates = [schedule(step, 100, 0.02, halvings=step // 40) for step in range(100)]
    assert rates[0] == 0.5 and set(rates[2:40]) == {1.0} and set(rates[40:80]) == {0.5} and set(rates[80:]) == {0.25}
