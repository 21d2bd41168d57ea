"""Prepares an installation before `up` starts anything: secrets, tables, static files, accounts, checkpoint, samples.

Every step keeps the results of an earlier start and does only what is missing.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from extraction.models import Feed
from extraction.readings import model_registry
from kgbuilder import deployment, installation
from kgbuilder.install import data_folder
from kgbuilder.supervision.parts import sample_feed_address

LONGEST_SOCKET_PATH = 100  # of about 104 bytes that systems allow; queries add a few of their own
Say = Callable[[str], None]


class CannotStart(Exception):
    """The product cannot start; the message states what to do."""


def make_folder() -> None:
    """DATA_DIR, readable by its owner alone, and the secrets in it."""
    if settings.BROKER_URL.startswith("memory:"):
        raise CannotStart("BROKER_URL is memory://, which no other process can reach. Leave it empty, or set a broker.")
    folder = Path(settings.DATA_DIR)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(PermissionError):  # a volume that another user owns
            folder.chmod(0o700)  # also of a folder that was there: its files hold sessions and hashes of passwords
        data_folder.check_and_mark(folder)
        for path in (settings.SECRET_KEY_FILE, settings.SPARQL_TOKEN_FILE):
            _make_secret(path)
    except data_folder.NewerData as error:
        raise CannotStart(str(error)) from error
    except OSError as error:
        raise CannotStart(f"DATA_DIR cannot be written: {error}. Correct it, or choose another folder.") from error
    if len(os.fsencode(settings.SPARQL_SOCKET)) > LONGEST_SOCKET_PATH:
        raise CannotStart(
            f"The path of DATA_DIR ({folder}) is too long for a socket file. Choose a shorter one, for example "
            "DATA_DIR=~/kgbuilder."
        )


def _make_secret(path: Path) -> None:
    """Writes the secret atomically: a start that is killed must not leave an empty one. Only the owner may read it."""
    if path.is_file():
        path.chmod(0o600)
        return
    draft = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(48))
    draft.rename(path)


def prepare(say: Say, samples: bool) -> None:
    """Does everything up to the first process. Raises `CannotStart`."""
    try:
        data_folder.check_database()
        copy = data_folder.back_up_before_migrating(Path(settings.DATA_DIR))
        if copy:
            say(f"The database is brought up to date; as it was before it lies in {copy}.")
        call_command("migrate", verbosity=0, interactive=False)
    except data_folder.NewerData as error:
        raise CannotStart(str(error)) from error
    except OSError as error:
        raise CannotStart(f"The database cannot be copied before it is brought up to date: {error}") from error
    except OperationalError as error:
        raise CannotStart(f"The database cannot be used: {error}Start it, or correct DATABASE_URL.") from error
    call_command("collectstatic", verbosity=0, interactive=False)
    _make_accounts(say)
    _deploy_checkpoint(say)
    _warn_of_base_iri(say)
    _add_samples(samples)
    connection.close()


def _make_accounts(say: Say) -> None:
    if User.objects.exists():
        return
    if settings.ADMIN_PASSWORD:
        admin = User.objects.create_superuser("admin", password=settings.ADMIN_PASSWORD)
        admin.groups.add(Group.objects.get(name="admin"))
        say("The account admin was created with the password in ADMIN_PASSWORD.")
        return
    passwords = {"admin": secrets.token_urlsafe(12), "editor": secrets.token_urlsafe(12)}
    with transaction.atomic():
        for name, password in passwords.items():
            make = User.objects.create_superuser if name == "admin" else User.objects.create_user
            make(name, password=password).groups.add(Group.objects.get(name=name))
    say("Two accounts were created. Their passwords are shown only once; write them down:")
    for name, password in passwords.items():
        say(f"    {name:<8}{password}")


def _deploy_checkpoint(say: Say) -> None:
    try:
        note = deployment.start()
        if note:
            say(note)
    except (model_registry.NoCheckpoint, ValueError) as error:
        say(f"No posts will be analysed: {error}")


def _warn_of_base_iri(say: Say) -> None:
    stored = installation.base_iri_differs()
    if stored:
        say(
            f"The graph was written with BASE_IRI {stored}, and it is {settings.BASE_IRI} now. Set it back, or run "
            "`manage.py rebuild_graph` once everything is up."
        )


def _add_samples(samples: bool) -> None:
    """Adds the samples once: removed ones are not added again. The feed's address follows the web server's port."""
    this = installation.this()
    if this.samples_at is not None:
        Feed.objects.filter(sample=True).exclude(url=sample_feed_address()).update(
            url=sample_feed_address(), due_at=timezone.now()
        )
        return
    with transaction.atomic():
        if samples:
            Feed.objects.get_or_create(url=sample_feed_address(), defaults={"sample": True, "due_at": timezone.now()})
        this.samples_at = timezone.now()
        this.save(update_fields=["samples_at"])
