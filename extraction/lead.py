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
from extraction.models import Post, PostImage
from extraction.pictures import NotAPicture, fetch_picture


def take_picture(post: Post, article: Article) -> None:
    """Keep the article's lead picture and its caption. What goes wrong is kept with the picture; the next visit tries
    again. No transaction is open while it is fetched."""
    if not article.image:
        return
    with transaction.atomic():
        row, _ = PostImage.objects.get_or_create(post=post, url=article.image)
        PostImage.objects.filter(Q(position=0), post=post).exclude(pk=row.pk).update(position=1)
        PostImage.objects.filter(pk=row.pk).update(position=0, caption=article.caption)
    if row.file and (Path(settings.MEDIA_ROOT) / row.file).is_file():
        return
    try:
        hosts.wait_turn(row.url, PATIENCE)
        picture = fetch_picture(row.url, Path(settings.MEDIA_ROOT))
    except (fetch.FetchError, NotAPicture, hosts.HostBusy) as error:
        PostImage.objects.filter(pk=row.pk).update(error=str(error))
    else:
        PostImage.objects.filter(pk=row.pk).update(error="", **asdict(picture))
