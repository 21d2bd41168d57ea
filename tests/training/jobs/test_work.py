"""From a launched run to production with tiny networks: stopped and resumed, measured, promoted, rolled back."""

from __future__ import annotations

import contextlib
import errno
import functools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from extraction import tasks
from extraction.features.featurizer import SHAPES
from extraction.models import Checkpoint, Deployment, Reading
from extraction.networks.encoders.text import TextEncoder, tiny
from extraction.readings import model_registry
from extraction.schema import Document, ExtractedMention, Extraction
from extraction.text.parser import Parser
from kgbuilder import deployment
from kgbuilder.conf.environment import ROOT
from knowledge.models import Event
from tests import records
from tests.tiny import tiny_checkpoint, tokenizer
from training import run as training_run
from training.config import TrainConfig
from training.data.prepared import Vocabularies
from training.engine import run_state
from training.engine.networks import assembled
from training.jobs import child_main, progress_protocol, work
from training.jobs import queue as jobs_queue
from training.management.commands import promote as promoting
from training.models import Dataset, Evaluation, Promotion, TrainingRun
from training.recipes import RECIPES

pytestmark = pytest.mark.django_db
FIXTURES = ROOT / "tests" / "fixtures" / "datasets"
SMALL = {"heads": 2, "inner": 16, "edge_width": 8, "channel_width": 8, "channel_out": 16, "type_hidden": 16}
CHANGES: dict[str, Any] = {
    "epochs": 4,
    "evaluate_every": 1,
    "batch_pieces": 60,
    "labels": "mapped",
    "precision": "fp32",
}


def build(config: TrainConfig, vocabularies: Vocabularies) -> Any:
    torch.manual_seed(config.seed)
    pieces = vocabularies.featurizer.tokenizer.get_vocab_size()
    return assembled(config, vocabularies, TextEncoder.blank(tiny(pieces, width=32), len(SHAPES)))


@pytest.fixture(scope="module")
def parser() -> Parser:
    return Parser.load()


@pytest.fixture
def run(tmp_path: Path, parser: Parser, monkeypatch: pytest.MonkeyPatch) -> TrainingRun:
    """A claimed run on the fixture of CoNLL04 whose network is tiny."""
    small = functools.partial(training_run.run, start=training_run.Start(lambda name: tokenizer(), build))
    monkeypatch.setattr(work, "run", small)
    monkeypatch.setattr(work, "parser_for", lambda config, given: parser)
    monkeypatch.setattr(training_run, "parser_for", lambda config, given: parser)
    source = tmp_path / "data" / "conll04"
    source.mkdir(parents=True)
    for split in ("train", "dev", "test"):
        rows = json.loads((FIXTURES / "conll04" / "conll04_train.json").read_text())
        for number, row in enumerate(rows):  # other words in each, or they would be dropped from training
            row["tokens"] = [f"{word}{split}" for word in row["tokens"]]
            row["orig_id"] = number
        (source / f"conll04_{split}.json").write_text(json.dumps(rows * 4))
    counts = {split: {"examples": 8} for split in ("train", "dev", "test")}
    dataset = Dataset.objects.create(
        name="set", format="conll04", root=str(tmp_path / "data"), state="done", counts=counts
    )
    config = {**RECIPES["conll04"].as_dict(), **CHANGES, "network": {**SMALL, "relation_hidden": 32, "band": 4}}
    made = TrainingRun.objects.create(
        system="eega", name="trial", folder=str(tmp_path / "run"), device="cpu", config={**config, "data": ["conll04"]}
    )
    made.datasets.add(dataset)
    jobs_queue.wait(made)
    assert jobs_queue.claim((TrainingRun,), "trainer") is not None
    return made


def reported(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The progress that a trainer would have recorded from the output."""
    progress: dict[str, Any] = {}
    for line in capsys.readouterr().out.split("\n"):
        message = progress_protocol.parse_report(line)
        if message is not None:
            progress = {
                **progress_protocol.merged(progress, message),
                **({"error": message["error"]} if "error" in message else {}),
            }
    return progress


def test_a_run_on_several_data_sets_sees_the_pictures_of_each(run: TrainingRun, tmp_path: Path) -> None:
    for name in ("mnre", "twitter2017", "gmner"):
        (tmp_path / "data" / name / ("images" if name != "gmner" else "other")).mkdir(parents=True)
        run.datasets.add(Dataset.objects.create(name=name, format=name, root=str(tmp_path / "data"), counts={}))
    (tmp_path / "gathered").mkdir()
    gathered = work._gathered(run, tmp_path / "gathered")
    assert work._pictures(run, gathered) == ""  # it was not asked for
    run.config["images"] = "own"
    both = [str(gathered / name / "images") for name in ("mnre", "twitter2017")]
    assert work._pictures(run, gathered).split(":") == both


def test_a_run_leaves_a_candidate_that_is_measured_example_by_example(
    run: TrainingRun, capsys: pytest.CaptureFixture[str]
) -> None:
    records.checkpoint("in production")
    with pytest.raises(SystemExit) as end:
        child_main.do_run(run.pk)
    progress = reported(capsys)
    assert end.value.code == 0, progress.get("error")
    assert progress["step"] == progress["steps"] and progress["phase"] == "done"
    assert len(progress["curves"]["dev f1"]) == 4
    assert progress["curves"]["loss total"]
    run.refresh_from_db()
    assert run.checkpoint is not None
    assert Deployment.objects.get(active=True).checkpoint.name == "in production"
    assert not (Path(run.folder) / "run").exists() and not (Path(run.folder) / "data").exists()
    asked = Evaluation.objects.get()
    with pytest.raises(SystemExit) as end:
        child_main.do_evaluation(asked.pk)
    assert end.value.code == 0, reported(capsys).get("error")
    asked.refresh_from_db()
    figure = asked.metrics["figures"][0]
    rows = list(asked.examples.all())
    assert figure["name"] == "relations" and len(rows) == 8
    for name, field in (("right", "right"), ("found", "found"), ("gold", "gold")):
        assert figure[name] == sum(getattr(row, field) for row in rows)
    assert figure["gold"] == 12 == sum(gold for _, _, _, gold in asked.metrics["by_label"])
    assert all(row.content["words"] for row in rows)


def test_a_stopped_run_resumes_and_ends_with_the_same_weights(
    run: TrainingRun, capsys: pytest.CaptureFixture[str]
) -> None:
    def after(steps: int) -> Any:
        asked = iter(range(10_000))
        return lambda: next(asked) >= steps

    with pytest.raises(training_run.Stopped):
        work.perform_run(run, after(3))
    before = reported(capsys)
    assert before["step"] == 4
    run.progress = before
    work.perform_run(run, lambda: False)
    after_it = progress_protocol.merged(before, reported(capsys))
    assert after_it["step"] == after_it["steps"]
    resumed = Checkpoint.objects.get()
    run.folder += "-whole"
    run.progress = {}
    work.perform_run(run, lambda: False)
    whole = Path(run.folder)
    assert (whole / "model.safetensors").read_bytes() == (Path(resumed.path) / "model.safetensors").read_bytes()


def test_a_full_disk_and_a_damaged_state_are_reported_and_nothing_is_published(
    run: TrainingRun, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(training_run.Stopped):
        work.perform_run(run, lambda: True)
    state = Path(run.folder) / "run" / run_state.STATE
    whole = state.read_bytes()

    def full(*args: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(state))

    with monkeypatch.context() as patched:
        patched.setattr(run_state, "save_file", full)
        with pytest.raises(SystemExit) as end:
            child_main.do_run(run.pk)
    assert end.value.code == 1
    assert "The disk is full" in reported(capsys)["error"]
    assert state.read_bytes() == whole
    state.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SystemExit):
        child_main.do_run(run.pk)
    assert "cannot be read" in reported(capsys)["error"]
    assert not Checkpoint.objects.exists()
    TrainingRun.objects.filter(pk=run.pk).update(progress={"start_over": True})
    with pytest.raises(SystemExit) as end:
        child_main.do_run(run.pk)
    assert end.value.code == 0


def test_two_processes_never_train_in_one_folder(run: TrainingRun, capsys: pytest.CaptureFixture[str]) -> None:
    with work._alone(Path(run.folder)), pytest.raises(SystemExit):
        child_main.do_run(run.pk)
    assert "Another process trains" in reported(capsys)["error"]


def tiny_folder(path: Path, parser: Parser, seed: int) -> Path:
    tiny_checkpoint(parser, seed).save(path)
    config = json.loads((path / "config.json").read_text())
    config["name"] = f"tiny {seed}"
    (path / "config.json").write_text(json.dumps(config))
    return path


def promoted(checkpoint: Checkpoint, **fields: Any) -> Promotion:
    asked = Promotion.objects.create(checkpoint=checkpoint, **fields)
    with contextlib.suppress(SystemExit):
        call_command("promote", promotion=asked.pk)
    return asked


def test_a_worker_loads_promoted_and_rolled_back_checkpoints_without_a_restart(
    tmp_path: Path, parser: Parser, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(tasks, "ring", lambda lane: None)
    monkeypatch.setattr(Parser, "load", lambda *args: parser)
    first, second = (model_registry.register(tiny_folder(tmp_path / f"c{seed}", parser, seed)) for seed in (1, 2))
    deployment.promote(first)
    post = records.post("Ada Lovelace met Charles Babbage in London.")

    def reads() -> str:
        tasks.read.apply()
        post.refresh_from_db()
        assert post.current_reading is not None
        return post.current_reading.checkpoint.name

    assert reads() == "tiny 1"
    promoted(second)
    assert reads() == "tiny 2"
    back = promoted(first, reread="none")
    back.refresh_from_db()
    assert back.former == second
    assert reads() == "tiny 1"  # at once: it had read this post before
    assert set(Reading.objects.values_list("stage", flat=True)) == {"done"}


@pytest.mark.parametrize("broken", ["model.safetensors", "config.json", "tokenizer.json", "pmi.safetensors"])
def test_a_corrupt_checkpoint_is_not_promoted_and_production_stays(
    tmp_path: Path, parser: Parser, capsys: pytest.CaptureFixture[str], broken: str
) -> None:
    production = model_registry.register(tiny_folder(tmp_path / "production", parser, 1))
    deployment.promote(production)
    candidate = model_registry.register(tiny_folder(tmp_path / "candidate", parser, 2))
    path = Path(candidate.path) / broken
    path.write_bytes(path.read_bytes()[:-200])
    promoted(candidate)
    assert reported(capsys)["error"]
    assert Deployment.objects.get(active=True).checkpoint == production
    # Registered as it is now, its files are "those that were registered", and still it does not load.
    with pytest.raises(CommandError, match=r"Production is unchanged\."):
        call_command("promote", candidate.path)
    assert Deployment.objects.get(active=True).checkpoint == production


def test_a_checkpoint_with_a_data_sets_own_labels_is_not_promoted(
    tmp_path: Path, parser: Parser, capsys: pytest.CaptureFixture[str]
) -> None:
    production = model_registry.register(tiny_folder(tmp_path / "production", parser, 1))
    deployment.promote(production)
    path = tiny_folder(tmp_path / "native", parser, 2)
    config = json.loads((path / "config.json").read_text())
    config["inventory"]["types"][0] = "Org"
    (path / "config.json").write_text(json.dumps(config))
    promoted(model_registry.register(path))
    assert "not in the ontology: Org" in reported(capsys)["error"]
    with pytest.raises(CommandError, match=r"not in the ontology: Org.*Production is unchanged\."):
        call_command("promote", str(path))
    assert Deployment.objects.get(active=True).checkpoint == production


def test_a_checkpoint_whose_readings_cannot_be_recorded_is_not_promoted(
    tmp_path: Path, parser: Parser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with the readings: they are recorded on trial, the newest posts' as well as a plain text's."""
    candidate = model_registry.register(tiny_folder(tmp_path / "candidate", parser, 1))
    records.post("Ada Lovelace met Charles Babbage in London.")

    class Reader:
        def read(self, documents: list[Document]) -> list[Extraction]:
            bad = ExtractedMention(0, 3, "person", 7.0)
            return [Extraction(d.id, d.text, "en", mentions=(bad,) if "Ada" in d.text else ()) for d in documents]

    monkeypatch.setattr(promoting.reader_from_settings, "load", lambda path: Reader())
    with pytest.raises(promoting.NotFit, match=r"could not be recorded: A score is 7\.0"):
        promoting.try_out(candidate)


def test_the_command_promotes_a_folder_and_names_what_it_accepts(tmp_path: Path, parser: Parser) -> None:
    folder = tiny_folder(tmp_path / "c", parser, 1)
    with pytest.raises(CommandError, match="--reread takes all, none, or a day"):
        call_command("promote", str(folder), reread="perhaps")
    with pytest.raises(CommandError, match="There is no user 'nobody'"):
        call_command("promote", str(folder), by="nobody")
    assert not Deployment.objects.exists()
    call_command("promote", str(folder), reread="2026-03-01")
    assert Deployment.objects.get(active=True).promoted
    with pytest.raises(promoting.NotFit, match="changed or damaged"):
        Checkpoint.objects.update(digest="0" * 64)
        promoting.try_out(Checkpoint.objects.get())


def test_the_command_records_who_promoted(
    tmp_path: Path, parser: Parser, monkeypatch: pytest.MonkeyPatch, django_user_model: type[User]
) -> None:
    monkeypatch.setenv("LOGNAME", "operator")
    adele = django_user_model.objects.create_user("adele")
    for seed, options in ((1, {}), (2, {"by": "adele"})):
        call_command("promote", str(tiny_folder(tmp_path / str(seed), parser, seed)), **options)
    first, second = Event.objects.filter(what="checkpoint promoted").order_by("pk")
    assert (first.by, first.after) == (None, {"account": "operator"})
    assert (second.by, second.after) == (adele, None)
