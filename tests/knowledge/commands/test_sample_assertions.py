"""Drawing assertions for judgement, and counting what was judged."""

import gzip
import io
import json
from collections import Counter
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from knowledge.management.commands.sample_assertions import draw

PAGE = (
    "<html><head><title>{title}</title></head><body><article><h1>{title}</h1>"
    "<p>The mayor {a} met {b} in {c} on a grey and windy morning, as the paper reported before noon that day.</p>"
    "<p>Later {b} left {c} by train, while {a} stayed for a dinner that the council of {d} gave for its guests.</p>"
    "<p>Neither {a} nor {b} would say what they had talked about, and nobody in {d} seemed to mind in the least.</p>"
    "</article></body></html>"
)


@pytest.fixture
def news(tmp_path, settings) -> Path:
    settings.EXTRACTOR, settings.CHECKPOINT = "tests.deterministic:Extractor", tmp_path
    folder = tmp_path / "news"
    folder.mkdir()
    names = ["Ada Holm", "Bertha Lund", "Bergen", "Oslo", "Carl Vik", "Dora Aas", "Tromsø", "Molde", "Egil Dahl"]
    for number in range(6):
        a, b, c, d = (names[(number + step) % len(names)] for step in range(4))
        page = PAGE.format(title=f"A meeting in {c}", a=a, b=b, c=c, d=d).encode()
        (folder / f"paper_{number}.html.gz").write_bytes(gzip.compress(page))
    (folder / "empty.html").write_text("<html></html>")
    (folder / "notes.json").write_text("{}")
    return folder


def run(**options: object) -> tuple[str, str]:
    out, errors = io.StringIO(), io.StringIO()
    call_command("sample_assertions", stdout=out, stderr=errors, **options)
    return out.getvalue(), errors.getvalue()


def test_the_sample_is_the_same_for_a_seed_and_names_places_without_sentences(news):
    out, errors = run(news=news, n=8, seed=1)
    rows = [json.loads(line) for line in out.splitlines()]
    assert len(rows) == 8 and out == run(news=news, n=8, seed=1)[0] != run(news=news, n=8, seed=2)[0]
    for row in rows:
        assert {"page", "head", "tail", "relation", "property", "score", "factuality"} < set(row)
        assert row["page"].startswith("paper_")
        assert row["head"]["end"] - row["head"]["start"] == len(row["head"]["text"])
        assert row["score"] >= 0.5
    assert "grey" not in out and "grey" not in errors
    assert "6 pages" in errors and "a thousand words" in errors and "no article text in empty" in errors


def test_the_rate_is_assertions_by_words(news):
    out, errors = run(news=news, n=10_000)
    count = len(out.splitlines())
    words, found = (int(part.split()[0]) for part in errors.splitlines()[0].split(", ")[1:3])
    assert found == count > 20
    assert f"{1000 * count / words:.2f} a thousand words" in errors
    assert f"all {count} are given" in errors


def test_show_gives_the_judge_the_words_around(news):
    _, errors = run(news=news, n=3, show=True)
    assert errors.count(">>") == 3 and "→" in errors and errors.count(", stated") == 3


def test_a_file_that_was_judged_before_mentions_had_a_form_is_of_the_same_sample(news):
    out, _ = run(news=news, n=10)
    path = judge(news, out, right=7)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        for end in (row["head"], row["tail"]):
            del end["form"], end["entity"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "those that were drawn now" in run(news=news, n=10, judged=path)[0]


def test_every_assertion_is_as_likely_as_any_other():
    rows = [{"page": str(n)} for n in range(10)]
    counts = Counter(row["page"] for seed in range(2000) for row in draw(rows, 3, seed))
    assert set(counts) == {str(n) for n in range(10)}
    assert all(480 < count < 720 for count in counts.values())  # 600 each, five standard deviations around


def judge(news: Path, out: str, right: int) -> Path:
    rows = [json.loads(line) | {"right": n < right, "why": "as read"} for n, line in enumerate(out.splitlines())]
    path = news.parent / "judged.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_judged_sample_is_counted_and_must_be_the_one_drawn(news):
    out, _ = run(news=news, n=10)
    path = judge(news, out, right=7)
    assert run(judged=path)[0] == "7 of 10 right: 70% (95 % interval 40% to 89%)\n"
    assert "those that were drawn now" in run(news=news, n=10, judged=path)[0]
    with pytest.raises(CommandError, match="not of this sample"):
        run(news=news, n=10, seed=2, judged=path)


@pytest.mark.parametrize(
    "line", ['{"page": "x"}', "{", '{"right": 1, "why": "x"}', '{"right": true, "why": " "}', "[]"]
)
def test_a_judged_file_needs_right_and_why_on_each_line(tmp_path, line):
    (tmp_path / "judged.jsonl").write_text('{"right": true, "why": "as read"}\n' + line + "\n")
    with pytest.raises(CommandError, match="line 2: expected an assertion"):
        run(judged=tmp_path / "judged.jsonl")


def test_what_is_missing_is_reported(news, tmp_path):
    with pytest.raises(CommandError, match="Give --news"):
        run()
    with pytest.raises(CommandError, match="no pages"):
        (tmp_path / "none").mkdir()
        run(news=tmp_path / "none")
    with pytest.raises(CommandError, match="There is no checkpoint"):
        run(news=news, checkpoint=str(tmp_path / "nowhere"))
