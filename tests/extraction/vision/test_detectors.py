"""Detectors: what their outputs mean, whatever the picture's shape; which file is which; too little memory."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from extraction.vision import detection, load_detector, onnx_detectors
from extraction.vision.boxes import from_centred, overlaps
from extraction.vision.detection import COCO, Detections, DetectorMissing, OutOfMemory

DOG = COCO.index("dog")
BOX = (0.25, 0.5, 0.25, 0.25)  # of a picture twice as wide as high
WIDE = np.full((200, 400, 3), 90, np.uint8)


def logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


class Session:
    """An onnxruntime session whose outputs are given: `answer` makes them from what the network is given."""

    def __init__(self, answer: Any, given: tuple[int, ...], *shapes: tuple[int, ...]) -> None:
        self.answer, self.given, self.shapes = answer, given, shapes
        self.seen: list[np.ndarray] = []

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="x", shape=list(self.given))]

    def get_outputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(shape=list(shape)) for shape in self.shapes]

    def run(self, names: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.seen.append(feed["x"])
        found: list[np.ndarray] = self.answer(feed["x"])
        return found


def detector(session: Session) -> onnx_detectors.OnnxDetector:
    model = onnx_detectors._model(session, list(session.shapes))
    assert model is not None
    return onnx_detectors.OnnxDetector(session, model, "test-1")


def yolox_rows(surety: float) -> np.ndarray:
    """Outputs of a 64 x 64 YOLOX for one dog in BOX. The wide picture is 64 x 32 there: its lower half is padding."""
    rows = np.zeros((64 + 16 + 4, 85), np.float32)
    # the dog: centre (24, 20), size 16 x 8, given by the cell (2, 2) of the level with stride 8
    rows[2 * 8 + 2, :4] = 24 / 8 - 2, 20 / 8 - 2, np.log(16 / 8), np.log(8 / 8)
    rows[2 * 8 + 2, 4] = surety
    rows[2 * 8 + 2, 5 + DOG] = 1.0
    return rows


def older_planes(surety: float) -> np.ndarray:
    rows = yolox_rows(surety)
    rows[:, 4:] = [[logit(min(max(v, 1e-6), 1 - 1e-6)) for v in row] for row in rows[:, 4:]]
    parts = [rows[:64], rows[64:80], rows[80:]]
    return np.concatenate([part.T.reshape(-1) for part in parts]).reshape(1, 84, 85).astype(np.float32)


def fastest_plane() -> np.ndarray:
    """22 x 22 cells; the cell (8, 13) gives the dog."""
    plane = np.zeros((1, 85, 22, 22), np.float32)
    cx, cy = BOX[0] + BOX[2] / 2, BOX[1] + BOX[3] / 2
    plane[0, :5, 13, 8] = 0.9, np.arctanh(cx * 22 - 8), np.arctanh(cy * 22 - 13), logit(BOX[2]), logit(BOX[3])
    plane[0, 5 + DOG, 13, 8] = 1.0
    return plane


def face_outputs() -> list[np.ndarray]:
    scores, boxes = np.zeros((1, 10, 2), np.float32), np.zeros((1, 10, 4), np.float32)
    scores[0, 3], boxes[0, 3] = (0.1, 0.9), (0.25, 0.5, 0.5, 0.75)
    return [scores, boxes]


@pytest.mark.parametrize(
    ("session", "label"),
    [
        (Session(lambda x: [yolox_rows(0.9)[None]], (1, 3, 64, 64), (1, 84, 85)), "dog"),
        (Session(lambda x: [older_planes(0.9)], (1, 3, 64, 64), (1, 84, 85)), "dog"),
        (Session(lambda x: [fastest_plane()], (1, 3, 352, 352), (1, 85, 22, 22)), "dog"),
        (Session(lambda x: face_outputs(), (1, 3, 240, 320), (1, 10, 2), (1, 10, 4)), "face"),
    ],
    ids=["yolox", "older yolox", "fastestdet", "ultraface"],
)
def test_a_box_is_found_where_it_is_in_the_picture(session: Session, label: str) -> None:
    made = detector(session)
    [found] = made.detect([WIDE])
    [region] = detection.as_regions(found, made.classes)
    assert (region.label, region.score) == (label, pytest.approx(0.9, abs=1e-3))
    assert region.box == pytest.approx(BOX, abs=1e-3)
    assert found.vectors.shape == (1, len(made.classes) + 5)
    assert found.vectors[0, -5:] == pytest.approx([0.375, 0.625, 0.25, 0.25, 0.0625], abs=1e-3)


def test_both_yolox_are_given_pictures_as_they_were_trained() -> None:
    red = np.zeros((10, 10, 3), np.uint8)
    red[..., 0] = 255
    present, older = (
        detector(Session(lambda x, a=answer: [a], (1, 3, 64, 64), (1, 84, 85)))
        for answer in (yolox_rows(0.9)[None], older_planes(0.9))
    )
    assert present.prepare([red])[0, :, 5, 5].tolist() == [0, 0, 255]
    assert older.prepare([red])[0, :, 5, 5] == pytest.approx([2.249, -2.036, -1.804], abs=1e-3)


def test_a_batch_is_given_as_large_as_the_file_takes_it() -> None:
    def two(given: np.ndarray) -> list[np.ndarray]:
        return [np.repeat(yolox_rows(0.9)[None], len(given), axis=0)]

    session = Session(two, (2, 3, 64, 64), (2, 84, 85))
    made = detector(session)
    session.seen.clear()
    assert [len(one) for one in made.detect([WIDE] * 3)] == [1, 1, 1]
    assert [len(given) for given in session.seen] == [2, 2]
    assert made.detect([]) == []


def test_boxes_that_are_no_boxes_are_left_out() -> None:
    boxes = np.array([[0.1, 0.1, 0.2, 0.2], [np.nan, 0, 1, 1], [2, 2, 1, 1], [0.5, 0.5, 0.0, 0.3]])
    found = detection.chosen(boxes, np.full(4, 0.9), np.eye(4))
    assert found.boxes.tolist() == [[0.1, 0.1, pytest.approx(0.2), pytest.approx(0.2)]]


def test_memory_that_does_not_suffice_halves_the_batch() -> None:
    tried: list[int] = []

    def run(pictures: Sequence[np.ndarray]) -> list[int]:
        tried.append(len(pictures))
        if len(pictures) > 2:
            raise OutOfMemory("no memory")
        return [int(picture[0, 0, 0]) for picture in pictures]

    pictures = [np.full((1, 1, 3), place, np.uint8) for place in range(5)]
    assert list(detection.halved(run, pictures)) == [0, 1, 2, 3, 4]
    assert tried == [5, 2, 3, 1, 2]


def test_too_little_memory_for_one_picture_is_an_error() -> None:
    def run(pictures: Sequence[np.ndarray]) -> list[int]:
        raise OutOfMemory("no memory")

    with pytest.raises(OutOfMemory):
        list(detection.halved(run, [WIDE, WIDE]))


def test_weights_that_are_no_detector_are_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DetectorMissing, match="fetch_weights"):
        load_detector.load(tmp_path / "absent.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no onnx")
    with pytest.raises(DetectorMissing, match="cannot be loaded"):
        load_detector.load(broken)
    strange = tmp_path / "weights.bin"
    strange.write_bytes(b"")
    with pytest.raises(DetectorMissing, match="neither an ONNX file"):
        load_detector.load(strange)


def test_a_pickle_is_loaded_only_with_a_confirmed_digest(tmp_path: Path) -> None:
    weights = tmp_path / "yolo.pt"
    weights.write_bytes(b"not even looked into")
    with pytest.raises(DetectorMissing, match="is not confirmed by"):
        load_detector.load(weights)
    (tmp_path / "yolo.pt.sha256").write_text("0" * 64)
    with pytest.raises(DetectorMissing, match="has another SHA-256"):
        load_detector.load(weights)


def test_an_ultralytics_yolo_detects_without_telemetry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    monkeypatch.setenv("YOLO_AUTOINSTALL", "false")
    monkeypatch.setattr(Image, "open", Image.open)  # it puts its own there when it is imported
    ultralytics = pytest.importorskip("ultralytics", reason="needs ultralytics (`make install-yolo`)")
    weights = tmp_path / "blank.pt"
    ultralytics.YOLO("yolo11n.yaml").save(str(weights))
    Path(f"{weights}.sha256").write_text(f"{detection.digest(weights)}  blank.pt\n")
    made = load_detector.load(weights)
    assert made.version.startswith("ultralytics-blank-")
    assert [one.vectors.shape[1] for one in made.detect([WIDE, WIDE])] == [len(made.classes) + 5] * 2
    assert ultralytics.utils.events.events.enabled is False
    assert ultralytics.utils.AUTOINSTALL is False and ultralytics.utils.ONLINE is False


def test_an_ultralytics_result_is_read_in_shares_of_the_picture() -> None:
    from extraction.vision.ultralytics_yolo import UltralyticsYolo

    torch = pytest.importorskip("torch")
    result = SimpleNamespace(
        boxes=SimpleNamespace(
            xyxyn=torch.tensor([[0.0, 0.0, 0.1, 0.1], [0.25, 0.5, 0.5, 0.75]]),
            conf=torch.tensor([0.4, 0.9]),
            cls=torch.tensor([0.0, 1.0]),
        )
    )
    given: list[np.ndarray] = []

    def predict(pictures: list[np.ndarray], **options: Any) -> list[Any]:
        given.extend(pictures)
        return [result]

    made = UltralyticsYolo(SimpleNamespace(names={0: "cat", 1: "dog"}, predict=predict), "u-1")
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    [found] = made.detect([red])
    best = detection.as_regions(found, made.classes)[0]
    assert (best.label, best.box) == ("dog", BOX)
    assert given[0][0, 0].tolist() == [0, 0, 255], "ultralytics takes arrays for BGR"


def test_an_ultralytics_out_of_memory_is_distinguished_from_other_errors() -> None:
    from extraction.vision.ultralytics_yolo import UltralyticsYolo

    def predict(pictures: list[np.ndarray], **options: Any) -> list[Any]:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    with pytest.raises(OutOfMemory):
        UltralyticsYolo(SimpleNamespace(names={0: "cat"}, predict=predict), "u-1").detect([WIDE])


def real(name: str) -> detection.Detector:
    return load_detector.load(Path(os.environ["TEST_WEIGHTS"]) / name, threads=1)


def photographs() -> list[Path]:
    return sorted((Path(os.environ["TEST_PHOTOGRAPHS"]) / "images").glob("*.jpg"))


@pytest.mark.weights
@pytest.mark.photographs
@pytest.mark.parametrize(("name", "least"), [("yolox_nano.onnx", 0.55), ("FastestDet.onnx", 0.45)])
def test_real_detectors_find_what_another_one_found(name: str, least: float) -> None:
    """MNRE's published boxes are Faster-RCNN's; read wrongly (channels, layout, padding), hardly any is found again."""
    published: dict[str, list[float]] = {}
    for split in ("train", "dev", "test"):
        file = Path(os.environ["TEST_PHOTOGRAPHS"]) / "boxes" / f"{split}_detect_box_dict.json"
        published |= json.loads(file.read_text())
    made, found, there = real(name), 0, 0
    for path in photographs():
        if wanted := [published[key][:4] for k in range(3) if (key := f"{path.stem}_crop_{k}.jpg") in published]:
            [seen] = made.detect([np.asarray(Image.open(path).convert("RGB"))])
            shares = overlaps(from_centred(wanted), seen.boxes) if len(seen) else np.zeros((len(wanted), 1))
            found, there = found + int((shares.max(axis=1) >= 0.5).sum()), there + len(wanted)
    assert there > 80
    assert found / there >= least


@pytest.mark.weights
@pytest.mark.photographs
def test_faces_lie_on_people() -> None:
    people, faces = real("yolox_nano.onnx"), real("version-RFB-320.onnx")
    inside = total = 0
    for path in photographs():
        picture = np.asarray(Image.open(path).convert("RGB"))
        [seen], [heads] = people.detect([picture]), faces.detect([picture])
        bodies = [body.box for body in detection.as_regions(seen, people.classes) if body.label == "person"]
        for x, y, w, h in heads.boxes:
            total += 1
            centre = (x + w / 2, y + h / 2)
            inside += any(a <= centre[0] <= a + c and b <= centre[1] <= b + d for a, b, c, d in bodies)
    assert total > 30 and inside / total > 0.7


def test_detections_count_their_regions() -> None:
    assert len(Detections(np.zeros((2, 4)), np.zeros(2), np.zeros(2, int), np.zeros((2, 5)))) == 2
