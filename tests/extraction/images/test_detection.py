"""Detection in pictures: once per content and detector, stored, passed to readers; posts are analysed whatever
fails."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from PIL import Image

from extraction import tasks
from extraction.images import detection, detector_weights, detectors_from_settings, image_retention, storage
from extraction.models import Deployment, Post, PostImage, Reading, RegionSet
from extraction.readings import queue as readings_queue
from extraction.schema import Claimed
from extraction.vision.detection import Detections
from extraction.vision.image_analysis import ImageAnalyser
from knowledge.recording import erasure
from tests.deterministic import Extractor
from tests.extraction.images.broken_images import rotated, scene, written
from tests.extraction.vision.test_image_analysis import Fake
from tests.factories import make_checkpoint, make_post, read_post

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT, settings.FEATURES_ROOT = tmp_path / "media", tmp_path / "features"
    settings.WEIGHTS_ROOT = tmp_path / "weights"
    detectors_from_settings.reset()


def shown(post: Post, content: bytes, url: str = "https://cdn.example/a.jpg", **fields: Any) -> PostImage:
    kept = storage.keep(content, Path(detection.settings.MEDIA_ROOT))
    values = {name: getattr(kept, name) for name in kept.__slots__} | {"due_at": timezone.now()} | fields
    return PostImage.objects.create(post=post, url=url, **values)


def plain(level: int = 90) -> bytes:
    return written(Image.new("RGB", (300, 200), (level, 60, 60)), "PNG")


def claimed(post: Post) -> Claimed:
    assert post.current_version is not None
    Reading.objects.create(version=post.current_version, checkpoint=make_checkpoint(), due_at=timezone.now())
    [one] = readings_queue.claim("test", 1)
    return one


class Breaking(Fake):
    def detect(self, pictures: Sequence[np.ndarray]) -> list[Detections]:
        raise RuntimeError("invalid shape")


def test_detection_runs_once_for_a_picture_of_several_posts() -> None:
    detector = Fake()
    for number in range(3):
        shown(make_post(), plain(), f"https://cdn.example/{number}.jpg")
    assert detection.detect_due(ImageAnalyser(detector)) == 3
    assert detector.asked == [1]
    row = RegionSet.objects.get()
    assert [region["class"] for region in row.regions] == ["person", "dog"]
    assert not PostImage.objects.filter(due_at__isnull=False).exists()
    arrays = detection.features_of(row)
    assert arrays["features"].shape == (2, 2 + 144) and arrays["depth"].shape == (64, 64)
    assert detection.detect_due(ImageAnalyser(detector)) == 0


def test_another_detector_looks_for_itself() -> None:
    image = shown(make_post(), plain())
    detection.detect_due(ImageAnalyser(Fake()))
    detection.make_due(PostImage.objects.filter(pk=image.pk))
    detection.detect_due(ImageAnalyser(Fake("fake-2")))
    assert set(RegionSet.objects.values_list("detector", flat=True)) == {
        ImageAnalyser(Fake(name)).version for name in ("fake-1", "fake-2")
    }


def test_a_reader_is_given_the_pictures_and_what_they_show() -> None:
    post = make_post()
    shown(post, plain(10), "https://cdn.example/second.jpg", position=1)
    shown(post, rotated(6), "https://cdn.example/lead.jpg", position=0)
    shown(make_post(), plain(30))
    [one] = detection.with_pictures([claimed(post)], ImageAnalyser(Fake()))
    document = one.document
    assert [region.image for region in document.regions] == [0, 0, 1, 1]
    assert {(edge.subject, edge.object) for edge in document.scene} == {(0, 1), (1, 0), (2, 3), (3, 2)}
    assert document.sources == ImageAnalyser(Fake()).sources
    assert all(region.features is not None and region.features.shape == (2 + 144,) for region in document.regions)
    with Image.open(document.images[0]) as lead:
        assert lead.size == (120, 160), "upright, as the boxes count"


def test_without_a_detector_what_was_seen_before_is_given() -> None:
    post = make_post()
    shown(post, plain())
    [before] = detection.with_pictures([claimed(post)], None)
    assert before.document.images and before.document.regions == ()
    detection.detect_due(ImageAnalyser(Fake()))
    [after] = detection.with_pictures([before], None)
    assert len(after.document.regions) == 2


@pytest.mark.parametrize(("detector", "detected"), [(Fake(), True), (Breaking(), False), (None, False)])
def test_a_document_records_whether_detection_ran_on_all_pictures(detector: Fake | None, detected: bool) -> None:
    post = make_post()
    shown(post, plain())
    [one] = detection.with_pictures([claimed(post)], ImageAnalyser(detector) if detector else None)
    assert one.document.detected == detected


def test_no_more_pictures_are_given_than_are_kept_of_a_post(settings: Any) -> None:
    settings.PICTURES_PER_POST = 2
    post = make_post()
    for number in range(3):
        shown(post, plain(number), f"https://cdn.example/{number}.jpg", position=number)
    [one] = detection.with_pictures([claimed(post)], ImageAnalyser(Fake()))
    assert len(one.document.images) == 2


def test_a_picture_that_breaks_the_detector_has_an_error_and_is_retried_by_command() -> None:
    image = shown(make_post(), plain())
    detection.detect_due(ImageAnalyser(Breaking()))
    assert "failed on this picture" in RegionSet.objects.get().error
    call_command("see_pictures", "--again", "--later")
    image.refresh_from_db()
    assert image.due_at is not None and not RegionSet.objects.exists()


def test_a_picture_that_kills_its_lookers_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    post = make_post()
    image = shown(post, plain())

    class Killed(BaseException):
        pass

    def die(analyser: ImageAnalyser, images: Sequence[np.ndarray]) -> None:
        raise Killed

    one = claimed(post)
    monkeypatch.setattr(ImageAnalyser, "analyse", die)
    for _ in range(detection.MAX_ATTEMPTS):
        with pytest.raises(Killed):
            detection.with_pictures([one], ImageAnalyser(Fake()))
    image.refresh_from_db()
    assert image.attempts == detection.MAX_ATTEMPTS and image.due_at is not None and image.due_at > timezone.now()
    monkeypatch.setattr(ImageAnalyser, "analyse", lambda analyser, images: [])
    [read] = detection.with_pictures([one], ImageAnalyser(Fake()))
    assert read.document.regions == () and "stopped unexpectedly 3 times" in RegionSet.objects.get().error


def test_a_copy_that_is_gone_costs_its_regions_and_no_more() -> None:
    post = make_post()
    image = shown(post, plain())
    (Path(detection.settings.MEDIA_ROOT) / image.file).unlink()
    [one] = detection.with_pictures([claimed(post)], ImageAnalyser(Fake()))
    assert one.document.images == ("",) and one.document.regions == ()


def read_lane(monkeypatch: pytest.MonkeyPatch) -> Reading:
    """One round of the read queue over one due post."""
    checkpoint = make_checkpoint()
    post = make_post("Ada Lovelace met Charles Babbage", "They met in London.")
    assert post.current_version is not None
    row = Reading.objects.create(version=post.current_version, checkpoint=checkpoint, due_at=timezone.now())
    shown(post, plain())
    monkeypatch.setattr(tasks, "_reader", lambda path, digest: Extractor())
    tasks._read_due("test", Deployment.objects.get(active=True).checkpoint)
    row.refresh_from_db()
    return row


@pytest.mark.parametrize("broken", ["no weights", "failing"])
def test_a_post_is_read_from_its_words_whatever_is_wrong_with_detectors(
    broken: str, monkeypatch: pytest.MonkeyPatch, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DETECTOR_WEIGHTS = Path("nowhere.onnx")
    if broken == "failing":

        def fail(*args: object) -> None:
            raise OSError("disk on fire")

        monkeypatch.setattr(detection, "with_pictures", fail)
    row = read_lane(monkeypatch)
    assert row.stage == Reading.Stage.DONE and row.mentions.exists()
    assert caplog.records, "and it is logged"


def test_pictures_wait_for_a_detector(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    image = shown(make_post(), plain())
    assert tasks._detect_due() == 0
    settings.DETECTOR_WEIGHTS = "yolox-nano"
    monkeypatch.setattr(detectors_from_settings, "load_or_log", lambda: ImageAnalyser(Fake()))
    assert tasks._detect_due() == 1
    image.refresh_from_db()
    assert image.due_at is None


def test_posts_that_were_read_without_their_pictures_are_read_again_by_command() -> None:
    blind, whole = make_post("Ada met Babbage"), make_post("Nothing was missing")
    read_post(blind, missing=("windowed", "detector"))
    read_post(whole, missing=("windowed",))
    call_command("see_pictures", "--read", "--later", stdout=io.StringIO())
    [row] = Reading.objects.filter(stage=Reading.Stage.READ)
    assert row.version.post == blind and row.due_at is not None
    [one] = readings_queue.claim("test", 5)
    assert one.reading_id == row.pk


def run_queue(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Run the read queue until nothing is due: with a detector where one is set."""
    monkeypatch.setattr(tasks, "_reader", lambda path, digest: Extractor())
    monkeypatch.setattr(
        detectors_from_settings, "load_or_log", lambda: ImageAnalyser(Fake()) if settings.DETECTOR_WEIGHTS else None
    )
    checkpoint = Deployment.objects.get(active=True).checkpoint
    for _ in range(5):
        tasks._read_due("test", checkpoint)
        tasks._detect_due(checkpoint)


def due_post() -> Post:
    post = make_post("Ada Lovelace met Charles Babbage", "They met in London.")
    assert post.current_version is not None
    Reading.objects.create(version=post.current_version, checkpoint=make_checkpoint(), due_at=timezone.now())
    return post


def test_a_post_is_read_again_when_its_picture_came_later(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.DETECTOR_WEIGHTS = "yolox-nano"
    post = due_post()
    run_queue(monkeypatch, settings)
    assert Reading.objects.count() == 1
    shown(post, plain())
    run_queue(monkeypatch, settings)
    assert Reading.objects.filter(stage=Reading.Stage.DONE).count() == 2, "once, and not over and over"
    post.refresh_from_db()
    assert post.current_reading == Reading.objects.latest("pk")


def test_a_picture_that_was_there_in_time_has_nothing_read_again(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.DETECTOR_WEIGHTS = "yolox-nano"
    shown(due_post(), plain())
    run_queue(monkeypatch, settings)
    assert Reading.objects.count() == 1 and RegionSet.objects.count() == 1


def test_posts_are_read_again_once_there_is_a_detector(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    shown(due_post(), plain())
    run_queue(monkeypatch, settings)
    assert Reading.objects.count() == 1
    settings.DETECTOR_WEIGHTS = "yolox-nano"
    run_queue(monkeypatch, settings)
    assert Reading.objects.filter(stage=Reading.Stage.DONE).count() == 2


def test_by_setting_nothing_is_read_again_but_by_command(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.DETECTOR_WEIGHTS, settings.READ_AGAIN_FOR_PICTURES = "yolox-nano", False
    post = due_post()
    run_queue(monkeypatch, settings)
    shown(post, plain())
    run_queue(monkeypatch, settings)
    assert Reading.objects.count() == 1
    output = io.StringIO()
    call_command("see_pictures", "--read", "--later", stdout=output)
    assert "1 posts are queued to be analysed again." in output.getvalue() and Reading.objects.count() == 2


@pytest.mark.weights
@pytest.mark.photographs
def test_real_weights_by_setting_see_a_real_photograph(settings: Any) -> None:
    settings.DETECTOR_WEIGHTS = Path(os.environ["TEST_WEIGHTS"]).resolve() / "yolox_nano.onnx"
    settings.FACE_WEIGHTS = Path(os.environ["TEST_WEIGHTS"]).resolve() / "version-RFB-320.onnx"
    photo = sorted((Path(os.environ["TEST_PHOTOGRAPHS"]) / "images").glob("*.jpg"))[0]
    image = shown(make_post(), photo.read_bytes())
    call_command("see_pictures", stdout=io.StringIO())
    row = RegionSet.objects.get(sha256=image.sha256)
    assert row.detector.startswith("yolox-older-adf37537143b:10+ultraface-34cd7e60aeff:5")
    assert {region["class"] for region in row.regions} >= {"person"}


def test_the_command_reports_that_no_detector_is_set(settings: Any) -> None:
    with pytest.raises(CommandError, match="DETECTOR_WEIGHTS is empty"):
        call_command("see_pictures")
    settings.DETECTOR_WEIGHTS = Path("nowhere.onnx")
    with pytest.raises(CommandError, match=r"There are no weights at .*nowhere\.onnx"):
        call_command("see_pictures")


# letting go


def old(days: int = 40) -> Post:
    return make_post(seen_at=timezone.now() - timedelta(days=days))


def test_copies_are_let_go_and_posts_are_read_again_as_before(settings: Any) -> None:
    post = old()
    image = shown(post, written(scene(900, 600), "JPEG"))
    one = claimed(post)
    [before] = detection.with_pictures([one], ImageAnalyser(Fake()))
    pixels = Path(before.document.images[0]).read_bytes()
    assert image_retention.delete_old_copies() == 0, "kept for ever by default"
    settings.PICTURE_DAYS = 30
    assert image_retention.delete_old_copies() == 1
    image.refresh_from_db()
    assert (image.file, image.thumbnail) == ("", "") and image.let_go_at is not None
    assert not [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]
    [after] = detection.with_pictures([one], ImageAnalyser(Fake("a later detector")))
    assert after.document == before.document
    assert Path(after.document.images[0]).read_bytes() == pixels
    with Image.open(after.document.images[0]) as copy:
        assert max(copy.size) == detection.READING_SIDE


def test_a_younger_post_s_copy_of_the_same_picture_stays(settings: Any) -> None:
    settings.PICTURE_DAYS = 30
    shown(old(), plain())
    young = shown(make_post(), plain())
    assert image_retention.delete_old_copies() == 1
    assert (Path(settings.MEDIA_ROOT) / young.file).is_file()


def test_copies_are_not_deleted_before_detection(settings: Any) -> None:
    settings.PICTURE_DAYS, settings.DETECTOR_WEIGHTS = 30, "yolox-nano"
    shown(old(), plain())
    assert image_retention.delete_old_copies() == 0


def test_an_erased_post_leaves_nothing_of_its_pictures(
    settings: Any, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    post, other = make_post(), make_post()
    shown(post, plain(1), "https://cdn.example/own.jpg")
    both = shown(post, plain(2), "https://cdn.example/both.jpg")
    shown(other, plain(2), "https://cdn.example/both.jpg")
    detection.detect_due(ImageAnalyser(Fake()))
    with django_capture_on_commit_callbacks(execute=True):
        erasure.erase(post, None)
    files = [path.name for root in (settings.MEDIA_ROOT, settings.FEATURES_ROOT) for path in Path(root).rglob("*.*")]
    assert files and all(name.startswith(both.sha256) for name in files)
    assert list(RegionSet.objects.values_list("sha256", flat=True)) == [both.sha256]


# weights


def test_weights_are_fetched_on_first_use_and_checked(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    import hashlib

    from extraction.crawler.http_client import Response

    asked: list[str] = []
    part = detector_weights.WeightsFile(
        "a.onnx", "https://weights.example/a.onnx", 4, hashlib.sha256(b"good").hexdigest()
    )
    free = detector_weights.WeightsFile("b.txt", "https://weights.example/b.txt", 4)
    both = detector_weights.Weights("both", "a test", "MIT", (part, free))
    monkeypatch.setitem(detector_weights.WEIGHTS, "both", both)
    content = {"a": b"evil", "b": b"free"}

    def get(url: str, **options: Any) -> Response:
        asked.append(url)
        return Response(url, 200, {}, content[url.rpartition("/")[2][0]])

    monkeypatch.setattr(detector_weights.http_client, "get", get)
    with pytest.raises(detector_weights.WeightsMissing, match="it was not kept"):
        detector_weights.path_of("both")
    assert not both.path().exists() or not list(both.path().iterdir())
    content["a"] = b"good"
    folder = detector_weights.path_of("both")
    assert {path.name for path in folder.iterdir()} == {"a.onnx", "a.onnx.sha256", "b.txt", "b.txt.sha256"}
    count = len(asked)
    assert detector_weights.path_of("both") == folder and len(asked) == count
    (folder / "b.txt").unlink()
    content["b"] = b"else"
    with pytest.raises(detector_weights.WeightsMissing, match="changed it"):
        detector_weights.path_of("both")
    (folder / "b.txt").write_bytes(b"free")
    (folder / "a.onnx").write_bytes(b"put there by hand")
    with pytest.raises(detector_weights.WeightsMissing, match="remove it"):
        detector_weights.path_of("both")


def test_weights_that_cannot_be_fetched_are_reported_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    from extraction.crawler.http_client import FetchError

    def get(url: str, **options: Any) -> None:
        raise FetchError("name", "The name github.com is not known.")

    monkeypatch.setattr(detector_weights.http_client, "get", get)
    with pytest.raises(CommandError, match=r"not known\. Fetch https://github\.com/.* elsewhere and put it at"):
        call_command("fetch_weights", "yolox-nano", stdout=io.StringIO())
    with pytest.raises(CommandError, match="No weights are called 'yolo'"):
        call_command("fetch_weights", "yolo")


def test_the_list_has_addresses_sizes_and_licences() -> None:
    output = io.StringIO()
    call_command("fetch_weights", stdout=output)
    for one in detector_weights.WEIGHTS.values():
        assert f"{one.name}: {one.what}. {one.licence}; {one.size / 1e6:.1f} MB" in output.getvalue()
        assert all(file.url in output.getvalue() for file in one.files)
