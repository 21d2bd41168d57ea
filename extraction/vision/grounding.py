"""Grounding: match the nouns and names of a text with regions of its picture.

Phrases are the nouns of a sentence and the names in it, with the predicted type of a name; never a label of a data set,
nor anything made from one. Where a zero-shot detector is set (`GROUNDING_MODEL`, a folder that transformers reads:
Grounding DINO, OWLv2) it searches for the phrases; otherwise phrases are matched with the detected regions:

* a noun with a class, by the noun's own form or a word for the same thing (WORDS); score: the region's;
* a name of a person with a person or a face. The picture does not show which of several persons bears the name: the
most confident region is taken, and the score is divided by their number;
* names of other types with nothing: no detector's class is a town or a company.

Each region is grounded once, by the phrase that fits best.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from extraction.schema import GroundedWords, Region
from extraction.vision.boxes import overlaps

NOUNS = ("NOUN", "PROPN", "NN", "NNS", "NNP", "NNPS")
BY_CLASS = "classes-1"  # the version of grounding without a zero-shot detector
SAME = 0.6  # overlap from which a box that was found for a phrase is an already detected region
MIN_SCORE = 0.2
# Words for a detector's class beside its own name.
WORDS: dict[str, tuple[str, ...]] = {
    "person": (
        *("man", "woman", "boy", "girl", "child", "kid", "baby", "people", "men", "women", "children", "guy", "lady"),
        *("player", "actor", "actress", "singer", "minister", "president", "senator", "officer", "soldier", "worker"),
        *("student", "teacher", "fan", "crowd", "protester", "journalist", "doctor", "nurse", "driver", "rider"),
        *("couple", "family", "wife", "husband", "mother", "father", "son", "daughter", "coach", "athlete", "leader"),
    ),
    "bicycle": ("bike", "cyclist"),
    "car": ("vehicle", "taxi", "cab", "suv", "sedan"),
    "motorcycle": ("motorbike", "scooter", "moped"),
    "airplane": ("plane", "aircraft", "jet", "aeroplane", "airliner", "flight"),
    "bus": ("coach", "minibus"),
    "train": ("locomotive", "tram", "subway", "metro", "railway"),
    "truck": ("lorry", "van", "pickup"),
    "boat": ("ship", "vessel", "yacht", "ferry", "canoe", "dinghy"),
    "dog": ("puppy", "hound"),
    "cat": ("kitten",),
    "cow": ("cattle", "bull"),
    "horse": ("pony", "stallion"),
    "couch": ("sofa",),
    "tv": ("television", "screen", "monitor"),
    "cell phone": ("phone", "smartphone", "mobile", "iphone"),
    "laptop": ("computer", "notebook"),
    "sports ball": ("ball", "football", "basketball", "baseball", "soccer"),
    "potted plant": ("plant", "flower"),
    "dining table": ("table", "desk"),
    "wine glass": ("wine", "glass"),
    "cup": ("coffee", "mug", "tea"),
    "handbag": ("bag", "purse"),
    "suitcase": ("luggage", "baggage"),
    "teddy bear": ("teddy",),
    "traffic light": ("signal",),
    "surfboard": ("surfer", "surfing"),
    "skateboard": ("skater", "skateboarder"),
    "bird": ("eagle", "pigeon", "gull", "duck", "goose", "hawk"),
}
_CLASS = {word: kind for kind, words in WORDS.items() for word in words}


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun, or a name with its predicted type ("" for a noun). `head`: its syntactic head. `start`, `end`: its
    words."""

    text: str
    head: str
    type: str = ""
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Grounded:
    """`phrases[phrase]` is shown by `region`; `index` is the region's index among the detected ones, or None."""

    phrase: int
    region: Region
    index: int | None
    score: float


class Grounder(Protocol):
    """Searches for phrases in one picture; `version` identifies it."""

    version: str

    def find(self, picture: np.ndarray, phrases: Sequence[str]) -> list[tuple[int, Region]]: ...


def phrases(
    words: Sequence[str], tags: Sequence[str], names: Sequence[tuple[int, int, str]] = ()
) -> tuple[Phrase, ...]:
    """The names (start and end word, type) and the nouns beside them, in the order of the text, each text once."""
    named = {place for start, end, _ in names for place in range(start, end)}
    result = [
        (start, Phrase(" ".join(words[start:end]), words[end - 1], kind, start, end)) for start, end, kind in names
    ]
    result += [
        (place, Phrase(word, word, "", place, place + 1))
        for place, (word, tag) in enumerate(zip(words, tags, strict=True))
        if tag in NOUNS and place not in named and any(letter.isalpha() for letter in word)
    ]
    once = {phrase.text.casefold(): phrase for _, phrase in sorted(result, key=lambda one: one[0], reverse=True)}
    return tuple(reversed(once.values()))


def ground(
    words: Sequence[str],
    tags: Sequence[str],
    names: Sequence[tuple[int, int, str]],
    regions: Sequence[Region],
    grounder: Grounder | None = None,
    picture: np.ndarray | None = None,
) -> tuple[GroundedWords, ...]:
    """The regions that show the nouns and names of a sentence, best first: in training and live alike.

    `names`: start and end word and predicted type. A zero-shot detector searches in the picture, where there are both.
    """
    named = phrases(words, tags, names)
    if grounder is not None and picture is not None:
        result = with_grounder(grounder, picture, named, regions)
    else:
        result = by_class(named, regions)
    return tuple(GroundedWords(named[one.phrase].start, named[one.phrase].end, one.region) for one in result)


def by_class(phrases: Sequence[Phrase], regions: Sequence[Region]) -> list[Grounded]:
    """The phrases matched with the classes of detected regions, most confident first."""
    candidates = sorted(_candidates(phrases, regions), key=lambda one: -one.score)
    result: list[Grounded] = []
    for one in candidates:
        if all(one.index != other.index and one.phrase != other.phrase for other in result):
            result.append(one)
    return result


def _candidates(phrases: Sequence[Phrase], regions: Sequence[Region]) -> Iterator[Grounded]:
    for place, phrase in enumerate(phrases):
        kinds = _kinds(phrase)
        alike = [index for index, region in enumerate(regions) if region.label in kinds]
        for index in alike:
            rivals = sum(regions[other].label == regions[index].label for other in alike) if phrase.type else 1
            score = regions[index].score / rivals
            yield Grounded(place, replace(regions[index], grounded=True, score=score), index, score)


def _kinds(phrase: Phrase) -> tuple[str, ...]:
    """The classes that may show it."""
    if phrase.type:
        return ("person", "face") if phrase.type == "person" else ()
    word = phrase.head.casefold()
    forms = {word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ies") + "y"}
    return tuple({_CLASS.get(form, form) for form in forms})


def with_grounder(
    grounder: Grounder, picture: np.ndarray, phrases: Sequence[Phrase], regions: Sequence[Region]
) -> list[Grounded]:
    """The regions that the zero-shot detector finds; a box that matches a detected region is that region."""
    result = []
    for place, region in grounder.find(picture, [phrase.text for phrase in phrases]):
        shares = overlaps([region.box], [known.box for known in regions])[0] if regions else np.zeros(0)
        index = int(shares.argmax()) if len(shares) and shares.max() >= SAME else None
        result.append(Grounded(place, replace(region, grounded=True), index, region.score))
    return sorted(result, key=lambda one: -one.score)


class ZeroShot:
    """transformers' zero-shot object detection, read from a folder, safetensors only."""

    def __init__(self, model: Any, processor: Any, version: str, device: str = "cpu") -> None:
        self.model, self.processor, self.version, self.device = model.to(device).eval(), processor, version, device

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> ZeroShot:
        """Raises OSError or ValueError where the folder holds no such network. Nothing is fetched."""
        from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

        model = AutoModelForZeroShotObjectDetection.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
        return cls(model, processor, f"{model.config.model_type}-{folder.name}", device)

    def find(self, picture: np.ndarray, phrases: Sequence[str]) -> list[tuple[int, Region]]:
        """(place of the phrase, region), for boxes that score at least MIN_SCORE."""
        import torch

        if not phrases:
            return []
        height, width = picture.shape[:2]
        inputs = self.processor(images=picture, text=[list(phrases)], return_tensors="pt").to(self.device)
        with torch.inference_mode():
            output = self.model(**inputs)
        [result] = self.processor.post_process_grounded_object_detection(
            output, threshold=MIN_SCORE, target_sizes=[(height, width)], text_labels=[list(phrases)]
        )
        rows = zip(result["boxes"].tolist(), result["scores"].tolist(), result["text_labels"], strict=True)
        return [
            (_place(label, phrases), Region(_share(box, width, height), str(label), float(score)))
            for box, score, label in rows
        ]


def _place(label: str, phrases: Sequence[str]) -> int:
    """The index of the phrase of a label: Grounding DINO may return a part of a phrase."""
    part = label.casefold().strip()
    return next((place for place, phrase in enumerate(phrases) if part and part in phrase.casefold()), 0)


def _share(box: Sequence[float], width: int, height: int) -> tuple[float, float, float, float]:
    left, top, right, bottom = (
        min(max(end / side, 0.0), 1.0) for end, side in zip(box, (width, height) * 2, strict=True)
    )
    return left, top, right - left, bottom - top
