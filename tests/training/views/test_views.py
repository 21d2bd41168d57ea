"""The pages of training: data sets uploaded and checked, runs launched, watched, cancelled, compared; examples."""

from __future__ import annotations

import io
import json
import re
import uuid
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from extraction.models import Checkpoint
from kgbuilder.conf.environment import ROOT
from knowledge.models import Event, Statement
from knowledge.recording import reviews
from tests import records
from tests.factories import make_checkpoint, make_post, make_user, read_post
from tests.markup import markup
from training.data import uploads
from training.forms import LaunchForm
from training.jobs import progress_protocol
from training.jobs import queue as jobs_queue
from training.models import Dataset, EvaluatedExample, Evaluation, Promotion, TrainingRun
from training.views import access, promotion

pytestmark = pytest.mark.django_db
FIXTURES = ROOT / "tests" / "fixtures" / "datasets"
COUNTS = {"examples": 3, "words": 9.0, "longest": 12, "mentions": [["PER", 4]], "relations": [["Kill", 2]]}
COUNTS |= {"pictures": 0, "boxes": 0, "facts": 0, "report": [["mentions", 4]]}


@pytest.fixture
def admin(client: Client, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Client:
    described = access.description()  # made once, in the folder of the tests
    settings.DATA_DIR = tmp_path
    for module in ("datasets", "runs", "checkpoints", "evaluations"):
        monkeypatch.setattr(f"training.views.{module}.ring", lambda lane: None)
    monkeypatch.setattr(access.system_descriptions, "described", lambda folder: described)
    client.force_login(make_user("admin"))
    return client


def html(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, path
    return markup(response)


def make_dataset(name: str = "conll04", format: str = "conll04", **fields: Any) -> Dataset:
    values = {"root": str(FIXTURES), "state": "done", "counts": dict.fromkeys(("train", "dev", "test"), COUNTS)}
    return Dataset.objects.create(name=name, format=format, **(values | fields))


def make_run(**fields: Any) -> TrainingRun:
    run = TrainingRun.objects.create(**({"system": "eega", "folder": "", "config": {"epochs": 3}} | fields))
    if run.state == "waiting":
        jobs_queue.wait(run)
    return run


def zipped(**files: bytes) -> SimpleUploadedFile:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return SimpleUploadedFile("set.zip", held.getvalue())


def conll04() -> dict[str, bytes]:
    return {f"wrapped/inner/{path.name}": path.read_bytes() for path in (FIXTURES / "conll04").iterdir()}


def test_a_snapshot_of_labels_becomes_a_data_set_once(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.views.labels.ring", lambda lane: None)
    page = admin.post("/training/labels/snapshot/", follow=True)
    assert "there are no labels" in markup(page) and not Dataset.objects.exists()
    records.checkpoint()
    post = records.post("Ann Lee works for Acebush.")
    records.read(post, [("Ann Lee", "person"), ("Acebush", "organization")], [("Ann Lee", "employer", "Acebush")])
    post.refresh_from_db()
    reviews.review(post, Statement.objects.get(), "reject", None)
    assert "1 posts, with 0 relations that are right and 1 that are wrong" in markup(
        admin.post("/training/labels/snapshot/", follow=True)
    )
    made = Dataset.objects.get()
    assert made.format == made.name and made.name.startswith("labels-2") and made.state == Dataset.State.WAITING
    assert (Path(made.root) / "labels" / made.name.removeprefix("labels-") / "train.jsonl").is_file()
    assert "Nothing was judged since" in markup(admin.post("/training/labels/snapshot/", follow=True))
    assert Dataset.objects.count() == 1 and Event.objects.filter(what="labels snapshot").count() == 1
    assert "from reviews" in html(admin, "/training/datasets/")
    admin.force_login(make_user("editor"))
    assert admin.post("/training/labels/snapshot/").status_code == 403


def upload(client: Client, file: Any, name: str = "mine", format: str = "conll04") -> Any:
    return client.post(
        "/training/datasets/upload/", {"upload-name": name, "upload-format": format, "upload-files": file}
    )


def check(dataset: Dataset) -> Dataset:
    call_command("check_dataset", dataset=dataset.pk)
    dataset.refresh_from_db()
    return dataset


def test_the_error_of_a_damaged_upload_names_no_place_of_the_server(
    admin: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    upload(admin, zipped(**{name: b"{" if "train" in name else content for name, content in conll04().items()}))
    with pytest.raises(SystemExit):
        check(Dataset.objects.get())
    printed = capsys.readouterr().err
    assert printed.startswith("conll04/conll04_train.json, line 1: not JSON")
    assert str(Path(Dataset.objects.get().root).parent) not in printed


def test_an_uploaded_archive_is_unwrapped_read_by_its_loader_and_counted(admin: Client) -> None:
    assert upload(admin, zipped(**conll04(), **{"wrapped/inner/notes.pkl": b"x"})).status_code == 302
    found = check(Dataset.objects.get())
    assert (found.state, found.uploaded) == ("waiting", True)  # the trainer puts down the end
    assert sorted(path.name for path in Path(found.root, "conll04").iterdir()) == sorted(
        path.name for path in (FIXTURES / "conll04").iterdir()
    )
    assert found.counts["train"]["examples"] > 0
    assert dict(found.counts["train"]["relations"])
    page = html(admin, f"/training/datasets/{found.pk}/")
    assert "examples" in page and "Audit" in page
    assert list(Event.objects.values_list("what", flat=True)) == ["data set added"]


def test_files_can_be_sent_one_by_one(admin: Client) -> None:
    files = [SimpleUploadedFile(path.name, path.read_bytes()) for path in (FIXTURES / "conll04").iterdir()]
    assert upload(admin, files).status_code == 302
    assert check(Dataset.objects.get()).counts["train"]["examples"] == 2


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("../../evil.txt", b"x", "cannot be the name"),
        ("/etc/evil.txt", b"x", "cannot be the name"),
        ("a\\..\\..\\evil.txt", b"x", "cannot be the name"),
        ("data.pkl", b"x", "It contains no data set files"),
        ("large.txt", b"0" * 9_000_000, "Unpacked it is more than"),
    ],
)
def test_hostile_archives_are_refused_with_a_sentence_and_leave_nothing(
    admin: Client, tmp_path: Path, settings: Any, name: str, content: bytes, sentence: str
) -> None:
    settings.DATASET_MB = 2
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    response = upload(admin, SimpleUploadedFile("set.zip", held.getvalue()))
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert not Dataset.objects.exists()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_links_and_broken_archives_are_refused(admin: Client) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        link = zipfile.ZipInfo("train.txt")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    assert "is a link" in upload(admin, SimpleUploadedFile("set.zip", held.getvalue())).content.decode()
    broken = SimpleUploadedFile("set.zip", b"PK\x03\x04 this is none")
    assert "cannot be read" in upload(admin, broken).content.decode()
    assert "Choose a zip archive" in upload(admin, []).content.decode()


def test_an_upload_beyond_the_limit_is_refused(admin: Client, settings: Any) -> None:
    settings.DATASET_MB = 1
    response = upload(admin, SimpleUploadedFile("train.txt", b"0" * 1_100_000))
    assert "more than 1 MB" in response.content.decode()


def test_a_broken_line_is_named_by_file_and_place(admin: Client, capsys: pytest.CaptureFixture[str]) -> None:
    files = conll04()
    name = next(one for one in files if "train" in one)
    rows = json.loads(files[name])
    rows[1]["relations"] = [{"type": "Adores", "head": 0, "tail": 1}]
    upload(admin, zipped(**{**files, name: json.dumps(rows).encode()}))
    with pytest.raises(SystemExit):
        check(Dataset.objects.get())
    message = progress_protocol.parse_report(capsys.readouterr().out.strip("\n").split("\n")[-1])
    assert message is not None
    assert "conll04_train.json, sentence 2: unknown relation 'Adores'" in message["error"]


def test_only_what_lies_in_the_folder_of_data_sets_can_be_named(admin: Client, settings: Any) -> None:
    settings.DATASETS_DIR = FIXTURES
    page = html(admin, "/training/datasets/")
    assert 'value="conll04:."' in page
    for place in ("conll04:..", "conll04:/etc", "passwd:."):
        assert admin.post("/training/datasets/name/", {"named-place": place}).status_code == 422
    assert admin.post("/training/datasets/name/", {"named-place": "conll04:."}).status_code == 302
    found = Dataset.objects.get()
    assert (found.name, found.root, found.uploaded) == ("conll04", str(FIXTURES), False)
    asked = admin.post(f"/training/datasets/{found.pk}/change/", {"do": "remove"})
    assert b"Remove the data set" in asked.content and Dataset.objects.filter(pk=found.pk).exists()
    admin.post(f"/training/datasets/{found.pk}/change/", {"do": "remove", "sure": "yes"})
    assert not Dataset.objects.exists()
    assert (FIXTURES / "conll04").is_dir()


def launch(client: Client, system: str = "eega", **changes: Any) -> Any:
    """Sends the launch form with what it shows filled in."""
    page = client.get(f"/training/runs/new/?system={system}").content.decode()
    data: dict[str, Any] = {"system": system, "datasets": [one.pk for one in Dataset.objects.all()]}
    for tag in re.findall(r"<input[^>]*>", page):
        found = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if found.get("type") in ("text", "number") or (found.get("type") == "checkbox" and " checked" in tag):
            data[found["name"]] = found.get("value", "on" if found["type"] == "checkbox" else "")
    for name, options in re.findall(r'<select name="([^"]+)".*?>(.*?)</select>', page, re.S):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
        assert chosen
        data[name] = chosen[1]
    return client.post("/training/runs/new/", data | changes)


def test_a_run_is_launched_with_every_setting_a_seed_each(admin: Client) -> None:
    dataset = make_dataset()
    assert launch(admin, seeds="1, 2, 5", name="trial", **{"t-epochs": "2", "n-band": "9"}).status_code == 302
    runs = list(TrainingRun.objects.order_by("seed"))
    assert [run.seed for run in runs] == [1, 2, 5]
    assert len({run.batch for run in runs}) == 1
    run = runs[2]
    assert (run.state, str(run), list(run.datasets.all())) == ("waiting", "trial, seed 5", [dataset])
    assert (run.config["epochs"], run.config["network"]["band"], run.config["seed"]) == (2, 9, 5)
    assert run.config["data"] == ["conll04"]
    assert Event.objects.filter(what="run launched").count() == 3
    assert [jobs_queue.place(one) for one in runs] == [0, 1, 2]


def test_the_finder_of_mentions_is_chosen_among_checkpoints_that_find_them(admin: Client, tmp_path: Path) -> None:
    make_dataset("mnre", "mnre")
    for head in ("tags", "pair"):
        (tmp_path / head).mkdir()
        (tmp_path / head / "config.json").write_text(json.dumps({"head": head}))
    tagger, pairs, _ = (make_checkpoint(name=head) for head in ("tags", "pair", "gone"))
    for one in Checkpoint.objects.all():
        one.path = str(tmp_path / one.name)
        one.save()
    tagger.refresh_from_db()
    assert launch(admin, "mtb", mentions=tagger.pk).status_code == 302
    assert TrainingRun.objects.get().config["mentions"] == tagger.path
    assert launch(admin, "mtb", mentions=pairs.pk).status_code == 422
    assert 'name="mentions"' not in html(admin, "/training/runs/new/?system=eega")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"datasets": []}, "Choose at least one data set"),
        ({"seeds": "one"}, "whole numbers"),
        ({"seeds": ", ".join(map(str, range(40)))}, "different numbers"),
        ({"t-epochs": "many"}, "Enter a whole number"),
        ({"t-encoder_rate": "-1"}, "greater than or equal to 0"),
        ({"device": "cuda:99"}, "not one of the available choices"),
    ],
)
def test_a_form_with_invalid_values_launches_nothing(admin: Client, changes: dict[str, Any], sentence: str) -> None:
    make_dataset()
    response = launch(admin, **changes)
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert not TrainingRun.objects.exists()


def test_what_a_page_needs_of_the_loaders_loads_no_torch() -> None:
    from tests.test_architecture import loaded_by

    code = "import django; django.setup()\nfrom training.views import access; access.formats()"
    assert loaded_by(code) & {"torch", "spacy", "transformers"} == set()


def test_every_system_has_a_form_with_its_own_settings(admin: Client) -> None:
    systems = access.description()["systems"]
    page = html(admin, "/training/runs/new/")
    for name, about in systems.items():
        assert f"?system={name}" in page
        form = html(admin, f"/training/runs/new/?system={name}")
        for setting in about["network"]:
            assert f'name="n-{setting["name"]}"' in form
        for recipe in about["recipes"]:
            html(admin, f"/training/runs/new/?system={name}&recipe={recipe['name']}")


SMALL, NONE = "a small network with random weights", "none; pictures are not used"


@pytest.mark.parametrize(
    ("system", "recipe", "empty", "ticked", "built"),
    [
        ("focalmre", "ours-focalmre", SMALL, True, True),
        ("focalmre", "the-paper-s", SMALL, True, True),  # it names a trained one, and cannot do without
        ("rsrnet", "ours-rsrnet", SMALL, True, True),
        ("rsrnet", "ours-rsrnet-twitter2017", NONE, False, False),
        ("relformer", "ours-relformer", NONE, False, False),
        ("relformer", "the-paper-s", NONE, True, False),
    ],
)
def test_the_form_explains_an_empty_vision_encoder(
    system: str, recipe: str, empty: str, ticked: bool, built: bool
) -> None:
    described = access.description()
    chosen = next(one for one in described["systems"][system]["recipes"] if one["name"] == recipe)
    form = LaunchForm(described, system, chosen)
    assert form.fields["vision"].help_text.endswith(f"Empty: {empty}")
    assert form.initial["pictures"] is ticked
    assert bool(form._vision("")) is built and form._vision("some/model") == {"source": "some/model"}


def test_pictures_are_refused_where_no_network_uses_them(admin: Client) -> None:
    make_dataset("gmner", "gmner")
    response = launch(admin, "relformer", pictures="on")
    assert response.status_code == 422 and "Pictures need a vision encoder" in response.content.decode()
    assert launch(admin, "relformer").status_code == 302
    assert (TrainingRun.objects.get().config["vision"], TrainingRun.objects.get().config["images"]) == ({}, "")
    assert launch(admin, "relformer", pictures="on", vision="some/model").status_code == 302


def test_a_runs_page_shows_its_curves_log_and_what_is_left(admin: Client) -> None:
    run = make_run(
        state="running",
        lease_until=timezone.now() + jobs_queue.LEASE,
        progress={
            **{"step": 20, "steps": 100, "epoch": 1, "left": 300, "phase": "training"},
            "curves": {"loss total": [[1, 3.0], [20, 1.5]], "dev f1": [[10, 0.25], [20, 0.5]]},
        },
        log="reading <conll04>\n",
    )
    page = html(admin, f"/training/runs/{run.pk}/")
    assert "step 20 of 100 · epoch 1 of 3" in page and "5 minutes left" in page
    assert "reading &lt;conll04&gt;" in page
    assert page.count('<g class="line') == 2 and "50.0 %" in page
    assert f'data-live="/training/runs/{run.pk}/live/"' in page
    assert 'http-equiv="refresh"' in page
    live = admin.get(f"/training/runs/{run.pk}/live/")
    assert live.headers["X-Ended"] == "" and "<html" not in live.content.decode()
    TrainingRun.objects.update(state="failed", error="The disk is full.")
    assert admin.get(f"/training/runs/{run.pk}/live/").headers["X-Ended"] == "1"
    assert "The disk is full." in html(admin, f"/training/runs/{run.pk}/")


def test_a_run_that_waits_for_another_is_not_reported_as_stuck(admin: Client) -> None:
    now = timezone.now()
    waiting = make_run(state="waiting")
    TrainingRun.objects.update(due_at=now - timedelta(hours=1))
    address, warning = f"/training/runs/{waiting.pk}/", "This run has been waiting for several minutes"
    assert warning in html(admin, address)
    make_run(state="running", lease_until=now - timedelta(minutes=5))
    assert warning in html(admin, address)
    make_run(state="running", lease_until=now + jobs_queue.LEASE)
    assert warning not in html(admin, address)


def test_a_run_is_cancelled_and_resumed(admin: Client) -> None:
    run = make_run()
    address = f"/training/runs/{run.pk}/change/"
    admin.post(address, {"do": "cancel"})
    run.refresh_from_db()
    assert run.state == "stopped"
    admin.post(address, {"do": "resume"})
    work = jobs_queue.claim((TrainingRun,), "trainer")
    assert work is not None
    admin.post(address, {"do": "cancel"})
    assert jobs_queue.renew(work) == jobs_queue.STOP
    assert "stopping" in html(admin, f"/training/runs/{run.pk}/")
    jobs_queue.end(work, "done")
    admin.post(address, {"do": "resume"})
    run.refresh_from_db()
    assert run.state == "done"
    assert list(Event.objects.order_by("pk").values_list("what", flat=True)) == [
        "run cancel",
        "run resume",
        "run cancel",
    ]


def make_evaluation(checkpoint: Any, dataset: Dataset, right: int, **fields: Any) -> Evaluation:
    figure = {"name": "relations", "right": right, "found": 40, "gold": 40, "interval": [0.4, 0.8]}
    figure |= dict.fromkeys(("precision", "recall", "f1"), right / 40)
    metrics = {"figures": [figure], "by_label": [["Kill", right, 40, 40]], "confusion": [["Kill", "Kill", right]]}
    metrics["confusion"] += [["Kill", "(none)", 40 - right]]  # type: ignore[operator]
    made = Evaluation.objects.create(
        checkpoint=checkpoint, dataset=dataset, split="test", state="done", metrics=metrics, **fields
    )
    EvaluatedExample.objects.bulk_create(
        EvaluatedExample(
            evaluation=made,
            position=n,
            right=int(n < right),
            found=1,
            gold=1,
            faults="" if n < right else " missed ",
            labels=" Kill ",
            content={
                "words": ["Ann", "shot", "<Bob>", "."],
                "gold": {"mentions": [[0, 1, "Peop"], [2, 3, "Peop"]]},
                "found": {"mentions": [[0, 1, "Peop"]]},
                "judged": [
                    {
                        "kind": "right" if n < right else "missed",
                        **{"head": [0, 1], "tail": [2, 3], "gold": "Kill", "found": "", "score": None},
                    }
                ],
            },
        )
        for n in range(40)
    )
    return made


def test_runs_are_compared_by_settings_curves_figures_and_a_paired_bootstrap(admin: Client) -> None:
    dataset, batch = make_dataset(), uuid.uuid4()
    for seed, right in ((1, 10), (2, 30)):
        checkpoint = make_checkpoint(name=f"c{seed}", active=False)
        make_evaluation(checkpoint, dataset, right)
        curve = {"curves": {"dev f1": [[1, 0.1 * seed], [2, 0.2 * seed]]}}
        config = {"seed": seed, "epochs": 3}
        make_run(
            batch=batch, seed=seed, name=f"r{seed}", state="done", checkpoint=checkpoint, progress=curve, config=config
        )
    page = html(admin, f"/training/runs/compare/?batch={batch}")
    assert page.count('<g class="line') == 2
    assert '<th scope="col">seed</th>' in page and '<th scope="col">epochs</th>' not in page
    assert "+50.0" in page and "not significant" not in page
    assert "50.0 ± 35.4" in page
    first, second = TrainingRun.objects.order_by("seed")
    turned = html(admin, f"/training/runs/compare/?run={second.pk}&run={first.pk}")
    assert "−50.0" in turned
    html(admin, "/training/runs/compare/?batch=nonsense&run=x&run=99999999999999999999")


def test_runs_measured_on_other_examples_are_not_called_the_first(admin: Client) -> None:
    dataset, batch = make_dataset(), uuid.uuid4()
    for seed in (1, 2):
        checkpoint = make_checkpoint(name=f"c{seed}", active=False)
        made = make_evaluation(checkpoint, dataset, 10, ended_at=timezone.now())
        made.examples.filter(position__gte=30 * seed).delete()
        make_run(batch=batch, seed=seed, name=f"r{seed}", state="done", checkpoint=checkpoint, config={"seed": seed})
    page = html(admin, f"/training/runs/compare/?batch={batch}")
    assert page.count(">first<") == 1 and page.count("evaluated on other examples") == 1


def test_an_evaluations_page_and_its_examples(admin: Client) -> None:
    made = make_evaluation(make_checkpoint(active=False), make_dataset(), 30)
    page = html(admin, f"/training/evaluations/{made.pk}/")
    assert "75.0" in page and "<b>10</b> missed" in page
    assert "Kill predicted as (none): 10 of 40" in page
    shown = html(admin, f"/training/evaluations/{made.pk}/examples/")
    assert "10 shown" in shown and "&lt;Bob&gt;" in shown and "<Bob>" not in shown
    assert shown.count('class="span differs"') == 10
    assert "40 shown" in html(admin, f"/training/evaluations/{made.pk}/examples/?fault=all&label=Kill")
    assert "0 shown" in html(admin, f"/training/evaluations/{made.pk}/examples/?fault=invented")


def test_a_run_that_was_never_scored_on_dev_shows_no_empty_chart(admin: Client) -> None:
    done = make_run(state="done", progress={"curves": {"loss total": [[1, 2.0], [2, 1.0]]}})
    running = make_run(state="running", progress=done.progress)
    assert "Scores on dev" not in html(admin, f"/training/runs/{done.pk}/")
    assert "Scores on dev" in html(admin, f"/training/runs/{running.pk}/")


def test_a_promotion_is_queued_once_and_states_what_is_analysed_again(admin: Client) -> None:
    one, other = make_checkpoint(name="old"), make_checkpoint(name="new", active=False)
    address = f"/training/checkpoints/{other.pk}/promote/"
    assert admin.post(address, {"reread": "since"}).status_code == 422
    assert admin.post(address, {"reread": "since", "since": "2026-03-01"}).status_code == 302
    asked = Promotion.objects.get()
    assert (asked.reread, str(asked.since), asked.state) == ("since", "2026-03-01 00:00:00+00:00", "waiting")
    admin.post(f"/training/checkpoints/{one.pk}/promote/", {"reread": "none"})
    assert Promotion.objects.count() == 1
    assert "Promotion in progress" in html(admin, f"/training/checkpoints/{other.pk}/")
    assert Event.objects.get(what="promotion asked").subject == other.digest


def test_the_card_of_a_promotion_shows_productions_figures_and_what_its_thresholds_change(admin: Client) -> None:
    production = make_checkpoint(0.5, name="old")
    names = [("Ann", "person"), ("Acme", "organization"), ("Bonn", "location")]
    relations = [("Ann", "employer", "Acme", 0.6), ("Ann", "residence", "Bonn", 0.4), ("Acme", "location", "Bonn", 0.9)]
    read_post(make_post("Ann of Acme in Bonn"), names, relations)
    better = make_checkpoint(name="new", active=False)
    Checkpoint.objects.filter(pk=better.pk).update(thresholds={"default": 0.7, "residence": 0.3})
    dataset = make_dataset()
    for checkpoint, score in ((production, 0.5), (better, 0.42)):
        figures = [{"name": "relations", "precision": score, "recall": score, "f1": score}]
        Evaluation.objects.create(
            checkpoint=checkpoint, dataset=dataset, split="test", state="done", metrics={"figures": figures}
        )
    shown = " ".join(re.sub("<[^>]+>", " ", html(admin, f"/training/checkpoints/{better.pk}/")).split())
    assert "1 assertion would become active, 1 would no longer be" in shown
    assert "conll04, test relations 42.0 lower 50.0" in shown
    assert "It scores lower than production" in shown


def test_figures_of_the_test_after_training_are_compared_on_the_same_data_alone() -> None:
    row = {"dataset": "news", "asserted": {"right": 3, "predicted": 4, "gold": 8}}
    old, new = make_checkpoint(name="old"), make_checkpoint(name="new", active=False)
    old.metrics = {"test": [row, {"dataset": "tweets", "asserted": {"right": 1, "predicted": 1, "gold": 1}}]}
    new.metrics = {"test": {"figures": {"f1": 0.9}, "data_sets": [row | {"mentions": {"gold": "many"}}, 7]}}
    [one] = promotion.figures_beside(new, old)
    assert (one.data, one.own, one.production, one.lower) == ("news, test, after training", 0.5, 0.5, False)


def test_a_checkpoint_that_cannot_be_recorded_has_no_way_to_production(admin: Client, tmp_path: Path) -> None:
    make_checkpoint(name="old")
    native = make_checkpoint(name="native", active=False)
    (tmp_path / "config.json").write_text(json.dumps({"inventory": {"types": ["Org"], "relations": []}}))
    Checkpoint.objects.filter(pk=native.pk).update(path=str(tmp_path))
    shown = html(admin, f"/training/checkpoints/{native.pk}/")
    assert "This checkpoint cannot be promoted." in shown and "not in the ontology: Org" in shown
    assert re.search(r"<button[^>]*disabled[^>]*>\s*Promote", shown)
    admin.post(f"/training/checkpoints/{native.pk}/promote/", {"reread": "none"})
    assert not Promotion.objects.exists()


def test_empty_pages_state_what_to_do(admin: Client) -> None:
    for path in ("", "datasets/", "runs/compare/", "deployments/", "runs/new/?system=eega"):
        assert re.search(
            r"No runs yet|No data sets yet|No deployments yet|No data set is ready", html(admin, f"/training/{path}")
        )


def test_a_data_set_that_is_being_read_is_waited_for(admin: Client) -> None:
    asked = "/training/runs/new/?system=mtb"
    assert "No data set is ready" in html(admin, asked)
    make_dataset(state="running")
    assert "A data set is being checked" in re.sub("<[^>]+>", "", html(admin, asked))


def test_offered_folders_are_one_step_down_at_most(tmp_path: Path) -> None:
    for name in ("conll04", "more/mnre", "more/deeper/conll04"):
        (tmp_path / name).mkdir(parents=True)
    formats = ["conll04", "jmere", "mnre"]
    assert uploads.offered(tmp_path, formats) == [("conll04", "."), ("jmere", "more"), ("mnre", "more")]
    assert uploads.offered(None, formats) == uploads.offered(tmp_path / "absent", formats) == []


@pytest.fixture(autouse=True)
def _bounds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("training.data.statistics.bound_process", lambda: None)
    yield
