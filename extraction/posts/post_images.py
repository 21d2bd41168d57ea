"""Fetch the pictures of posts: the lead picture and some others, with their rows and the copies that are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from extraction.crawler import http_client, politeness
from extraction.crawler.parsers.article_parser import ParsedArticle
from extraction.images.storage import NotAPicture, Picture, fetch_picture
from extraction.models import Post, PostImage, Sighting
from extraction.posts.article_page import PATIENCE


def fetch_pictures(post: Post, article: ParsedArticle, still_ours: Callable[[], bool] = lambda: True) -> None:
    """Fetch the article's lead picture and up to PICTURES_PER_POST - 1 others with their captions; where the page has
    none, the feed's picture. `still_ours` is called before each further one: it renews the post's lease.

    An error is stored with the picture, and the next fetch of the post tries again. No transaction is open while a
    picture is fetched.
    """
    url = article.image or _feed_picture(post)
    shown = [(url, article.caption)] if url else []
    shown += [(other, caption) for other, caption in article.others if other != url]
    for place, (address, caption) in enumerate(shown[: settings.PICTURES_PER_POST]):
        if place and not still_ours():
            return
        _fetch(post, address, caption, place)


def _fetch(post: Post, url: str, caption: str, place: int) -> None:
    with transaction.atomic():
        row, _ = PostImage.objects.get_or_create(post=post, url=url, defaults={"position": place})
        if place == 0:
            PostImage.objects.filter(Q(position=0), post=post).exclude(pk=row.pk).update(position=1)
        PostImage.objects.filter(pk=row.pk).update(position=place, caption=caption or row.caption)
    if row.let_go_at or (row.file and (Path(settings.MEDIA_ROOT) / row.file).is_file()):
        return
    try:
        politeness.wait_turn(row.url, PATIENCE)
        picture = fetch_picture(row.url, Path(settings.MEDIA_ROOT), partial(politeness.wait_turn, patience=PATIENCE))
    except (http_client.FetchError, NotAPicture, politeness.HostBusy) as error:
        PostImage.objects.filter(pk=row.pk).update(error=str(error))
    else:
        values = asdict(picture)
        if not PostImage.objects.filter(pk=row.pk).update(error="", attempts=0, due_at=timezone.now(), **values):
            _delete_files(picture)


def _delete_files(picture: Picture) -> None:
    """Delete the copies of a picture whose post was erased while it was fetched."""
    if not PostImage.objects.filter(file=picture.file).exists():
        for file in filter(None, (picture.file, picture.thumbnail)):
            (Path(settings.MEDIA_ROOT) / file).unlink(missing_ok=True)


def _feed_picture(post: Post) -> str:
    if post.images.exists():
        return ""
    shown = Sighting.objects.filter(post=post).exclude(image="").order_by("first_seen", "pk")
    return shown.values_list("image", flat=True).first() or ""
