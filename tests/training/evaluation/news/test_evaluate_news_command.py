"""`manage.py evaluate_news` with a reader that is a function of the text."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from extraction.datasets.annotation import load_annotations, save_annotations
from extraction.datasets.articles import digest, load_articles
from tests.training.evaluation.news import article as a
from training.evaluation.news import reading
from training.evaluation.news.measures import MEASURES


@pytest.fixture(autouse=True)
def reader(settings, tmp_path) -> None:
    settings.EXTRACTOR, settings.CHECKPOINT = "tests.deterministic:Extractor", tmp_path


@pytest.fixture
def corpora(tmp_path, monkeypatch) -> Path:
    """Both corpora with an article or two: in voa the text lies elsewhere."""
    for corpus in reading.CORPORA:
        (tmp_path / corpus).mkdir()
    article = f"Lagoon Bank\n\n{a.TEXT}"
    by_offsets = replace(a.GOLD, id="voa", text=None, sha256=digest(article), mentions=(), relations=())
    save_annotations([by_offsets], tmp_path / "voa" / "dev.jsonl")
    save_annotations([a.GOLD, replace(a.GOLD, id="again")], tmp_path / "newsroom" / "dev.jsonl")
    row = {"id": "voa", "published": "2024-05-01", "title": "Lagoon Bank", "text": article, "sha256": digest(article)}
    (tmp_path / "articles.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    monkeypatch.setattr(reading, "FOLDER", tmp_path)
    return tmp_path


def run(capsys, *arguments) -> str:
    call_command("evaluate_news", *map(str, arguments))
    return capsys.readouterr().out


def test_both_corpora_are_measured_at_the_threshold_that_is_best_on_both(corpora, capsys):
    out = corpora / "out.json"
    printed = run(capsys, "voa", "newsroom", "--articles", corpora / "articles.jsonl", "--json", out)
    assert "voa dev: 1 articles" in printed and "newsroom dev: 2 articles" in printed
    assert all(one.about in printed for one in MEASURES)
    result = json.loads(out.read_text(encoding="utf-8"))
    assert result["checkpoint"] == "deterministic" and result["thresholds"] == {"default": 0.5}
    assert result["f1_threshold_source"] == "the best on dev of both corpora"
    measures = result["corpora"]["newsroom"]["measures"]
    assert list(measures) == [one.key for one in MEASURES]
    assert measures["recall"]["counts"]["all"] == 12 and measures["pronouns"]["value"] == 0.0
    entities = measures["entities"]
    assert 0 < entities["low"] <= entities["value"] <= entities["high"] < 1


def test_with_a_threshold_given_only_the_named_corpus_is_read(corpora, capsys):
    out = corpora / "out.json"
    options = ("--f1-threshold", "0.4", "--thresholds", "none", "--limit", "1", "--json", out)
    assert "from a score of 0.4, as given" in run(capsys, "newsroom", *options)
    result = json.loads(out.read_text(encoding="utf-8"))
    assert (result["f1_threshold"], result["thresholds"], result["limit"]) == (0.4, {"default": 0.0}, 1)
    assert result["corpora"]["newsroom"]["articles"] == 1
    every = result["corpora"]["newsroom"]["measures"]["geography"]["counts"]["all"]
    run(capsys, "newsroom", *options, "--thresholds", "0.9")
    fewer = json.loads(out.read_text(encoding="utf-8"))
    assert fewer["corpora"]["newsroom"]["measures"]["geography"]["counts"]["all"] < every
    assert fewer["thresholds"] == {"default": 0.9}


def test_near_misses_are_measured_alone_or_beside(corpora, capsys):
    row = {"id": "n1", "kind": "denial", "text": "Ada Obi, not Ben Roe.", "published": "2024-05-01"}
    forbidden = [{"head": "Ada Obi", "relation": "*", "tail": "Ben Roe"}]
    path = corpora / "near.jsonl"
    path.write_text(json.dumps(row | {"forbidden": forbidden}) + "\n", encoding="utf-8")
    printed = run(capsys, "--near-misses", path, "--thresholds", "none")
    assert "100.0   1 of 1" in printed and "n1: Ada Obi | " in printed and "newsroom" not in printed
    assert "0.0   0 of 1" in run(capsys, "--near-misses", path, "--thresholds", "1.0")


def test_a_document_has_the_title_and_day_of_its_article(corpora):
    (gold,) = load_annotations(corpora / "voa" / "dev.jsonl")
    document = reading.document_of(gold, load_articles(corpora / "articles.jsonl"))
    assert document.text[: document.title_end] == "Lagoon Bank" and str(document.published) == "2024-05-01"
    assert reading.document_of(a.GOLD, {}).title_end == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Name a corpus"),
        (("reuters",), "Name a corpus"),
        (("voa", "--f1-threshold", "0.5"), "name it with --articles"),
        (("newsroom",), "--f1-threshold gives one without them"),
        (("newsroom", "--near-misses", "absent.jsonl"), "absent.jsonl cannot be read"),
        (("newsroom", "--thresholds", "much"), "--thresholds"),
        (("newsroom", "--f1-threshold", "2"), "no number from 0 to 1"),
        (("newsroom", "--limit", "0"), "at least 1"),
    ],
)
def test_wrong_use_is_refused_with_the_remedy(corpora, arguments, message):
    with pytest.raises(CommandError, match=message):
        call_command("evaluate_news", *arguments)


def test_another_text_than_the_annotated_one_is_refused(corpora):
    path = corpora / "articles.jsonl"
    row = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(row | {"text": "Other.", "sha256": digest("Other.")}) + "\n", encoding="utf-8")
    with pytest.raises(CommandError, match="has another digest than its annotation"):
        call_command("evaluate_news", "voa", "--articles", str(path), "--f1-threshold", "0.5")
