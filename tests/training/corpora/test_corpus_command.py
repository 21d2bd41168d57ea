"""`manage.py corpus` from articles and notation to annotations and back, without a database."""

import json

import pytest
from django.core.management import CommandError, call_command

from tests.training.corpora.texts import ARTICLE, NOTATION, TEXT


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
