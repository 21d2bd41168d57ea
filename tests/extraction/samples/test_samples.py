"""The sample posts are whole, long enough to read, and speak of the same things."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from extraction import samples
from extraction.text.cleaning import clean


def test_there_are_enough_of_them_each_with_an_id_a_title_and_a_date_of_its_own() -> None:
    posts = samples.load_posts()
    assert len(posts) >= 26
    for values in ({post.id for post in posts}, {post.title for post in posts}, {post.published for post in posts}):
        assert len(values) == len(posts)
    assert posts == sorted(posts, key=lambda post: post.published)
    assert all(post.published.tzinfo is UTC and post.published < datetime(2026, 1, 1, tzinfo=UTC) for post in posts)


@pytest.mark.parametrize("post", samples.load_posts(), ids=lambda post: post.id)
def test_a_post_is_long_enough_and_clean(post: samples.SamplePost) -> None:
    text = "\n\n".join(post.paragraphs)
    assert 60 <= len(text.split()) <= 180
    assert len(post.paragraphs) >= 2 and all(paragraph.endswith(".") for paragraph in post.paragraphs)
    assert clean(text) == text and "  " not in text
    assert post.id.replace("-", "").isalnum() and post.id == post.id.lower()
    assert post.title and not post.title.endswith(".")


@pytest.mark.parametrize(
    ("name", "posts"),
    [
        ("NASA", 3),
        ("Marie Curie", 2),
        ("Paris", 5),
        ("United Nations", 4),
        ("CERN", 2),
        ("Steve Jobs", 3),
        ("Berlin", 5),
    ],
)
def test_names_return_in_several_posts_so_that_the_graph_connects(name: str, posts: int) -> None:
    assert sum(any(name in paragraph for paragraph in post.paragraphs) for post in samples.load_posts()) >= posts


def test_the_feed_describes_them() -> None:
    assert "sample" in samples.TITLE.lower()
    assert "Not news" in samples.DESCRIPTION and "CC0" in samples.DESCRIPTION


@pytest.mark.parametrize("text", ["title: Half a post\npublished: 2025-06-02T06:00Z\n", "Only words.\n\nMore.\n", ""])
def test_a_broken_file_is_named(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half.txt").write_text(text)
    monkeypatch.setattr(samples, "POSTS", tmp_path)
    with pytest.raises(ValueError, match=r"half\.txt"):
        samples.load_posts()
