"""`manage.py read`: the shape of its JSON, its exit statuses, and what it does with bad input."""

import contextlib
import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from extraction.images import detectors_from_settings
from extraction.management.commands import read
from extraction.reader import known_facts, result_format
from extraction.readings import reader_from_settings
from extraction.readings.inputs import LONGEST_LINE, from_jsonl
from extraction.schema import Declined, Document, EvidencePart, ExtractedMention, Extraction, Region, Relation
from extraction.vision.image_analysis import ImageAnalyser
from knowledge.linking import linker_from_settings
from knowledge.sources import index_builder
from knowledge.sources.protocol import Known, KnownFact
from tests.extraction.images.broken_images import rotated
from tests.extraction.vision.test_image_analysis import Fake

ROOT = Path(__file__).parents[3]
NAMED = {"form": "name", "entity": None}
NAMES = {"Marie Curie": "person", "Warsaw": "location", "Ångström": "person", "1867": "time"}


class NameReader:
    """A reader that finds four names, relates every person to every place as born there, and declines empty texts."""

    name, floor = "names", 0.05

    def __init__(self, thresholds: dict[str, float] | None = None) -> None:
        self.thresholds = thresholds or {"default": 0.5}
        self.batches: list[int] = []

    def read(self, documents: list[Document]) -> list[Extraction]:
        self.batches.append(len(documents))
        return [self._read(document) for document in documents]

    def _read(self, document: Document) -> Extraction:
        text = document.text
        if not text.strip():
            return Extraction(document.id, text, declined=Declined("empty", "This text is empty."))
        if "breaks" in text:
            return Extraction(document.id, text, declined=Declined("failed", "The reader failed on this text."))
        mentions = sorted(
            (
                ExtractedMention(place, place + len(name), kind, 0.9)
                for name, kind in NAMES.items()
                if (place := text.find(name)) >= 0
            ),
            key=lambda mention: mention.start,
        )
        relations = []
        for h, head in enumerate(mentions):
            for t, tail in enumerate(mentions):
                if (head.type, tail.type) == ("person", "location"):
                    relations += [Relation(h, t, "place_of_birth", 0.81239), Relation(h, t, "peer", 0.2)]
                if (head.type, tail.type) == ("person", "time"):
                    relations.append(Relation(h, t, "date_of_birth", 0.6))
        return Extraction(document.id, text, "en", tuple(mentions), tuple(relations), missing=("windowed",))


@pytest.fixture
def reader(monkeypatch) -> NameReader:
    made = NameReader()
    monkeypatch.setattr(reader_from_settings, "load", lambda folder: made)
    return made


def run(*args: str, **options: object) -> tuple[int, list[str], str]:
    """(exit status, lines of stdout, stderr)."""
    out, errors = io.StringIO(), io.StringIO()
    status = 0
    try:
        call_command("read", *args, stdout=out, stderr=errors, **options)
    except SystemExit as end:
        status = int(end.code or 0)
    except CommandError as error:
        status = error.returncode
        errors.write(str(error))
    return status, out.getvalue().splitlines(), errors.getvalue()


def objects(lines: list[str]) -> list[dict]:
    return [json.loads(line) for line in lines]


# ------------------------------------------------------------------------------------------------ JSON and its shape


def test_an_object_has_every_key_and_offsets_count_code_points(reader):
    status, lines, _ = run("𝕊o: Ångström, then Marie Curie of Warsaw.", "--json")
    assert status == 0 and len(lines) == 1
    found = json.loads(lines[0])
    text = found["text"]
    assert found == {
        "schema": "kgbuilder.read/1",
        "id": "1",
        "checkpoint": "names",
        "threshold": 0.5,
        "language": "en",
        "text": "𝕊o: Ångström, then Marie Curie of Warsaw.",
        "mentions": [
            {"start": 4, "end": 12, "text": "Ångström", "type": "person", **NAMED, "score": 0.9},
            {"start": 19, "end": 30, "text": "Marie Curie", "type": "person", **NAMED, "score": 0.9},
            {"start": 34, "end": 40, "text": "Warsaw", "type": "location", **NAMED, "score": 0.9},
        ],
        "entities": [],
        "quintuples": [
            {
                "head": {"start": start, "end": end, "text": text[start:end], "type": "person", **NAMED},
                "tail": {"start": 34, "end": 40, "text": "Warsaw", "type": "location", **NAMED},
                "relation": "place_of_birth",
                "property": "P19",
                "score": 0.8124,
                "factuality": "stated",
                "by": None,
                "when": None,
                "amount": None,
            }
            for start, end in ((4, 12), (19, 30))
        ],
        "denied": [],
        "missing": ["windowed"],
        "declined": None,
    }
    for end in (*found["mentions"], *(quintuple["tail"] for quintuple in found["quintuples"])):
        assert text[end["start"] : end["end"]] == end["text"]


def test_a_declined_text_is_an_object_and_no_failure(reader):
    status, lines, _ = run("  ", "--json")
    (found,) = objects(lines)
    assert status == 0
    assert found["declined"] == {"code": "empty", "message": "This text is empty."}
    assert found["mentions"] == found["quintuples"] == []


def test_relations_have_thresholds_of_their_own_and_settings_replace_the_checkpoints(reader, settings):
    text = "Marie Curie, born 1867 in Warsaw."

    def relations() -> list[str]:
        (found,) = objects(run(text, "--json")[1])
        return [quintuple["relation"] for quintuple in found["quintuples"]]

    assert relations() == ["date_of_birth", "place_of_birth"]
    reader.thresholds = {"default": 0.5, "date_of_birth": 0.7, "peer": 0.1}
    assert relations() == ["peer", "place_of_birth"]
    settings.THRESHOLD = {"default": 0.7}
    assert relations() == ["place_of_birth"]
    settings.THRESHOLD = {"date_of_birth": 0.1}
    assert relations() == ["date_of_birth", "peer", "place_of_birth"]


def test_a_relation_to_a_region_and_an_unknown_label_do_not_break_the_output():
    mentions = (ExtractedMention(0, 3, "per"), ExtractedMention(4, 7, "loc"))
    relations = (Relation(0, Region((0, 0, 1, 1)), "depicts"), Relation(0, 1, "/per/loc/seen_in"))
    extraction = Extraction("1", "Ada Rom", "en", mentions, relations)
    (quintuple,) = result_format.as_json(extraction, "x", {"default": 0.5})["quintuples"]
    assert quintuple["relation"] == "/per/loc/seen_in" and quintuple["property"] is None
    assert any("/per/loc/seen_in" in line for line in result_format.as_table(extraction, {"default": 0.5}))


# -------------------------------------------------------------------------------------------------------- JSON lines


BAD = [
    ("{", "Line 2 is not JSON"),
    ("[" * 200_000, "Line 2 is not JSON"),
    ("[1]", "Line 2 is no JSON object"),
    ('{"id": "x"}', "Line 2: `text` is missing"),
    ('{"text": 3}', "Line 2: `text` is not a text"),
    ('{"text": "a", "id": [1]}', "Line 2: `id` is neither"),
    ('{"text": "a", "title": 1}', "Line 2: `title` is not a text"),
    ('{"text": "a", "id": ' + "9" * 5000 + "}", "Line 2 is not JSON"),
    (b'{"text": "\xff"}', "Line 2 is not UTF-8 (byte 10)"),
]


@pytest.mark.parametrize(("line", "message"), BAD, ids=range(len(BAD)))
def test_a_bad_line_gets_its_object_and_the_rest_go_on(reader, tmp_path, line, message):
    bad = line if isinstance(line, bytes) else line.encode()
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"id": "a", "text": "Warsaw"}\n' + bad + b'\n\n{"id": 7, "text": "Marie Curie"}')
    status, lines, _ = run("--jsonl", str(path), "--json")
    found = objects(lines)
    assert status == 1 and [row["id"] for row in found] == ["a", "x" if '"x"' in str(line) else "2", "7"]
    assert found[1]["declined"]["code"] == "input" and found[1]["declined"]["message"].startswith(message)
    assert set(found[1]) == set(found[0])
    assert [len(row["mentions"]) for row in found] == [1, 0, 1]


def test_a_title_stands_before_a_blank_line_and_what_no_database_takes_is_removed(reader, tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text(
        '\ufeff{"id": "1", "title": "Marie\\u0000 Curie", "text": "In Warsaw\\ud800.\\r\\nFin"}\n'
        '{"text": "", "title": "Only"}',
        encoding="utf-8",
    )
    first, second = objects(run("--jsonl", str(path), "--json")[1])
    assert first["text"] == "Marie Curie\n\nIn Warsaw.\r\nFin"
    assert second["text"] == "Only" and second["id"] == "2"
    (item, _) = from_jsonl(io.BytesIO(path.read_bytes()))
    assert item.document is not None and item.document.title_end == len("Marie Curie")


class LongLine(io.RawIOBase):
    """Bytes of one line that never ends within any limit, then one good line; made as they are read."""

    def __init__(self) -> None:
        self.left = 3 * LONGEST_LINE
        self.then = io.BytesIO(b'\n{"id": "after", "text": "Warsaw"}\n')

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        size = min(len(buffer), self.left)
        if not size:
            return self.then.readinto(buffer)
        buffer[:size] = b"x" * size
        self.left -= size
        return size


def test_a_line_over_the_limit_is_refused_and_the_next_one_read():
    long, after = from_jsonl(io.BufferedReader(LongLine()))
    assert long.id == "1" and long.problem is not None and "longer than 16 MB" in long.problem.message
    assert after.id == "after" and after.document is not None


def test_lines_are_read_in_batches_as_they_come(reader, tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text("".join(f'{{"id": {n}, "text": "Warsaw {n}"}}\n' for n in range(read.BATCH * 2 + 3)))
    status, lines, _ = run("--jsonl", str(path), "--json")
    assert status == 0 and [row["id"] for row in objects(lines)] == [str(n) for n in range(read.BATCH * 2 + 3)]
    assert reader.batches == [read.BATCH, read.BATCH, 3]


def test_a_failed_text_makes_status_1_and_the_others_are_read(reader, tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "breaks"}\n{"text": "Warsaw"}\n')
    status, lines, _ = run("--jsonl", str(path), "--json")
    assert status == 1 and [bool(row["declined"]) for row in objects(lines)] == [True, False]


# ---------------------------------------------------------------------------------------------- files, pages, people


def test_a_file_is_read_and_one_that_is_no_utf8_is_declined(reader, tmp_path):
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    good.write_text("\ufeffWarsaw", encoding="utf-8")
    bad.write_bytes(b"Krak\xf3w")
    assert objects(run("--file", str(good), "--json")[1])[0]["text"] == "Warsaw"
    status, lines, _ = run("--file", str(bad), "--json")
    assert status == 1 and "not UTF-8 (byte 4)" in objects(lines)[0]["declined"]["message"]


PAGE = "<html><head><title>x</title></head><body><article><h1>A life</h1>{}</article></body></html>".format(
    "".join(
        f"<p>Paragraph {n}: Marie Curie was born in Warsaw and went on to study in another town.</p>" for n in range(9)
    )
)


@pytest.mark.parametrize(
    ("content", "code"), [(PAGE, None), ("<html><body></body></html>", "no_article"), (None, "fetch")]
)
def test_a_page_is_fetched_by_the_guarded_client(reader, monkeypatch, content, code):
    from extraction.crawler import http_client

    def get(url: str, **_: object) -> SimpleNamespace:
        if content is None:
            raise http_client.FetchError("address", "it lies on a private address.")
        return SimpleNamespace(url=url, content=content.encode(), content_type="text/html; charset=utf-8")

    monkeypatch.setattr(http_client, "get", get)
    status, lines, _ = run("--url", "https://news.example/a", "--json")
    (found,) = objects(lines)
    assert found["id"] == "https://news.example/a"
    if code is None:
        assert status == 0 and "Marie Curie" in found["text"] and found["quintuples"]
    else:
        assert status == 1 and found["declined"]["code"] == code


def test_people_get_a_table_without_what_a_terminal_would_obey(reader):
    status, lines, _ = run("Marie\x1b[31m Curie? Marie Curie,\nborn 1867 in Warsaw.")
    assert status == 0
    table = [line.split("  ") for line in lines]
    assert lines[0] == "1: Marie[31m Curie? Marie Curie, born 1867 in Warsaw."
    assert "  People     Marie Curie" in lines
    rows = [[cell.strip() for cell in row if cell.strip()] for row in table if "P19" in row[-1] or "P569" in row[-1]]
    assert rows == [
        ["0.81", "Marie Curie (person)", "place of birth", "Warsaw (location)", "P19"],
        ["0.60", "Marie Curie (person)", "date of birth", "1867 (time)", "P569"],
    ]
    columns = {line.index("P19" if "P19" in line else "P569") for line in lines if "P19" in line or "P569" in line}
    assert len(columns) == 1


def test_the_table_reports_declined_texts_and_empty_results(reader):
    assert run("")[1] == ["1", "  not analysed: This text is empty."]
    assert "  no relation reached its threshold" in run("Warsaw")[1]


# ----------------------------------------------------------------------------------------- the command as a process


def process(*args: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    return subprocess.run([sys.executable, "manage.py", "read", *args], cwd=ROOT, env=environment, capture_output=True)


@pytest.mark.parametrize("args", [[], ["text", "--file", "x"], ["--jsonl", "/nowhere"]])
def test_wrong_use_is_status_2_with_a_sentence(args):
    done = process(*args)
    assert done.returncode == 2 and not done.stdout and done.stderr


def test_a_missing_checkpoint_is_status_3_with_a_remedy(tmp_path):
    done = process("Warsaw", "--checkpoint", str(tmp_path / "none"))
    assert done.returncode == 3 and not done.stdout
    assert b"There is no checkpoint at" in done.stderr and b"--checkpoint" in done.stderr


def test_a_broken_checkpoint_is_status_3(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    done = process("Warsaw", "--checkpoint", str(tmp_path), "--json")
    assert done.returncode == 3 and not done.stdout and b"Traceback" not in done.stderr


SCRIPT = """
import sys
from tests.extraction.readings.test_read_command import NameReader
from extraction.readings import reader_from_settings
reader_from_settings.load = lambda folder: NameReader()
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "read", "--jsonl", "-", "--json"])
"""


def started() -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",  # needs none
        "PYTHONIOENCODING": "latin-1",
    }
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=pipe
    )


LINE = '{"text": "Łódź, not Warsaw"}\n'.encode()


def test_json_is_utf8_whatever_the_locale():
    out, errors = started().communicate(LINE)
    assert json.loads(out.decode("utf-8"))["text"] == "Łódź, not Warsaw" and not errors


def test_a_reader_that_leaves_early_is_no_error():
    child = started()
    assert child.stdin and child.stdout and child.stderr
    child.stdin.write(LINE * read.BATCH)
    child.stdin.flush()
    assert child.stdout.readline()
    child.stdout.close()
    for _ in range(40):
        try:
            child.stdin.write(LINE * read.BATCH)
            child.stdin.flush()
        except BrokenPipeError:
            break
    with contextlib.suppress(BrokenPipeError):
        child.stdin.close()
    assert child.wait() == read.PIPE_CLOSED
    assert child.stderr.read() == b""


def test_ctrl_c_ends_it_with_a_word_and_after_whole_lines():
    child = started()
    assert child.stdin and child.stdout and child.stderr
    child.stdin.write(LINE * read.BATCH)
    child.stdin.flush()
    first = child.stdout.readline()
    child.send_signal(signal.SIGINT)
    rest = child.stdout.read()
    assert child.wait() == read.INTERRUPTED
    assert child.stderr.read() == b"Stopped.\n"
    assert [json.loads(line)["declined"] for line in (first + rest).splitlines()] == [None] * (first + rest).count(
        b"\n"
    )


SMALL: dict[str, Any] = {"heads": 2, "edge_width": 8, "channel_width": 8, "inner": 16, "channel_out": 8, "band": 4}


def untrained(folder: Path) -> Path:
    """A checkpoint with random weights that finds something in every text: its floor and thresholds are 0."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    from extraction.features.cooccurrence import LEVELS, PmiTable
    from extraction.features.featurizer import SHAPES, Featurizer
    from extraction.labels import inventory
    from extraction.networks.eega import EEGAConfig
    from extraction.networks.encoders.text import TextEncoder, tiny
    from extraction.reader.checkpoint import LoadedCheckpoint, Manifest, build
    from extraction.text.parser import Parser

    torch.manual_seed(1)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "Marie", "Curie", "Warsaw", "born"]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    parser, names = Parser.load(), inventory(["conll04"])
    config = EEGAConfig(
        pos=len(parser.pos_labels) + 1,
        edges=len(parser.dep_labels) + 2,
        together=LEVELS,
        types=len(names.types),
        relations=len(names.relations),
        **SMALL,
    )
    architecture = {"source": "tiny", "architecture": tiny()}
    encoder = TextEncoder.blank(tiny(), len(SHAPES))
    manifest = Manifest(
        name="untrained",
        network=config,
        inventory=names,
        encoder=architecture,
        pos=parser.pos_labels,
        deps=parser.dep_labels,
        parser=parser.version,
        floor=0.0,
        thresholds={"default": 0.0},
    )
    featurizer = Featurizer(tokenizer, parser.pos_labels, parser.dep_labels, PmiTable.empty())
    return LoadedCheckpoint(manifest, build("eega", config, encoder), featurizer).save(folder)


def test_the_real_reader_runs_without_database_and_service(tmp_path):
    checkpoint = untrained(tmp_path / "checkpoint")
    path = tmp_path / "in.jsonl"
    lines = ['{"id": "a", "title": "Ö 𝕏", "text": "Marie Curie was born in Warsaw. She left."}', "no", '{"text": "…"}']
    lines.append(
        '{"id": "de", "text": "Der Bundestag hat gestern in Berlin ein neues Gesetz über die Rente beschlossen."}'
    )
    path.write_text("\n".join(lines), encoding="utf-8")
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    environment |= {"TEST_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "manage.py", "read", "--jsonl", str(path), "--json", "--checkpoint", str(checkpoint)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True)
    assert done.returncode == 1, done.stderr.decode()
    read_one, bad, empty, german = (json.loads(line) for line in done.stdout.decode("utf-8").splitlines())
    assert read_one["checkpoint"] == "untrained" and read_one["declined"] is None and read_one["mentions"]
    for end in (*read_one["mentions"], *(row["head"] for row in read_one["quintuples"])):
        assert read_one["text"][end["start"] : end["end"]] == end["text"]
    assert [row["declined"]["code"] for row in (bad, empty, german)] == ["input", "empty", "language"]


# facts


class ToldReader(NameReader):
    """One whose network takes facts."""

    takes_facts = True

    def _read(self, document: Document) -> Extraction:
        return known_facts.marked(super()._read(document), document.facts or ())


def test_a_reader_that_takes_facts_is_shown_the_local_indexes(monkeypatch, settings, tmp_path):
    """Without a database: this test has none."""
    settings.DATA_DIR = tmp_path
    born = KnownFact("P19", "Q2", "Warsaw")
    curie = Known("Q1", "Marie Curie", "physicist", ("Marie Curie",), ("person",), 100, {}, (born,))
    index_builder.build(linker_from_settings.index_path(), "these", [curie])
    monkeypatch.setattr(reader_from_settings, "load", lambda folder: ToldReader())
    status, lines, _ = run("Marie Curie, the physicist, was born in Warsaw in 1867.", json=True)
    [row] = objects(lines)
    assert status == 0
    assert row["facts"] == [
        {"subject": "Marie Curie", "property": "is", "object": "physicist", "source": "Wikidata"},
        {"subject": "Marie Curie", "property": "place of birth", "object": "Warsaw", "source": "Wikidata"},
    ]
    assert {one["relation"]: one["echoes"] for one in row["quintuples"]} == {
        "place_of_birth": True, "date_of_birth": False,
    }  # fmt: skip


def test_a_reader_without_facts_reports_none(reader):
    _, lines, _ = run("Marie Curie was born in Warsaw.", json=True)
    [row] = objects(lines)
    assert "facts" not in row and "echoes" not in row["quintuples"][0]


# pictures


class LookingReader(NameReader):
    """Says what it was given: every relation rests on the first region, and is half as sure without the picture."""

    def _read(self, document: Document) -> Extraction:
        read = super()._read(document)
        if not document.regions:
            return read
        held = (EvidencePart("region", {"region": 0}, 0.75), EvidencePart("word", {"start": 0}, 0.2))
        found = tuple(dataclasses.replace(one, evidence=held, without_image=one.score / 2) for one in read.relations)
        return dataclasses.replace(read, relations=found)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    made = tmp_path / "lying.jpg"
    made.write_bytes(rotated(6))
    return made


def read_with(monkeypatch, capsys, *arguments: str, analyser: object = None) -> tuple[dict[str, Any], str]:
    monkeypatch.setattr(reader_from_settings, "load", lambda folder: LookingReader())
    monkeypatch.setattr(detectors_from_settings, "load", lambda: analyser)
    call_command("read", "Marie Curie came from Warsaw.", "--json", *arguments)
    written = capsys.readouterr()
    return json.loads(written.out), written.err


def test_a_picture_adds_regions_a_scene_and_both_scores(monkeypatch, capsys, photo):
    row, _ = read_with(
        monkeypatch, capsys, "--image", str(photo), "--image", str(photo), analyser=ImageAnalyser(Fake())
    )
    assert [(one["class"], one["image"]) for one in row["regions"]] == [
        ("person", 0),
        ("dog", 0),
        ("person", 1),
        ("dog", 1),
    ]
    assert row["regions"][0]["box"] == [0.1, 0.1, 0.3, 0.8]
    assert {(edge["subject"], edge["object"]) for edge in row["scene_graph"]} == {(0, 1), (1, 0), (2, 3), (3, 2)}
    [born] = row["quintuples"]
    assert born["evidence"] == [{"region": 0, "weight": 0.75}]
    assert born["score_without_image"] == pytest.approx(born["score"] / 2, abs=1e-4)
    assert row["missing"] == ["windowed"]


def test_without_a_picture_there_are_no_keys_of_pictures(monkeypatch, capsys):
    row, errors = read_with(monkeypatch, capsys, analyser=ImageAnalyser(Fake()))
    assert errors == "" and not {"regions", "scene_graph"} & row.keys()
    assert [set(one) & {"evidence", "score_without_image"} for one in row["quintuples"]] == [set()]


def test_a_broken_picture_is_reported_and_the_text_analysed(monkeypatch, capsys, photo, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(photo.read_bytes()[:300])
    row, errors = read_with(
        monkeypatch, capsys, "--image", str(broken), "--image", str(photo), analyser=ImageAnalyser(Fake())
    )
    assert "broken.jpg: This picture cannot be decoded" in errors
    assert row["missing"] == ["windowed", "image"] and row["quintuples"]
    assert {region["image"] for region in row["regions"]} == {0}
    row, errors = read_with(monkeypatch, capsys, "--image", str(photo))
    assert "DETECTOR_WEIGHTS is empty" in errors and row["missing"] == ["windowed", "detector"]


def test_a_picture_goes_with_one_text(monkeypatch, capsys, photo, tmp_path):
    with pytest.raises(CommandError, match="--image goes with") as raised:
        call_command("read", "--url", "https://news.example/", "--image", str(photo))
    assert raised.value.returncode == 2
    with pytest.raises(CommandError, match="cannot be opened") as raised:
        read_with(monkeypatch, capsys, "--image", str(tmp_path / "absent.jpg"))
    assert raised.value.returncode == 2


def test_a_line_may_give_the_day_of_publication():
    rows = [
        {"id": "1", "text": "On Monday it rained.", "published": "2014-03-05"},
        {"id": "2", "text": "It rained.", "published": "yesterday"},
        {"id": "3", "text": "It rained.", "published": 2014},
        {"id": "4", "text": "It rained."},
    ]
    read_in = list(from_jsonl(io.BytesIO("".join(json.dumps(row) + "\n" for row in rows).encode())))
    assert [one.document and one.document.published for one in read_in] == [date(2014, 3, 5), None, None, None]
    problems = [one.problem.message if one.problem else "" for one in read_in]
    assert problems == ["", "Line 2: `published` is no date such as 2014-03-05.", problems[2], ""] and problems[2]
