"""Values that the stages of extraction pass to each other: plain, frozen, and free of Django and torch.

Offsets count Unicode code points, half-open, in the text of the same object. Boxes are
`(x, y, width, height)` as fractions of the picture, 0..1, from its upper left corner.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

Stage = Literal["read", "link", "mentions", "relations", "record"]
# How a reader takes a post's pictures (`reader/image_selection.py`): not at all, the most confident regions of all of
# them, the leading picture, or each picture.
Takes = Literal["words", "regions", "leading", "each"]
# How a mention refers to its entity. "It" and "who" are pronouns, "the company" is nominal.
Form = Literal["name", "nominal", "pronoun"]
# Whether the text states an assertion as a fact, as a plan, as somebody's claim, or denies it.
Factuality = Literal["stated", "planned", "alleged", "denied"]
FORMS: tuple[Form, ...] = ("name", "nominal", "pronoun")
FACTUALITIES: tuple[Factuality, ...] = ("stated", "planned", "alleged", "denied")


@dataclass(frozen=True, slots=True)
class ExtractedMention:
    """A span of text that refers to an entity. `type` is a key of `labels.ENTITY_TYPES`, or "" where it is not known.

    `entity`: index into the entities of the same object, None where coreference was not resolved.
    """

    start: int
    end: int
    type: str
    score: float = 1.0
    form: Form = "name"
    entity: int | None = None


@dataclass(frozen=True, slots=True)
class ExtractedEntity:
    """The entity of one or more mentions of a text: its type, and its best name there, "" where none names it."""

    type: str
    name: str


@dataclass(frozen=True, slots=True)
class When:
    """The time of an assertion: the mention that gives it, and the days that it may mean, both included.

    `earliest` and `latest` are None where that side is open or the words could not be resolved; a relative time ("on
    Monday") is resolved against the day of publication.
    """

    mention: int
    earliest: date | None = None
    latest: date | None = None


@dataclass(frozen=True, slots=True)
class Amount:
    """The sum of an assertion: the mention that gives it, its value, and its unit (a currency's ISO 4217 code, or a
    word of the text); None and "" where the words could not be resolved."""

    mention: int
    value: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a picture: its box, the detector's class and score, and the index of its picture in the post.

    `depth`: how near it is, 0..1 (0 where not measured). `grounded`: detected by the words that name it. `features`
    (d,) describe what its pixels show; None where they were not computed. Two regions are equal whatever these are.
    """

    box: tuple[float, float, float, float]
    label: str = ""
    score: float = 1.0
    image: int = 0
    depth: float = 0.0
    grounded: bool = False
    features: np.ndarray[Any, Any] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class GroundedWords:
    """Words `start` to `end` of a sentence, half-open, and the region that shows what they name."""

    start: int
    end: int
    region: Region


@dataclass(frozen=True, slots=True)
class ImageSources:
    """Which components analysed a picture, by their versions; "" for one that did not take part or is not known."""

    detector: str = ""
    faces: str = ""
    depth: str = ""
    scene: str = ""
    features: str = ""
    grounding: str = ""

    @property
    def version(self) -> str:
        """All of them as one text, which `parsed` reads."""
        rest = ("faces", "depth", "scene", "features", "grounding")
        named = [f"{name}={value}" for name in rest if (value := getattr(self, name))]
        return "+".join([self.detector, *named])

    @classmethod
    def parsed(cls, version: str) -> ImageSources:
        """The components of a version; of one made before they were named, the detector alone."""
        detector, *rest = version.split("+")
        named = dict(part.split("=", 1) for part in rest if "=" in part)
        return cls(detector, *(named.get(name, "") for name in ("faces", "depth", "scene", "features", "grounding")))


UNKNOWN_SOURCES = ImageSources()


@dataclass(frozen=True, slots=True)
class SceneEdge:
    """A relation between two regions of one picture. `subject`, `object`: indexes of regions.

    `predicate` is one of `vision.scene_graph.PREDICATES`; `kind`: a spatial relation or an interaction.
    """

    subject: int
    object: int
    predicate: str
    kind: Literal["spatial", "interaction"] = "spatial"
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Relation:
    """A typed, directed edge. `head` (and `tail`, unless it is a Region) are indexes into the mentions of the same
    object.

    `key` is a key of `labels.RELATIONS`. `evidence` holds weights of the words, regions and facts that the relation
    rests on; a region's reference is {"region": its index in the document's regions}. `without_image`: the score of the
    same pair with the picture masked, None where the reader took no picture. `by`: the mention whose entity claims what
    is alleged. A reader that was not trained on factuality gives "stated" and None.
    """

    head: int
    tail: int | Region
    key: str
    score: float = 1.0
    evidence: tuple[EvidencePart, ...] = ()
    without_image: float | None = None
    factuality: Factuality = "stated"
    by: int | None = None
    when: When | None = None
    amount: Amount | None = None


@dataclass(frozen=True, slots=True)
class EvidencePart:
    """One part of the evidence for a relation: words of the text, a region of a picture, or a fact from a knowledge
    base."""

    kind: Literal["word", "region", "fact"]
    reference: dict[str, object] = field(default_factory=dict)
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact of a knowledge base, shown to a network and stored with the reading.

    `relation`: the key of the relation that its property corresponds to, "" for a description, a category or another
    property.
    """

    subject: str
    property: str
    object: str
    source: str
    relation: str = ""
    # By which the text calls the subject, where that is known: "U.S.". It is no part of the fact.
    name: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Document:
    """The input of a reader: a text as shown to people, of which the first `title_end` code points are its title.

    `images`: the files of its pictures, the lead picture first, "" for one whose copy is gone; `contents` and
    `captions`, where known, are the SHA-256 of each as it was fetched and its caption. `regions` of all pictures
    (`Region.image` gives the picture), the most confident first in each picture; `scene`: the relations between them.
    `detected`: a detector ran on all of them, so that a picture without regions shows nothing. `sources`: what
    analysed them. `facts`: facts about the entities it names; None where they were not looked up, () where there are
    none. `published`: its day of publication.
    """

    id: str
    text: str
    title_end: int = 0
    images: tuple[str, ...] = ()
    language: str = ""
    regions: tuple[Region, ...] = ()
    scene: tuple[SceneEdge, ...] = ()
    contents: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    facts: tuple[Fact, ...] | None = None
    detected: bool = False
    published: date | None = None
    sources: ImageSources = UNKNOWN_SOURCES


@dataclass(frozen=True, slots=True)
class Declined:
    """Why a text was not analysed. `code` is stable (`empty`, `language`, `too_long`, …); `message` is for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class WeightGrid:
    """Attention weights of words over a picture: `weights[i][j]` of word i on column j.

    kind "region": the columns are `columns`, indexes into the document's regions. kind "patch": they are the patches of
    picture `image`, row by row, `wide` of them in a row. `spans[i]` is word i's place in the text, in code points.
    """

    kind: Literal["region", "patch"]
    spans: tuple[tuple[int, int], ...]
    weights: tuple[tuple[float, ...], ...]
    columns: tuple[int, ...] = ()
    image: int = 0
    wide: int = 0


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a reader found in one document; `missing` names the inputs that were not available (`image`, `detector`, …).

    `regions`, `scene` and `contents` are the document's; `grids`: word-by-region and word-by-patch weights, for
    display. A relation `depicts` has a region for its tail: the region shows the mention's entity.
    `facts`: those that the reader was shown. `takes`: how it takes pictures, and `used_images` the numbers of those of
    which it took anything. `entities`: what its mentions refer to; () where coreference was not resolved.
    """

    id: str
    text: str
    language: str = ""
    mentions: tuple[ExtractedMention, ...] = ()
    relations: tuple[Relation, ...] = ()
    missing: tuple[str, ...] = ()
    declined: Declined | None = None
    regions: tuple[Region, ...] = ()
    scene: tuple[SceneEdge, ...] = ()
    grids: tuple[WeightGrid, ...] = ()
    contents: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    takes: Takes = "words"
    used_images: tuple[int, ...] = ()
    entities: tuple[ExtractedEntity, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """A sentence as the parser saw it: `spans[i]` is word i's span in the text, `heads[i]` its governor or itself."""

    spans: tuple[tuple[int, int], ...]
    words: tuple[str, ...]
    tags: tuple[str, ...] = ()
    heads: tuple[int, ...] = ()
    deps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WordSpan:
    """A mention in word positions, half-open. `type` "": the data set does not give the type.

    `entity` names its entity among those of the example's document, "" where that is not annotated.
    """

    start: int
    end: int
    type: str
    form: Form = "name"
    entity: str = ""


@dataclass(frozen=True, slots=True)
class WordRelation:
    """A relation between two `WordSpan`s of one example, by index. `by`, `when`, `amount`: indexes, too; None where no
    mention of the example gives it."""

    head: int
    tail: int
    key: str
    factuality: Factuality = "stated"
    by: int | None = None
    when: int | None = None
    amount: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pair that a data set labels: `head` and `tail` are indexes into the mentions; with `region`, `tail` into the
    regions. `key` "": they are not related."""

    head: int
    tail: int
    key: str = ""
    region: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """One sentence with its gold annotation, from a data set or from reviewed posts.

    `types` and `relation_keys` are what the data set annotates: cells outside them are masked, not negative.
    `masked_pairs` are (head, tail) indexes into `mentions` whose relations are unknown for this sentence, and
    `masked_relations` the (head, tail, key) that are unknown for pairs of which other relations are known.
    `complete`: every mention of `types` is annotated; where it is false, words outside `mentions` are masked.
    `before` is context shown to the encoder (a headline, say) that carries no labels. `candidates` are the labelled
    pairs of a data set for pair systems; `regions` are the picture's objects and `facts` the facts about its entities.
    `scene`: the relations between the regions, None where nothing but their boxes is known. `grounded`: its words that
    a region shows. `sources`: what analysed the picture; empty for boxes that the data set itself gives.
    `news`: annotated by the guideline of the corpora of news: nominals and pronouns too, and of every relation its
    factuality, claimant, time and amount.
    `unsettled`: indexes of mentions that nobody judged, only ends of a judged relation: their words are masked.
    `not_mentions`: spans that are judged to be no mentions of their types.
    """

    id: str
    dataset: str
    words: tuple[str, ...]
    mentions: tuple[WordSpan, ...] = ()
    relations: tuple[WordRelation, ...] = ()
    types: frozenset[str] = frozenset()
    relation_keys: frozenset[str] = frozenset()
    masked_pairs: frozenset[tuple[int, int]] = frozenset()
    masked_relations: frozenset[tuple[int, int, str]] = frozenset()
    complete: bool = True
    before: tuple[str, ...] = ()
    image: str = ""
    document: str = ""
    candidates: tuple[Candidate, ...] = ()
    regions: tuple[Region, ...] = ()
    facts: tuple[Fact, ...] = ()
    news: bool = False
    scene: tuple[SceneEdge, ...] | None = None
    grounded: tuple[GroundedWords, ...] = ()
    sources: ImageSources = UNKNOWN_SOURCES
    unsettled: frozenset[int] = frozenset()
    not_mentions: tuple[WordSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class Claimed:
    """A reading that a worker holds under a lease. `token` is that of the lease: recording checks that it is still
    valid.

    `attempts` counts the claims so far, this one included; a claim that was released untried does not count.
    """

    reading_id: int
    token: str
    document: Document
    attempts: int = 1
