"""A version of a post's text, and its differences from another."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from extraction.models import Post
from knowledge.views.posts.versions import Part, differences
from tests.factories import make_post, make_user, make_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def edited(client: Client) -> Post:
    client.force_login(make_user("viewer"))
    post = make_post("Three people died", "A bus crashed in Graz. Police closed the road.")
    make_version(post, "Four people died", "A bus crashed in Graz. Police closed the road on Monday.")
    return post


def test_an_old_version_is_opened_and_compared(client: Client, edited: Post) -> None:
    address = f"/posts/{edited.public_id}/versions/"
    assert f'href="{address}1/"' in client.get(f"/posts/{edited.public_id}/").content.decode()
    first = client.get(f"{address}1/").content.decode()
    assert "Three people died" in first and "<ins" not in first.partition("</form>")[2]
    second = client.get(f"{address}2/").content.decode()
    assert '<del class="removed">Three</del>' in second and '<ins class="added">Four</ins>' in second
    assert " on Monday." in second
    back = client.get(f"{address}1/?against=2").content.decode()
    assert '<ins class="added">Three</ins>' in back
    assert '<ins class="added">Four' not in client.get(f"{address}2/?against=0").content.decode()
    for odd in ("x", "7", "-1", "1" * 30):
        assert client.get(f"{address}2/?against={odd}").status_code == 200
    assert client.get(f"{address}3/").status_code == 404


def test_a_pruned_version_is_not_compared(client: Client, edited: Post) -> None:
    edited.versions.filter(ordinal=1).update(pruned_at=timezone.now(), text=" " * 60)
    html = client.get(f"/posts/{edited.public_id}/versions/2/").content.decode()
    assert "cannot be compared" in html and "Four people died" in html and '<ins class="added">' not in html


def test_the_text_of_an_erased_post_is_not_shown(client: Client, edited: Post) -> None:
    Post.objects.filter(pk=edited.pk).update(state=Post.State.ERASED)
    assert client.get(f"/posts/{edited.public_id}/versions/1/").status_code == 404


def test_only_changed_words_are_marked() -> None:
    found = list(differences("A bus crashed. It was red.", "A bus crashed. It was dark red."))
    assert [part for part in found if part.change != "same"] == [Part("added", " dark")]


@given(st.text("ab .\n", max_size=60), st.text("ab .\n", max_size=60))
def test_both_texts_can_be_put_together_from_the_parts(old: str, new: str) -> None:
    parts = list(differences(old, new))
    assert "".join(part.text for part in parts if part.change != "added") == old
    assert "".join(part.text for part in parts if part.change != "removed") == new
