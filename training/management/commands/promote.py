"""`manage.py promote`: promotes a checkpoint once it has been loaded and has analysed a test text."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import DataError, IntegrityError
from django.utils import timezone

from extraction.models import Checkpoint, Deployment, Post
from extraction.readings import model_registry, reader_from_settings
from extraction.schema import Document
from kgbuilder import deployment
from kgbuilder.celery import ring, ring_projectors
from knowledge.record import audit_log
from knowledge.recording import recorder, trial
from training.jobs import progress_protocol
from training.models import Promotion

POSTS_TRIED, LONGEST_TRIED = 3, 20_000  # characters of each
SAMPLE = "Marie Curie was born in Warsaw. She worked in Paris with Pierre Curie at the Sorbonne."


class NotFit(Exception):
    """The checkpoint cannot analyse posts; nothing has changed in production."""


class Command(BaseCommand):
    help = "Promote this checkpoint: it analyses posts from now on. Workers load it without a restart; `up` keeps it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", nargs="?", type=Path, help="the checkpoint's folder")
        parser.add_argument(
            "--reread", default="all", help="which posts it reads again: all, none, or those since a day (2026-03-01)"
        )
        parser.add_argument("--by", help="the user whose decision this is (default: the account that runs the command)")
        parser.add_argument("--promotion", type=int, help="do this one of the training pages; the trainer does so")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["promotion"]:
            self._perform(Promotion.objects.select_related("checkpoint", "by").get(pk=options["promotion"]))
            return
        if options["folder"] is None:
            raise CommandError("Which checkpoint? Name its folder.")
        again, by = _again(options["reread"]), _user(options["by"])
        account = "" if by else _account()
        try:
            checkpoint = model_registry.register(options["folder"].resolve())
            try_out(checkpoint)
            deployment.promote(checkpoint, again, by, account)
        except (NotFit, model_registry.NoCheckpoint, ValueError) as error:
            raise CommandError(f"{error} Production is unchanged.") from error
        ring("read")
        ring_projectors()
        self.stdout.write(f"{checkpoint.name} analyses posts from now on.")

    def _perform(self, promotion: Promotion) -> None:
        former = Deployment.objects.filter(active=True).first()
        if former is not None and promotion.former_id is None and former.checkpoint_id != promotion.checkpoint_id:
            Promotion.objects.filter(pk=promotion.pk).update(former=former.checkpoint)
        try:
            progress_protocol.report(phase="loading the checkpoint and testing it on a text")
            try_out(promotion.checkpoint)
            progress_protocol.report(phase="promoting it")
            deployment.promote(promotion.checkpoint, _again_of(promotion), promotion.by)
        except Exception as error:
            message = str(error) if isinstance(error, NotFit) else progress_protocol.sentence(error)
            progress_protocol.report(error=message)
            self.stderr.write(message)
            sys.exit(1)


def try_out(checkpoint: Checkpoint) -> None:
    """Raises NotFit unless the files are those that were registered, its labels are the ontology's, it can be loaded,
    and its readings of texts can be recorded; the recording is taken back."""
    if model_registry.digest(Path(checkpoint.path)) != checkpoint.digest:
        raise NotFit(
            f"The files in {checkpoint.path} are not those that were registered: they have been changed or damaged."
        )
    try:
        deployment.check_labels(checkpoint)
    except deployment.ForeignLabels as error:
        raise NotFit(str(error)) from error
    try:
        reader = reader_from_settings.load(checkpoint.path)
    except reader_from_settings.ComponentMissing as error:
        raise NotFit(str(error)) from error
    found = reader.read([Document("trial", SAMPLE, language="en"), *_latest()])
    for one in found:
        if one.declined is not None and one.declined.code == "failed":
            raise NotFit(f"The checkpoint could be loaded, but not analyse a plain text: {one.declined.message}")
    try:
        trial.record(checkpoint, found)
    except (recorder.Unplannable, IntegrityError, DataError) as error:
        raise NotFit(f"The checkpoint analysed a text, but the result could not be recorded: {error}") from error


def _latest() -> Iterator[Document]:
    """The newest posts' texts, so that the trial is also on what this installation reads."""
    posts = Post.objects.filter(state=Post.State.LIVE, current_version__pruned_at__isnull=True)
    for post in posts.exclude(current_version=None).select_related("current_version").order_by("-pk")[:POSTS_TRIED]:
        version = post.current_version
        if version is not None:
            text = version.text[:LONGEST_TRIED]
            yield Document(
                str(post.public_id),
                text,
                min(version.title_end, len(text)),
                language=version.language,
                published=post.published_at.date(),
            )


def _user(name: str | None) -> audit_log.Who:
    """Raises CommandError where nobody has this name."""
    if not name:
        return None
    users = get_user_model()
    found: audit_log.Who = users._default_manager.filter(**{users.USERNAME_FIELD: name}).first()
    if found is None:
        raise CommandError(f"There is no user {name!r}. Production is unchanged.")
    return found


def _account() -> str:
    """The operating system's name of the user who runs the command; "" where a container knows none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "an account without a name"


def _again_of(promotion: Promotion) -> deployment.Again:
    if promotion.reread == Promotion.Reread.NONE:
        return deployment.NONE
    return deployment.Again(since=promotion.since) if promotion.reread == Promotion.Reread.SINCE else deployment.ALL


def _again(reread: str) -> deployment.Again:
    named = {"all": deployment.ALL, "none": deployment.NONE}
    if reread in named:
        return named[reread]
    try:
        day = datetime.fromisoformat(reread)
    except ValueError:
        raise CommandError(f"--reread takes all, none, or a day such as {timezone.now():%Y-%m-%d}.") from None
    return deployment.Again(since=day if day.tzinfo else day.replace(tzinfo=UTC))
