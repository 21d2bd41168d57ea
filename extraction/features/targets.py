"""The training targets of a batch, for each head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from extraction.features.batch import block_cells
from extraction.features.coreference import CoreferenceTargets, coreference_targets
from extraction.features.windows import Window
from extraction.labels import Inventory
from extraction.schema import FACTUALITIES, Candidate, Example, WordSpan

NOISE_WEIGHT = 0.3  # of a pair with a word outside mentions, relative to a pair of mentions
UNKNOWN = -1  # a target that is not annotated
# The types that a mention of this type may have besides, in a data set that does not annotate them.
WIDER = {"miscellaneous": ("event", "group", "role")}
# What gives a relation's claimant, time and amount, in the order of a network's outputs; the types of such mentions.
ROLES: tuple[tuple[str, frozenset[str]], ...] = (
    ("by", frozenset({"person", "organization", "location", "group", "role", "event", "miscellaneous"})),
    ("when", frozenset({"time"})),
    ("amount", frozenset({"number"})),
)


@dataclass(frozen=True)
class Targets:
    """Targets of a batch's cells. M candidate cells per sentence, each of weight 0 where it is padding."""

    allowed: Tensor  # (B, n, band, 1 + tags) bool: tags that the cell (i, i + k) may have; all = nothing is known
    refused: Tensor  # (B, n, band, 1 + tags) bool: tags that it cannot have. The others are not annotated
    i: Tensor  # (B, M) the head's word
    j: Tensor  # (B, M) the tail's word
    related: Tensor  # (B, M, relations) bool
    annotated: Tensor  # (B, M, relations) bool: whether the relation is annotated
    weights: Tensor  # (B, M)
    factuality: Tensor  # (B, M) place in FACTUALITIES, -1 where the cell has no relation or it is not annotated
    roles: Tensor  # (B, M, 3) by ROLES: 0 none, 1 + the first word of the mention that has it, -1 not annotated
    fillers: Tensor  # (B, 3, n) bool: the first words of the mentions that may have the role
    coreference: CoreferenceTargets | None = None


@dataclass(frozen=True)
class TagTargets:
    """BIO tags (B, n): 0 = O, 1 + 2t = B of type t, 2 + 2t = I of type t; 0 beyond the sentence's end."""

    tags: Tensor


@dataclass(frozen=True)
class PairTargets:
    """The label of each row's pair (B,): 0 = no relation, 1 + r = relation r. `tags` where the mentions are known."""

    labels: Tensor
    tags: TagTargets | None = None


AnyTargets = Targets | TagTargets | PairTargets


@dataclass(frozen=True)
class Cells:
    """One sentence's candidate cells: words (M, 2), related and annotated (M, relations), weights (M,), factuality
    (M,), roles (M, 3)."""

    words: np.ndarray
    related: np.ndarray
    annotated: np.ndarray
    weights: np.ndarray
    factuality: np.ndarray
    roles: np.ndarray


def word_pair_targets(
    examples: Sequence[Example],
    inventory: Inventory,
    band: int,
    noise: int = 0,
    rng: np.random.Generator | None = None,
    windows: Sequence[Window] = (),
) -> Targets:
    """Targets of a batch of examples.

    `noise`: how many words outside mentions, drawn by `rng`, are added as mentions without relations. `windows`: the
    neighbouring examples between whose mentions coreference is learnt.
    """
    words = max(len(example.words) for example in examples)
    allowed = np.ones((len(examples), words, band, 1 + len(inventory.tags)), bool)
    refused = np.zeros_like(allowed)
    fillers = np.zeros((len(examples), len(ROLES), words), bool)
    cells = []
    for row, example in enumerate(examples):
        size = len(example.words)
        allowed[row, :size], refused[row, :size] = _settled(example, inventory, band)
        cells.append(_cells(example, inventory, _noise_words(example, noise, rng)))
        for mention in example.mentions:
            fillers[row, [mention.type in types for _, types in ROLES], mention.start] = True
    i, j, related, annotated, weights, factuality, roles = _pad(cells, len(inventory.relations))
    return Targets(
        allowed=torch.from_numpy(allowed),
        refused=torch.from_numpy(refused),
        i=i,
        j=j,
        related=related,
        annotated=annotated,
        weights=weights,
        factuality=factuality,
        roles=roles,
        fillers=torch.from_numpy(fillers),
        coreference=coreference_targets(examples, inventory, windows),
    )


def _settled(example: Example, inventory: Inventory, band: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, band, 1 + tags) twice: which tags a cell may have and which it cannot, by what the data set annotates.

    A tag that the set does not annotate is neither: where a word is no mention of an annotated type, nothing follows
    about the others.
    """
    size = len(example.words)
    known = np.array([kind in example.types and (example.news or form == "name") for kind, form in inventory.tags])
    allowed = np.ones((size, band, 1 + len(known)), bool)
    refused = np.zeros_like(allowed)
    if example.complete:
        allowed[:, :, 1:] = False
        refused[:, :, 1:] = known
    row, column = np.arange(size)[:, None], np.arange(band)[None, :]
    for refusal in example.not_mentions:
        # Of the whole span alone: a part of it, or what it is a part of, may be a mention.
        cell = (row == refusal.start) & (row + column == refusal.end - 1)
        other = [False, *(kind == refusal.type for kind, _ in inventory.tags)]
        allowed[cell] &= ~np.array(other)
        refused[cell] |= np.array(other)
    for place, mention in enumerate(example.mentions):
        if place in example.unsettled:
            continue
        block = (row >= mention.start) & (row + column < mention.end)
        allowed[block] = tags = _tags(mention, example, inventory)
        refused[block] = ~tags
        refused[block, 1:] &= known | (not mention.type)
        if not example.complete:  # the words beside a known mention do not belong to it
            border = _border(mention, row, column)
            allowed[border, 1:], allowed[border, 0] = False, True
            refused[border, 1:], refused[border, 0] = True, False
    allowed[row + column >= size], refused[row + column >= size] = True, False
    return allowed, refused


def _tags(mention: WordSpan, example: Example, inventory: Inventory) -> np.ndarray:
    tags = np.ones(1 + len(inventory.tags), bool)
    if mention.type in inventory.types:
        wider = {mention.type, *(kind for kind in WIDER.get(mention.type, ()) if kind not in example.types)}
        tags[:] = False
        tags[1:] = [kind in wider and form == mention.form for kind, form in inventory.tags]
    elif not mention.type:
        tags[0] = False  # a name of some type, which is not annotated
        tags[1:] = [form == "name" for _, form in inventory.tags]
    return tags


def _border(mention: WordSpan, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Cells with one word inside the mention and one outside."""
    last = row + column
    row_in = (row >= mention.start) & (row < mention.end)
    last_in = (last >= mention.start) & (last < mention.end)
    border: np.ndarray = row_in != last_in
    return border


def _noise_words(example: Example, count: int, rng: np.random.Generator | None) -> list[int]:
    if not count or rng is None or not example.complete or not example.relation_keys:
        return []
    inside = {word for mention in example.mentions for word in range(mention.start, mention.end)}
    outside = [word for word in range(len(example.words)) if word not in inside]
    return [int(word) for word in rng.choice(outside, min(count, len(outside)), replace=False)] if outside else []


def _cells(example: Example, inventory: Inventory, noise: list[int]) -> Cells:
    keys = inventory.relation_keys
    annotated = np.array([key in example.relation_keys for key in keys], bool)
    ends = [(mention.start, mention.end) for mention in example.mentions] + [(word, word + 1) for word in noise]
    gold, qualified = _gold(example, inventory), _qualified(example)
    possible = _possible(example, inventory)
    masked: dict[tuple[int, int], list[int]] = {}
    for head, tail, key in example.masked_relations:
        if key in keys:
            masked.setdefault((head, tail), []).append(keys.index(key))
    words, related, known, weights, qualifiers = [], [], [], [], []
    nothing, unqualified = np.zeros(len(keys), bool), (UNKNOWN,) * (1 + len(ROLES))
    for head in range(len(ends) if annotated.any() else 0):
        for tail in range(len(ends)):
            yes = gold.get((head, tail), nothing)
            unsettled = (head, tail) in example.masked_pairs
            if head == tail or (unsettled and not yes.any()):
                continue
            noisy = head >= len(example.mentions) or tail >= len(example.mentions)
            if not noisy and not (possible[head, tail] or yes.any()):
                continue
            settled = yes if unsettled else annotated
            if (head, tail) in masked:
                settled = settled.copy()
                settled[masked[head, tail]] = False
            block = block_cells(ends[head], ends[tail])
            words += block
            related += [yes] * len(block)
            known += [settled | yes] * len(block)
            weights += [(NOISE_WEIGHT if noisy else 1.0) / len(block)] * len(block)
            qualifiers += [qualified.get((head, tail), unqualified)] * len(block)
    shape = (len(words), len(keys))
    own = np.array(qualifiers, np.int64).reshape(-1, 1 + len(ROLES))
    return Cells(
        np.array(words, np.int64).reshape(-1, 2),
        np.array(related, bool).reshape(shape),
        np.array(known, bool).reshape(shape),
        np.array(weights, np.float32),
        own[:, 0],
        own[:, 1:],
    )


def _possible(example: Example, inventory: Inventory) -> np.ndarray:
    """(mentions, mentions): whether some relation may join the two. A network decodes no other pairs."""
    table = permitted(inventory).any(-1)
    allowed = [_tags(mention, example, inventory)[1:] for mention in example.mentions]
    kinds = np.array(allowed, bool).reshape(len(allowed), len(inventory.forms), len(inventory.types)).any(1)
    joined: np.ndarray = np.einsum("at,tu,bu->ab", kinds.astype(int), table.astype(int), kinds.astype(int)) > 0
    return joined


@cache
def permitted(inventory: Inventory) -> np.ndarray:
    """(types, types, relations): whether a relation may join a head and a tail of these types."""
    types, relations = inventory.types, inventory.relations
    table = [[[relation.permits(head, tail) for relation in relations] for tail in types] for head in types]
    return np.array(table, bool).reshape(len(types), len(types), len(relations))


def _gold(example: Example, inventory: Inventory) -> dict[tuple[int, int], np.ndarray]:
    """For each related pair the relations that it has; a symmetric one holds both ways, in news one with an inverse
    as that from its tail. The other sets annotate both on their own."""
    keys = inventory.relation_keys
    gold: dict[tuple[int, int], np.ndarray] = {}
    for relation in example.relations:
        if relation.key not in keys:
            continue
        known = inventory.relations[keys.index(relation.key)]
        facts = [(relation.head, relation.tail, relation.key)]
        if known.symmetric:
            facts.append((relation.tail, relation.head, relation.key))
        elif example.news and known.inverse in keys:
            facts.append((relation.tail, relation.head, known.inverse))
        for head, tail, key in facts:
            gold.setdefault((head, tail), np.zeros(len(keys), bool))[keys.index(key)] = True
    return gold


def _qualified(example: Example) -> dict[tuple[int, int], tuple[int, ...]]:
    """For each related pair its factuality and ROLES, both ways; of a pair with several relations the first one's."""
    found: dict[tuple[int, int], tuple[int, ...]] = {}
    for relation in example.relations if example.news else ():
        words = (_filler(example, getattr(relation, role), types) for role, types in ROLES)
        values = (FACTUALITIES.index(relation.factuality), *words)
        for pair in ((relation.head, relation.tail), (relation.tail, relation.head)):
            found.setdefault(pair, values)
    return found


def _filler(example: Example, index: int | None, types: frozenset[str]) -> int:
    """1 + the first word of the mention that has a role; 0 for none, or one of a type that does not have it."""
    if index is None or example.mentions[index].type not in types:
        return 0
    return 1 + example.mentions[index].start


def _pad(cells: Sequence[Cells], relations: int) -> tuple[Tensor, ...]:
    most = max(1, *(len(one.words) for one in cells)) if cells else 1
    i, j = np.zeros((2, len(cells), most), np.int64)
    related, annotated = np.zeros((2, len(cells), most, relations), bool)
    weights = np.zeros((len(cells), most), np.float32)
    factuality = np.full((len(cells), most), UNKNOWN, np.int64)
    roles = np.full((len(cells), most, len(ROLES)), UNKNOWN, np.int64)
    for row, one in enumerate(cells):
        size = len(one.words)
        i[row, :size], j[row, :size] = one.words.T
        related[row, :size], annotated[row, :size], weights[row, :size] = one.related, one.annotated, one.weights
        factuality[row, :size], roles[row, :size] = one.factuality, one.roles
    return tuple(torch.from_numpy(array) for array in (i, j, related, annotated, weights, factuality, roles))


def pair_targets(
    examples: Sequence[Example], candidates: Sequence[Candidate | None], inventory: Inventory
) -> PairTargets:
    """The label of each example's candidate, and the tags of its mentions."""
    labels = [pair_label(inventory, candidate) for candidate in candidates]
    return PairTargets(torch.tensor(labels), tag_targets(examples, inventory))


def pair_label(inventory: Inventory, candidate: Candidate | None) -> int:
    """A candidate's label: 0 for none, 1 + the relation's place. Raises ValueError for an unknown relation."""
    if candidate is None or not candidate.key:
        return 0
    if candidate.key not in inventory.relation_keys:
        raise ValueError(f"the relation {candidate.key!r} is none of the {len(inventory.relations)} that are trained")
    return 1 + inventory.relation_keys.index(candidate.key)


def tag_targets(examples: Sequence[Example], inventory: Inventory) -> TagTargets:
    """BIO tags of the examples' mentions; one of another type, or that overlaps one before it, is left out."""
    tags = np.zeros((len(examples), max(len(example.words) for example in examples)), np.int64)
    for row, example in enumerate(examples):
        for mention in example.mentions:
            span = slice(mention.start, mention.end)
            if mention.type in inventory.types and not tags[row, span].any():
                kind = inventory.types.index(mention.type)
                tags[row, span] = 2 + 2 * kind
                tags[row, mention.start] = 1 + 2 * kind
    return TagTargets(torch.from_numpy(tags))
