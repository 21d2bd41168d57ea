"""Feeds, posts, their versions and pictures, and readings. A post version is never changed."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Substr

from kgbuilder.conf.encrypted_field import SealedField


class Leased(models.Model):
    """A row that a worker claims: it is due at `due_at`, and until `lease_until` it belongs to the holder of
    `lease_token`."""

    due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    lease_token = models.CharField(max_length=32, blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True, default="")

    class Meta:
        abstract = True


class Host(models.Model):
    """A web host (with its port where unusual): when it may be requested next, and its robots.txt."""

    name = models.CharField(max_length=300, unique=True)
    next_request_at = models.DateTimeField(null=True, blank=True)
    robots = models.TextField(blank=True, default="")
    robots_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class Feed(Leased):
    """A news feed. `due_at` is the time of its next poll; null: it is not polled.

    `credentials` ("user:password") are stored encrypted, sent to its host only and never shown. `language`: that of its
    posts, whatever their pages say; "" = as they say. Without `full_text` article pages are not fetched, and the texts
    of its items are analysed. Since `deleted_at` it is in no list and not polled; its row stays, for its posts.
    """

    class State(models.TextChoices):
        ACTIVE = "active", "active"
        PAUSED = "paused", "paused"
        GONE = "gone", "gone"
        SENT = "sent", "sent through the API"  # posts that programs send: not polled

    url = models.URLField(max_length=2000, unique=True)
    credentials = SealedField(blank=True, default="")
    title = models.CharField(max_length=500, blank=True, default="")
    site = models.URLField(max_length=2000, blank=True, default="")
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    sample = models.BooleanField(default=False)
    folder = models.CharField(max_length=100, blank=True, default="", db_index=True)
    language = models.CharField(max_length=35, blank=True, default="")
    full_text = models.BooleanField(default=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    interval_s = models.PositiveIntegerField(default=1800)
    etag = models.CharField(max_length=500, blank=True, default="")
    last_modified = models.CharField(max_length=200, blank=True, default="")
    failures = models.PositiveIntegerField(default=0)
    error_at = models.DateTimeField(null=True, blank=True)
    polled_at = models.DateTimeField(null=True, blank=True)
    listed_at = models.DateTimeField(null=True, blank=True)
    new_at = models.DateTimeField(null=True, blank=True)
    notice = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.title or self.url


class Post(Leased):
    """One story of one publisher. `due_at` is the time at which its page is fetched next. `link_key` is null where the
    link leads to no page of its own: its text is then the feed's."""

    class State(models.TextChoices):
        LIVE = "live", "live"
        WITHDRAWN = "withdrawn", "withdrawn"
        ERASED = "erased", "erased"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    link = models.URLField(max_length=2000, blank=True, default="")
    link_key = models.CharField(max_length=64, null=True, blank=True, unique=True)
    publisher = models.CharField(max_length=300, blank=True, default="", db_index=True)
    state = models.CharField(max_length=10, choices=State, default=State.LIVE)
    state_reason = models.TextField(blank=True, default="")
    current_version = models.ForeignKey(
        "PostVersion", null=True, blank=True, on_delete=models.SET_NULL, related_name="current_of"
    )
    current_reading = models.ForeignKey(
        "Reading", null=True, blank=True, on_delete=models.SET_NULL, related_name="current_of"
    )
    published_at = models.DateTimeField()
    published_text = models.CharField(max_length=200, blank=True, default="")
    published_notice = models.CharField(max_length=20, blank=True, default="")
    seen_at = models.DateTimeField()
    first_fetched_at = models.DateTimeField(null=True, blank=True)
    visits = models.PositiveIntegerField(default=0)
    missing_since = models.DateTimeField(null=True, blank=True)
    etag = models.CharField(max_length=500, blank=True, default="")
    last_modified = models.CharField(max_length=200, blank=True, default="")
    sample = models.BooleanField(default=False)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["-published_at", "-id"], name="post_by_time")]

    def __str__(self) -> str:
        return self.link or str(self.public_id)


class Sighting(models.Model):
    """A feed item that leads to a post. Its own text is kept, for the case that the page cannot be fetched.

    `link_key` is empty also where the link is not the item's alone: other items of the feed lead to the same page.
    """

    feed = models.ForeignKey(Feed, on_delete=models.CASCADE, related_name="sightings")
    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="sightings")
    guid = models.CharField(max_length=500)
    link = models.URLField(max_length=2000, blank=True, default="")
    link_key = models.CharField(max_length=64, blank=True, default="", db_index=True)
    title = models.TextField(blank=True, default="")
    text = models.TextField(blank=True, default="")
    image = models.URLField(max_length=2000, blank=True, default="")
    published_text = models.CharField(max_length=200, blank=True, default="")
    item_hash = models.CharField(max_length=64, blank=True, default="")
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["feed", "guid"], name="sighting_once")
        ]

    def __str__(self) -> str:
        return self.guid


class PostVersion(models.Model):
    """A post's text as fetched at one time: title, blank line, body. Never changed.

    All offsets count code points of `text`; its first `title_end` are the title. `pruned_at`: since then everything but
    evidence is replaced by as many blanks.
    """

    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="versions")
    ordinal = models.PositiveIntegerField()
    text = models.TextField()
    title_end = models.PositiveIntegerField(default=0)
    language = models.CharField(max_length=35, blank=True, default="")
    text_hash = models.CharField(max_length=64, db_index=True)
    source = models.CharField(max_length=10, default="page")
    fetched_at = models.DateTimeField()
    pruned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["post", "ordinal"], name="version_once")
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        return self.text[: self.title_end]

    @property
    def body(self) -> str:
        return self.text[self.title_end :].lstrip("\n")


class Tombstone(models.Model):
    """The hash of a text that was erased with its post, so that it cannot come back under another link."""

    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="tombstones")
    text_hash = models.CharField(max_length=64, db_index=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["post", "text_hash"], name="tombstone_once")
        ]

    def __str__(self) -> str:
        return self.text_hash


class PostImage(models.Model):
    """A picture of a post. `file` is the copy under MEDIA_ROOT, `thumbnail` a small one; empty: not fetched for the
    reason in `error`, or deleted at `let_go_at` (PICTURE_DAYS). `look`: the perceptual hash. `due_at`: when the
    detector runs on it.
    """

    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="images")
    url = models.URLField(max_length=2000)
    position = models.PositiveIntegerField(default=0)
    caption = models.TextField(blank=True, default="")
    file = models.CharField(max_length=300, blank=True, default="")
    media_type = models.CharField(max_length=50, blank=True, default="")
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True, default="", db_index=True)
    error = models.TextField(blank=True, default="")
    thumbnail = models.CharField(max_length=300, blank=True, default="")
    look = models.CharField(max_length=16, blank=True, default="")
    let_go_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["post", "url"], name="image_once")
        ]
        # Hashes that differ in at most three bits have one of their four parts in common.
        indexes: ClassVar[list[models.Index]] = [
            models.Index(Substr("look", 1 + 4 * part, 4), name=f"image_look_{part}") for part in range(4)
        ]

    def __str__(self) -> str:
        return self.url


class RegionSet(models.Model):
    """The regions that one detector found in one picture, identified by the SHA-256 of the fetched bytes. One row for
    all posts that show it and all systems that use it.

    `regions`: {"box": [x, y, w, h], "class", "score", "depth"}, most confident first. `scene`: {"subject", "object",
    "predicate", "kind", "score"}. `features`: a safetensors file under FEATURES_ROOT, "" where none was kept. `missing`
    names components that were not available; `error`: why detection failed.
    """

    sha256 = models.CharField(max_length=64)
    detector = models.CharField(max_length=200)
    regions = models.JSONField(default=list)
    scene = models.JSONField(default=list)
    features = models.CharField(max_length=300, blank=True, default="")
    missing = models.JSONField(default=list)
    error = models.TextField(blank=True, default="")
    seen_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["sha256", "detector"], name="regions_once")
        ]

    def __str__(self) -> str:
        return f"{self.sha256[:12]} by {self.detector}"


class Checkpoint(models.Model):
    """A trained network that can analyse posts. `thresholds`: a number for "default" and for any relation. `facts`: its
    network is shown facts about the entities of a post."""

    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64, unique=True)
    system = models.CharField(max_length=50)
    path = models.CharField(max_length=1000)
    floor = models.FloatField(default=0.0)
    thresholds = models.JSONField(default=dict)
    metrics = models.JSONField(default=dict)
    facts = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    @property
    def first_stage(self) -> Reading.Stage:
        """The first stage of its readings: facts are looked up before a reader claims them."""
        return Reading.Stage.LINK if self.facts else Reading.Stage.READ


class Deployment(models.Model):
    """From `since` on `checkpoint` makes the readings, and assertions are active from `thresholds` (empty: its own).

    `promoted`: somebody chose it, so that a start with another default CHECKPOINT leaves it active.
    """

    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="deployments")
    thresholds = models.JSONField(default=dict)
    since = models.DateTimeField(auto_now_add=True)
    active = models.BooleanField(default=True)
    promoted = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["active"], condition=Q(active=True), name="one_active_deployment")
        ]

    def __str__(self) -> str:
        return f"{self.checkpoint} since {self.since:%Y-%m-%d %H:%M}"


class Reading(Leased):
    """One checkpoint's reading of one version with one set of inputs. `stage` is the next step."""

    class Stage(models.TextChoices):
        READ = "read", "queued"
        LINK = "link", "waiting for facts"
        DONE = "done", "analysed"
        DECLINED = "declined", "declined"
        FAILED = "failed", "failed"
        DROPPED = "dropped", "superseded"

    version = models.ForeignKey(PostVersion, on_delete=models.CASCADE, related_name="readings")
    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="readings")
    inputs = models.CharField(max_length=100, default="text")
    stage = models.CharField(max_length=10, choices=Stage, default=Stage.READ)
    results = models.JSONField(default=dict)
    missing = models.JSONField(default=list)
    declined_code = models.CharField(max_length=30, blank=True, default="")
    declined_message = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["version", "checkpoint", "inputs"], name="reading_once")
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["stage", "due_at"], name="reading_due")]

    def __str__(self) -> str:
        return f"{self.version} by {self.checkpoint}"


class TextToRead(Leased):
    """A text to analyse without recording anything; `answer` is what `manage.py read --json` would print.

    It is deleted with its answer after a day.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "queued"
        DONE = "done", "analysed"
        FAILED = "failed", "failed"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    text = models.TextField()
    title_end = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    answer = models.JSONField(null=True, blank=True)
    asked_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        verbose_name_plural = "texts to read"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["due_at", "id"], condition=Q(state="waiting"), name="texts_to_read")
        ]

    def __str__(self) -> str:
        return str(self.public_id)
