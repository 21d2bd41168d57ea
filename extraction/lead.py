"""A post's lead picture: its row, and the copy that is kept of it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from extraction import fetch, hosts
from extraction.articles import Article
from extraction.looking import PATIENCE
from extraction.models import Post, PostImage, Sighting
from extraction.pictures import NotAPicture, fetch_picture


def take_picture(post: Post, article: Article) -> None:
    """Keep the article's lead picture and its caption; where the page has or gives none, the feed's picture.

    What goes wrong is kept with the picture, and the next visit tries again. No transaction is open while it is
    fetched.
    """
    url = article.image or _shown_by_feeds(post)
    if not url:
        return
    with transaction.atomic():
        row, _ = PostImage.objects.get_or_create(post=post, url=url)
        PostImage.objects.filter(Q(position=0), post=post).exclude(pk=row.pk).update(position=1)
        PostImage.objects.filter(pk=row.pk).update(position=0, caption=article.caption or row.caption)
    if row.file and (Path(settings.MEDIA_ROOT) / row.file).is_file():
        return
    try:
        hosts.wait_turn(row.url, PATIENCE)
        picture = fetch_picture(row.url, Path(settings.MEDIA_ROOT))
    except (fetch.FetchError, NotAPicture, hosts.HostBusy) as error:
        PostImage.objects.filter(pk=row.pk).update(error=str(error))
    else:
        PostImage.objects.filter(pk=row.pk).update(error="", **asdict(picture))


def _shown_by_feeds(post: Post) -> str:
    if post.images.exists():
        return ""
    shown = Sighting.objects.filter(post=post).exclude(image="").order_by("first_seen", "pk")
    return shown.values_list("image", flat=True).first() or ""
