"""The record: mentions, entities, statements, the assertions that support them, reviews, and graph updates."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length, Substr

from extraction.models import Post, Reading
from extraction.schema import FACTUALITIES, FORMS


class Entity(models.Model):
    """A thing in the graph, or a value of a statement (a time, a number), once by `key`: name key | type, with @ and a
    scope where the name alone does not identify it. `canonical`: what it was merged into. By editors: `named`: the
    label is theirs; `description`; `removed`: it is no entity, and in no graph."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    type = models.CharField(max_length=40)
    label = models.TextField()
    key = models.CharField(max_length=600, unique=True)
    canonical = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="merged")
    named = models.BooleanField(default=False, db_default=False)
    description = models.TextField(blank=True, default="", db_default="")
    removed = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "entities"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["id"], condition=Q(removed=True), name="entities_removed")
        ]

    def __str__(self) -> str:
        return self.label


class EntityName(models.Model):
    """A name of an entity; `key` is the name in NFKC, case-folded, without diacritics. `hidden`: an editor removed it
    from the entity's aliases; it stays, so that no later reading brings it back."""

    entity = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="names")
    name = models.TextField()
    key = models.CharField(max_length=500, db_index=True)
    language = models.CharField(max_length=35, blank=True, default="")
    source = models.CharField(max_length=40, default="text")
    hidden = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # By its beginning and its length: a key of an index may have no more than some thousand bytes.
            models.UniqueConstraint(
                "entity", Substr("name", 1, 400), Length("name"), "language", "source", name="entity_name_once"
            )
        ]

    def __str__(self) -> str:
        return self.name


class EntitySpelling(models.Model):
    """Another spelling of the name that leads to an entity; `key` as `spelling_variants.stored` gives it."""

    entity = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="spellings")
    key = models.CharField(max_length=510, db_index=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["entity", "key"], name="entity_spelling_once")
        ]

    def __str__(self) -> str:
        return self.key


class VisibleMentions(models.Manager["Mention"]):
    """Without those that an editor deleted."""

    def get_queryset(self) -> models.QuerySet[Mention]:
        return super().get_queryset().filter(removed_by__isnull=True)


class Mention(models.Model):
    """A span of a version's text, with the type as read. `entity` is the one that it was resolved to, before any merge.

    `resolved`: the entity that its name leads to, where an editor's split assigned it to another; else null.
    `made_by`, `changed_by`, `removed_by`: the correction that added, changed or deleted it, in the post's current
    reading; `as_read`: the columns that one changed, as they were before. `everything` has deleted mentions too.
    """

    reading = models.ForeignKey(Reading, on_delete=models.CASCADE, related_name="mentions")
    entity = models.ForeignKey(Entity, on_delete=models.PROTECT, related_name="mentions")
    resolved = models.ForeignKey(Entity, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    type = models.CharField(max_length=40)
    form = models.CharField(max_length=10, default="name", choices=[(form, form) for form in FORMS])
    score = models.FloatField()
    made_by = models.ForeignKey(
        "knowledge.MentionCorrection", null=True, blank=True, on_delete=models.CASCADE, related_name="made"
    )
    changed_by = models.ForeignKey(
        "knowledge.MentionCorrection", null=True, blank=True, on_delete=models.SET_NULL, related_name="changed"
    )
    removed_by = models.ForeignKey(
        "knowledge.MentionCorrection", null=True, blank=True, on_delete=models.SET_NULL, related_name="removed"
    )
    as_read = models.JSONField(null=True, blank=True)

    objects = VisibleMentions()
    everything: ClassVar[models.Manager[Mention]] = models.Manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["reading", "start", "end", "type"],
                condition=Q(removed_by__isnull=True),
                name="mention_once",
            ),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="mention_not_empty"),
        ]

    def __str__(self) -> str:
        return f"{self.start}-{self.end} {self.type}"


class Statement(models.Model):
    """Head, relation, tail, once. It is in the graph while an assertion or an accepting review supports it.

    A symmetric relation has one row, its ends ordered by id.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    head = models.ForeignKey(Entity, on_delete=models.PROTECT, related_name="statements_from")
    relation = models.CharField(max_length=60, db_index=True)
    tail = models.ForeignKey(Entity, on_delete=models.PROTECT, related_name="statements_to")

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["head", "relation", "tail"], name="statement_once")
        ]

    def __str__(self) -> str:
        return f"{self.head} {self.relation} {self.tail}"


_FACTUALITIES = [(one, one) for one in FACTUALITIES]


class VisibleAssertions(models.Manager["Assertion"]):
    """Without those of which an editor deleted a mention."""

    def get_queryset(self) -> models.QuerySet[Assertion]:
        return super().get_queryset().filter(removed=False)


class Assertion(models.Model):
    """The claim of one statement by one reading at one place. Head and tail mentions keep the order that was read.

    `score_without_image`: the score of the same pair with the picture masked; null where no picture was read.
    `claimant`: the mention whose entity claims what is alleged. `when_…`: the words that date it, and the days that
    they may mean, both included, null where that side is open or the words could not be resolved. `amount_…`: the words
    of its sum, the number and its unit. `asserted_at` is the post's time of publication; `valid_from` and `valid_to`
    stay empty. `removed`: an editor deleted its head or tail mention; `everything` has such assertions too.
    """

    public_id = models.UUIDField(unique=True, editable=False)
    reading = models.ForeignKey(Reading, on_delete=models.CASCADE, related_name="assertions")
    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="assertions")
    head_mention = models.ForeignKey(Mention, on_delete=models.CASCADE, related_name="+")
    tail_mention = models.ForeignKey(Mention, on_delete=models.CASCADE, related_name="+")
    relation = models.CharField(max_length=60)
    score = models.FloatField()
    score_without_image = models.FloatField(null=True, blank=True)
    factuality = models.CharField(max_length=10, default="stated", choices=_FACTUALITIES)
    claimant = models.ForeignKey(Mention, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    when_words = models.TextField(blank=True, default="")
    when_earliest = models.DateField(null=True, blank=True)
    when_latest = models.DateField(null=True, blank=True)
    amount_words = models.TextField(blank=True, default="")
    amount_value = models.FloatField(null=True, blank=True)
    amount_unit = models.CharField(max_length=40, blank=True, default="")
    qualifiers = models.JSONField(default=list)
    asserted_at = models.DateTimeField()
    valid_from = models.CharField(max_length=40, blank=True, default="")
    valid_to = models.CharField(max_length=40, blank=True, default="")
    removed = models.BooleanField(default=False, db_default=False)

    objects = VisibleAssertions()
    everything: ClassVar[models.Manager[Assertion]] = models.Manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["reading", "head_mention", "tail_mention", "relation"], name="assertion_once"
            )
        ]
        # For the review queue: the least certain of all, and of some relations.
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["score"], name="assertions_by_score"),
            models.Index(fields=["relation", "score"], name="assertions_by_relation_score"),
        ]

    def __str__(self) -> str:
        return str(self.public_id)


class Evidence(models.Model):
    """The evidence of an assertion: words of the text, a region of a picture, or a fact."""

    class Kind(models.TextChoices):
        WORD = "word", "words"
        REGION = "region", "region"
        FACT = "fact", "fact"

    assertion = models.ForeignKey(Assertion, on_delete=models.CASCADE, related_name="evidence")
    kind = models.CharField(max_length=10, choices=Kind)
    reference = models.JSONField(default=dict)
    weight = models.FloatField(default=1.0)

    class Meta:
        verbose_name_plural = "evidence"

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"


class Link(models.Model):
    """The link of an entity to an entry of a knowledge base: `target` is Wikidata's id, "" where no entry fits (NIL).

    Created with its entity, and due until it has been looked up; every candidate is kept with its score, for editors.
    `by` is the editor who decided; where it is null, the linker chose, and may choose again.
    """

    entity = models.OneToOneField(Entity, on_delete=models.CASCADE, related_name="link")
    due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True, default="")
    target = models.CharField(max_length=20, blank=True, default="", db_index=True)
    label = models.CharField(max_length=400, blank=True, default="")
    description = models.CharField(max_length=400, blank=True, default="")
    sure = models.FloatField(default=0.0)
    source = models.CharField(max_length=40, blank=True, default="")
    candidates = models.JSONField(default=list)
    addresses = models.JSONField(default=dict)
    facts = models.JSONField(default=list)
    categories = models.JSONField(default=list)
    abstract = models.TextField(blank=True, default="")
    looked_up_at = models.DateTimeField(null=True, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)

    def __str__(self) -> str:
        return f"{self.entity_id} {self.target or 'NIL'}"


class Merge(models.Model):
    """A merge of entities. `former`: what each row pointed to ({entity id: canonical id or null}), for the undo.

    While `marked < wanted` not all graph updates that it touches are marked yet: of many, the projectors mark them.
    """

    survivor = models.ForeignKey(Entity, on_delete=models.PROTECT, related_name="merges")
    former = models.JSONField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    at = models.DateTimeField(auto_now_add=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    wanted = models.PositiveIntegerField(default=0)
    marked = models.PositiveIntegerField(default=0)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["id"], condition=Q(marked__lt=F("wanted")), name="merges_unmarked")
        ]

    def __str__(self) -> str:
        return f"into {self.survivor} at {self.at:%Y-%m-%d %H:%M}"


class Projection(models.Model):
    """One graph update for one store: it is stale while `done < wanted`. Its key is a public id."""

    class Kind(models.TextChoices):
        POST = "post", "post"
        ENTITY = "entity", "entity"
        STATEMENT = "statement", "statement"

    store = models.CharField(max_length=20)
    kind = models.CharField(max_length=10, choices=Kind)
    key = models.UUIDField()
    wanted = models.BigIntegerField(default=1)
    done = models.BigIntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True, default="")

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["store", "kind", "key"], name="unit_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["store", "due_at", "id"], condition=Q(done__lt=F("wanted")), name="units_behind")
        ]

    def __str__(self) -> str:
        return f"{self.store} {self.kind} {self.key}"


class ProjectorLock(models.Model):
    """The lock of a store's projector: one at a time, or an older graph could be written last and stay.

    `identity`: the name that the store that was last written to keeps. A store with another name was wiped or replaced,
    and gets everything. `fence`: the number of the last turn; a store refuses late requests of an earlier one.
    """

    store = models.CharField(max_length=20, unique=True)
    token = models.CharField(max_length=32, blank=True, default="")
    until = models.DateTimeField(null=True, blank=True)
    identity = models.CharField(max_length=36, blank=True, default="")
    fence = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return self.store


class Event(models.Model):
    """An entry of the audit log: who changed what, when, from what to what."""

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    what = models.CharField(max_length=60)
    subject = models.CharField(max_length=200, blank=True, default="")
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.what} {self.subject}"


class SavedQuery(models.Model):
    """A person's query, to be run again; `shared`: others see it too."""

    class Language(models.TextChoices):
        SPARQL = "sparql", "SPARQL"
        CYPHER = "cypher", "Cypher"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    language = models.CharField(max_length=10, choices=Language)
    title = models.CharField(max_length=200)
    text = models.TextField()
    parameters = models.JSONField(default=dict, blank=True)
    shared = models.BooleanField(default=False)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_queries")
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "saved queries"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["by", "language", "title"], name="saved_query_once")
        ]
        permissions = [("ask_cypher", "Can ask the graph in Cypher")]

    def __str__(self) -> str:
        return self.title


class Split(models.Model):
    """An entity split: mentions of `origin` that an editor assigned to `target`, post by post. The two are never merged
    automatically."""

    origin = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="splits")
    target = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="split_from")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    at = models.DateTimeField(auto_now_add=True)
    undone_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"out of {self.origin} at {self.at:%Y-%m-%d %H:%M}"


class Parting(models.Model):
    """In this post, mentions that resolve to `entity` mean `target`, in later readings too; part of an active split."""

    split = models.ForeignKey(Split, on_delete=models.CASCADE, related_name="partings")
    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="partings")
    entity = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="+")
    target = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["post", "entity"], name="parting_once")
        ]

    def __str__(self) -> str:
        return f"{self.entity_id} is {self.target_id} in {self.post_id}"
