"""Weights of detectors and other networks for pictures: their addresses, sizes and licences, and fetching them.

Nothing is shipped and nothing is fetched unless a setting or `manage.py fetch_weights` names it. Fetched files lie in
WEIGHTS_ROOT, and are used only if their SHA-256 is the one written here; where none is known, that of the first fetch
is stored beside the file, and a later one must be the same.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from extraction.crawler import http_client

FETCH_SECONDS = 3600.0
SUM = ".sha256"  # beside a file: its digest


class WeightsMissing(Exception):
    """The weights are not available; the message names the remedy."""


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One file: its address, its approximate size, and its SHA-256 ("": not known)."""

    name: str
    url: str
    size: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights that a setting may name. Several files make a folder."""

    name: str
    what: str
    licence: str
    files: tuple[WeightsFile, ...]
    needs: str = ""

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    def path(self) -> Path:
        """The path of the fetched file or folder."""
        folder = Path(settings.WEIGHTS_ROOT)
        return folder / self.name if len(self.files) > 1 else folder / self.files[0].name


_YOLOX = "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/"
_HUB = "https://huggingface.co/"


def _folder(repository: str, *sizes: tuple[str, int]) -> tuple[WeightsFile, ...]:
    return tuple(WeightsFile(name, f"{_HUB}{repository}/resolve/main/{name}", size) for name, size in sizes)


WEIGHTS: dict[str, Weights] = {
    one.name: one
    for one in (
        Weights(
            "yolox-nano",
            "objects of 80 kinds (COCO); small and fast",
            "Apache-2.0",
            (
                WeightsFile(
                    "yolox_nano.onnx",
                    _YOLOX + "yolox_nano.onnx",
                    3_659_407,
                    "c789161ed43c8269fcd4e67c67eeeb4e80c622da2eb296a20bc6007bd18a0b7d",
                ),
            ),
        ),
        Weights(
            "yolox-s",
            "objects of 80 kinds (COCO); better and slower",
            "Apache-2.0",
            (WeightsFile("yolox_s.onnx", _YOLOX + "yolox_s.onnx", 35_900_000),),
        ),
        Weights(
            "fastestdet",
            "objects of 80 kinds (COCO); the fastest and least accurate",
            "BSD-3-Clause",
            (
                WeightsFile(
                    "FastestDet.onnx",
                    "https://raw.githubusercontent.com/dog-qiuqiu/FastestDet/main/example/onnx-runtime/FastestDet.onnx",
                    998_169,
                    "31cb14c017fce347cb4c846ec62fdf00d76bb3beecdf4be21e7116ac67feb880",
                ),
            ),
        ),
        Weights(
            "ultraface",
            "faces (FACE_WEIGHTS)",
            "MIT",
            (
                WeightsFile(
                    "version-RFB-320.onnx",
                    "https://raw.githubusercontent.com/Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB/"
                    "0f9ca4a9fc80170fd505168fd1132b837141f7df/models/onnx/version-RFB-320.onnx",
                    1_270_727,
                    "34cd7e60aeff28744c657de7a3dc64e872d506741de66987f3426f2b79f88017",
                ),
            ),
        ),
        Weights(
            "yolo11n",
            "objects of 80 kinds (COCO), ultralytics",
            "AGPL-3.0",
            (
                WeightsFile(
                    "yolo11n.pt",
                    "https://github.com/ultralytics/assets/releases/download/v8.3.0/yolo11n.pt",
                    5_613_764,
                    "0ebbc80d4a7680d14987a577cd21342b65ecfd94632bd9a8da63ae6417644ee1",
                ),
            ),
            needs="`make install-yolo`",
        ),
        Weights(
            "depth-anything-v2-small",
            "depth (DEPTH_MODEL)",
            "Apache-2.0",
            _folder(
                "depth-anything/Depth-Anything-V2-Small-hf",
                ("config.json", 1_000),
                ("preprocessor_config.json", 500),
                ("model.safetensors", 99_200_000),
            ),
        ),
        Weights(
            "owlv2-base",
            "zero-shot grounding (GROUNDING_MODEL)",
            "Apache-2.0",
            _folder(
                "google/owlv2-base-patch16-ensemble",
                ("config.json", 5_000),
                ("preprocessor_config.json", 500),
                ("model.safetensors", 620_000_000),
                ("tokenizer_config.json", 1_000),
                ("special_tokens_map.json", 500),
                ("vocab.json", 900_000),
                ("merges.txt", 530_000),
            ),
        ),
    )
}


def path_of(setting: str | Path) -> Path:
    """The file or folder that a setting names; a name's weights are fetched on first use. Raises WeightsMissing."""
    if isinstance(setting, Path):
        return setting
    one = named(setting)
    if not complete(one):
        return fetch_weights(one)
    for file in one.files:
        _check(_place(one, file), file)
    return one.path()


def named(name: str) -> Weights:
    if name not in WEIGHTS:
        raise WeightsMissing(
            f"No weights are called {name!r}; there are {', '.join(WEIGHTS)}. A file or folder is written with a slash "
            "or its ending."
        )
    return WEIGHTS[name]


def complete(one: Weights) -> bool:
    """Whether all files have been fetched. A file is renamed to its name when it is whole and its digest right."""
    return all(_place(one, file).is_file() for file in one.files)


def fetch_weights(one: Weights) -> Path:
    """Fetch the files that do not exist. Raises WeightsMissing, with no file half written."""
    for file in one.files:
        if not _place(one, file).is_file():
            _fetch(one, file)
    return one.path()


def _place(one: Weights, file: WeightsFile) -> Path:
    return one.path() / file.name if len(one.files) > 1 else one.path()


def _check(place: Path, file: WeightsFile) -> None:
    """Check the digest of a file, which somebody may have put there by hand."""
    with place.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest() if file.sha256 else ""
    if found != file.sha256:
        raise WeightsMissing(
            f"{place} has the SHA-256 {found} and not {file.sha256}: remove it, and it is fetched again."
        )


def _fetch(one: Weights, file: WeightsFile) -> None:
    place = _place(one, file)
    beside = place.with_name(place.name + SUM)
    try:
        content = http_client.get(file.url, max_bytes=2 * file.size + (1 << 20), deadline=FETCH_SECONDS).content
    except http_client.FetchError as error:
        raise WeightsMissing(
            f"The weights {one.name} could not be fetched: {error.sentence} Fetch {file.url} elsewhere and put it at "
            f"{place}, or name another file in the setting."
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    stored = beside.read_text(encoding="ascii").split()[:1] if beside.is_file() else []
    known = file.sha256 or "".join(stored)
    if known and digest != known:
        raise WeightsMissing(
            f"What {file.url} gives has the SHA-256 {digest} and not {known}: it was not kept. Its publisher has "
            "changed it, or it was altered on the way."
        )
    _write(place, content)
    beside.write_text(f"{digest}  {place.name}\n", encoding="ascii")


def _write(place: Path, content: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=place.parent, suffix=".draft")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(draft).replace(place)
