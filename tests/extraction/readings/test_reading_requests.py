"""Requests for readings: what becomes due, what does not, and that no other module makes readings."""

from __future__ import annotations

import ast

import pytest
from django.utils import timezone

from extraction.models import Post, PostVersion, Reading
from extraction.posts import versions
from extraction.readings import queue as readings_queue
from extraction.readings import reading_requests
from extraction.readings.reading_requests import Why
from kgbuilder.conf.environment import ROOT
from tests import records

Stage = Reading.Stage


def stages() -> list[tuple[str, str]]:
    return [
        (inputs.split()[0], stage) for inputs, stage in Reading.objects.order_by("pk").values_list("inputs", "stage")
    ]


def present() -> PostVersion:
    """The version of a new post, whose first reading waits."""
    version = records.post("Ada Lovelace lived in London.").current_version
    assert version is not None
    return version


@pytest.mark.django_db
def test_one_more_reading_is_made_unless_one_waits_already() -> None:
    checkpoint = records.checkpoint()
    version = present()
    assert reading_requests.request([version.pk], checkpoint, Why.AGAIN) == 0
    Reading.objects.update(stage=Stage.DONE)
    assert reading_requests.request([version.pk, version.pk], checkpoint) == 0, "its first is made"
    assert reading_requests.request([version.pk], checkpoint, Why.AGAIN) == 1
    assert reading_requests.request([version.pk], checkpoint, Why.FACTS) == 0
    assert stages() == [("text", Stage.DONE), ("again", Stage.READ)]
    assert len(readings_queue.claim("a", 5)) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("why", Why)
def test_a_version_whose_text_was_pruned_is_never_read(why: Why) -> None:
    checkpoint = records.checkpoint()
    version = present()
    Reading.objects.all().delete()
    PostVersion.objects.update(pruned_at=timezone.now())
    assert reading_requests.request([version.pk], checkpoint, why) == 0
    assert not Reading.objects.exists()


@pytest.mark.django_db
def test_a_superseded_reading_is_due_again_with_a_clean_sheet_and_its_holder_has_lost_it() -> None:
    checkpoint = records.checkpoint()
    version = present()
    [claimed] = readings_queue.claim("a", 1)
    assert reading_requests.supersede(Reading.objects.all()) == 1
    readings_queue.fail(claimed, "late")
    assert Reading.objects.get().stage == Stage.DROPPED and Reading.objects.get().error == ""
    assert reading_requests.request([version.pk], checkpoint) == 1
    assert Reading.objects.get().attempts == 0 and stages() == [("text", Stage.READ)]


@pytest.mark.django_db
def test_a_reader_that_is_shown_facts_gets_them_first() -> None:
    checkpoint = records.checkpoint()
    type(checkpoint).objects.update(facts=True)
    checkpoint.refresh_from_db()
    version = present()
    Reading.objects.all().delete()
    reading_requests.request([version.pk], checkpoint)
    assert stages() == [("text", Stage.LINK)]


@pytest.mark.django_db
def test_a_new_version_supersedes_what_waits_of_the_one_before() -> None:
    records.checkpoint()
    post: Post = records.post("Ada Lovelace lived in London.")
    versions.new_version(post, "", "Ada Lovelace lived in Paris.", "page")
    assert stages() == [("text", Stage.DROPPED), ("text", Stage.READ)]


def test_no_other_module_makes_readings_or_supersedes_them() -> None:
    def makes(path: str) -> bool:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        orm = any(
            isinstance(node, ast.ImportFrom)
            and node.module == "extraction.models"
            and any(alias.name == "Reading" for alias in node.names)
            for node in ast.walk(tree)
        )
        made = any(ast.unparse(call.func) in ("Reading", "Reading.objects.create") for call in calls)
        dropped = any(
            keyword.arg == "stage" and ast.unparse(keyword.value).endswith(".DROPPED")
            for call in calls
            if ast.unparse(call.func).endswith(".update")
            for keyword in call.keywords
        )
        return orm and (made or dropped)

    rooms = ("extraction", "knowledge", "training", "kgbuilder")
    paths = [path.relative_to(ROOT).as_posix() for room in rooms for path in (ROOT / room).rglob("*.py")]
    # A benchmark fills a database of its own, with finished readings too.
    found = [path for path in paths if not path.startswith("kgbuilder/benchmarks/") and makes(path)]
    assert found == ["extraction/readings/reading_requests.py"]
