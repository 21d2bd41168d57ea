"""Search over posts: the same answers on SQLite and PostgreSQL, and an index that follows every change."""

from __future__ import annotations

import pytest
from django.db import connection

from extraction.models import Post, PostVersion
from extraction.posts import search_index
from extraction.posts.search import search, terms
from tests.factories import make_feed, make_post, make_version

pytestmark = pytest.mark.django_db

TITLE = "Erdoğan visits COVID-19 ward"
BODY = "The U.S. envoy wrote from example.org: 3.5 million, said the São Paulo office. L'Équipe agreed."


def found(query: str) -> int:
    return search(query).count()


@pytest.mark.parametrize(
    "query",
    [
        "erdogan",
        "ERDOĞAN",
        "covid-19",
        "covid 19",
        '"u.s. envoy"',
        "envo",
        "example.org",
        "3.5",
        "sao paulo",
        "equipe",
        '"said the são paulo"',
        "envoy -minister",
        'visits "covid-19 ward',
        "equipe>",
        "<paulo",
        "",
        "   ",
        "–",
    ],
)
def test_a_query_finds_the_post_that_has_all_its_words(query: str) -> None:
    make_post(TITLE, BODY)
    assert found(query) == 1


@pytest.mark.parametrize(
    "query", ["minister", "envoy minister", '"envoy u.s."', "nvoy", "envoy -covid", '-"covid-19"', "envoy -said"]
)
def test_a_query_leaves_out_the_post_that_does_not_fit(query: str) -> None:
    make_post(TITLE, BODY)
    assert found(query) == 0


@pytest.mark.parametrize(
    "query",
    [
        '"',
        '""',
        "'; DROP TABLE extraction_post; --",
        "%s %d",
        "NEAR(a b)",
        "title:envoy AND *",
        "\0",
        "a\0b",
        "&|!<->:*",
    ],
)
def test_no_query_breaks_the_search(query: str) -> None:
    make_post(TITLE, BODY)
    assert found(query) in (0, 1)


def test_a_long_query_is_cut_to_a_few_terms() -> None:
    assert len(terms("word " * 500)) == 12


def test_only_the_current_version_is_searched() -> None:
    post = make_post("Before", "the old words")
    make_version(post, "After", "the new words")
    assert found("old") == 0
    assert found("new") == 1


def test_words_go_with_their_post() -> None:
    post = make_post("Before", "some words")
    Post.objects.filter(pk=post.pk).update(current_version=None)
    assert found("words") == 0
    Post.objects.filter(pk=post.pk).update(current_version=post.current_version)
    assert found("words") == 1
    pk = post.pk
    post.delete()
    with connection.cursor() as cursor:
        column = "post_id" if connection.vendor == "postgresql" else "rowid"
        cursor.execute(f"SELECT count(*) FROM extraction_search WHERE {column} = %s", [pk])
        assert cursor.fetchone() == (0,)


def test_a_text_that_is_blotted_out_is_no_longer_found() -> None:
    post = make_post("A name", "that must go")
    PostVersion.objects.filter(post=post).update(text="blotted out")
    assert found("name") == 0
    assert found("blotted") == 1


def test_an_address_finds_the_post_that_was_seen_under_it() -> None:
    feed = make_feed()
    post = make_post("One", feed=feed, publisher="one.example")
    make_post("Two", feed=feed, publisher="two.example")
    post.sightings.update(link="https://short.example/1")
    assert list(search(post.link)) == [post]
    assert list(search("https://short.example/1")) == [post]


def test_a_very_long_text_is_indexed() -> None:
    make_post("Long", " ".join(f"word{i}" for i in range(60_000)))
    assert found("word7") == 1


def test_the_index_can_be_made_again_over_what_is_there() -> None:
    make_post("One", "several words")
    search_index.install(connection)
    assert found("several") == 1
    make_post("Two", "several more")
    assert found("several") == 2
