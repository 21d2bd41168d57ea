"""`manage.py corpus` from articles and notation to annotations and back, without a database."""

import json
from collections import Counter

import pytest
from django.core.management import CommandError, call_command

from extraction.datasets.annotation import load_annotations
from tests.training.corpora.texts import ARTICLE, NOTATION, TEXT
from training.corpora.splits import split_of


@pytest.fixture
def articles(tmp_path):
    path = tmp_path / "articles.jsonl"
    values = {"id": ARTICLE.id, "published": ARTICLE.published, "title": ARTICLE.title, "text": TEXT}
    path.write_text(json.dumps({**values, "sha256": ARTICLE.sha256}) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def notation(tmp_path):
    path = tmp_path / "lagoon.ann"
    path.write_text(NOTATION, encoding="utf-8")
    return path


def run(capsys, *arguments):
    call_command("corpus", *map(str, arguments))
    return capsys.readouterr().out


def test_the_whole_path(tmp_path, articles, notation, capsys):
    out = tmp_path / "out.jsonl"
    assert "2: Lagoon Bank’s chief executive" in run(capsys, "show", articles, "lagoon")
    assert "lagoon  2024-05-01" in run(capsys, "show", articles)
    assert "1 items with 5 relations" in run(capsys, "convert", notation, "--articles", articles, "--out", out)
    assert run(capsys, "validate", out, "--articles", articles) == "No faults.\n"
    assert "acquired" in run(capsys, "stats", out)
    assert "100.0%" in run(capsys, "agreement", out, out)
    assert "[Ada Obi|P ada]" in run(capsys, "read", out, "lagoon", "--articles", articles)
    again = tmp_path / "again.ann"
    again.write_text(run(capsys, "render", out, "lagoon", "--articles", articles), encoding="utf-8")
    run(capsys, "convert", again, "--articles", articles, "--out", tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == out.read_bytes()


def test_a_problem_is_reported_and_nothing_is_written(tmp_path, articles, notation, capsys):
    notation.write_text(NOTATION.replace("| sued |", "| sueed |").replace("by=she#2", "by=Zoe"), encoding="utf-8")
    with pytest.raises(CommandError, match="1 problems; nothing is written"):
        run(capsys, "convert", notation, "--articles", articles, "--out", tmp_path / "out.jsonl")
    assert "“Zoe” is not marked in line 3" in capsys.readouterr().err
    assert not (tmp_path / "out.jsonl").exists()


def test_an_item_that_stands_in_two_files_is_refused(tmp_path, articles, notation, capsys):
    with pytest.raises(CommandError):
        run(capsys, "convert", notation, notation, "--articles", articles, "--out", tmp_path / "out.jsonl")
    assert "annotated twice" in capsys.readouterr().err


def test_a_fault_of_a_saved_file_is_reported(tmp_path, articles, notation, capsys):
    out = tmp_path / "out.jsonl"
    run(capsys, "convert", notation, "--articles", articles, "--out", out)
    out.write_text(out.read_text(encoding="utf-8").replace('"acquired"', '"capital"'), encoding="utf-8")
    with pytest.raises(CommandError, match="1 faults"):
        run(capsys, "validate", out, "--articles", articles)
    assert "lagoon: relation 0: capital goes from L to L" in capsys.readouterr().err


def test_an_item_lies_in_one_split_for_all_time(tmp_path, articles, notation, capsys):
    saved = tmp_path / "saved.jsonl"
    call_command("corpus", "convert", str(notation), "--articles", str(articles), "--out", str(saved))
    call_command("corpus", "split", str(saved), "--out", str(tmp_path / "split"))
    found = {part.stem: [one.id for one in load_annotations(part)] for part in (tmp_path / "split").iterdir()}
    assert set(found) == {"train", "dev", "test"}
    assert sorted(one for ids in found.values() for one in ids) == sorted(one.id for one in load_annotations(saved))
    assert all(split_of(one) == name for name, ids in found.items() for one in ids)
    # These two never move: a figure on test is of articles that no run has trained on.
    assert split_of("VOA_EN_NW_2009.12.09.416313") == "dev" and split_of("a") == "test" and split_of("b") == "train"


def test_about_a_tenth_of_items_is_dev_and_another_test():
    parts = Counter(split_of(str(number)) for number in range(1000))
    assert 70 < parts["dev"] < 130 and 70 < parts["test"] < 130
