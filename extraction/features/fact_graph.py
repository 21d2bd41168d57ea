"""The graph of facts that a network is given (RelFormer, 3.3.1): nodes as word pieces, and the edges between them.

An entity is one node, whether it is the subject of a fact or its object. A fact joins its two entities, and a node with
the words of its property stands at that edge, joined to both: two facts with one property are two such nodes. So there
is a path from Beijing to Tiananmen where a fact relates them, and what relates them is on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from extraction.schema import Fact

FACT_PIECES = 16  # word pieces of a node of facts that a network takes
MOST_FACTS = 24  # nodes of a post's facts that a network takes


@dataclass(frozen=True, slots=True)
class FactRow:
    """Nodes of facts as pieces, their edges (m, m) with self-loops, and which are the head's mention's."""

    ids: list[list[int]]
    edges: NDArray[np.bool_]
    mention: NDArray[np.bool_]


def joined(facts: Sequence[Fact], mention: str, tokenizer: Tokenizer) -> FactRow | None:
    """The graph of these facts; None without any. The mention's own facts come first, because there may be too many."""
    entities: dict[str, int] = {}
    labels: list[str] = []
    edges: list[tuple[int, int]] = []
    own: set[int] = set()
    for fact in sorted(facts, key=lambda fact: not _is_about(fact, mention)):
        new = {_folded(end): end for end in (fact.subject, fact.object) if _folded(end) not in entities}
        if len(labels) + len(new) + 1 > MOST_FACTS:
            continue
        for key, label in new.items():
            entities[key] = len(labels)
            labels.append(label)
        subject, object = entities[_folded(fact.subject)], entities[_folded(fact.object)]
        edges += [(subject, object), (subject, len(labels)), (len(labels), object)]
        labels.append(fact.property)
        own |= {subject} if _is_about(fact, mention) else set()
        own |= {object} if mention and _folded(fact.object) == _folded(mention) else set()
    return _row(labels, edges, own, tokenizer)


def stars(facts: Sequence[Fact], mention: str, tokenizer: Tokenizer) -> FactRow | None:
    """The graph that networks were trained on before decision 32: a node for each subject, and one for each "property
    object", which never was the node of that entity."""
    nodes: dict[str, int] = {}
    edges: list[tuple[int, int]] = []
    words = set(mention.casefold().split())
    for fact in sorted(facts, key=lambda fact: not (words and words <= set(fact.subject.casefold().split()))):
        ends = [nodes.setdefault(label, len(nodes)) for label in (fact.subject, f"{fact.property} {fact.object}")]
        edges += [(ends[0], ends[1])] if max(ends) < MOST_FACTS else []
    labels = list(nodes)[:MOST_FACTS]
    own = {place for place, label in enumerate(labels) if words and words <= set(label.casefold().split())}
    return _row(labels, edges, own, tokenizer)


def _row(labels: list[str], edges: list[tuple[int, int]], own: set[int], tokenizer: Tokenizer) -> FactRow | None:
    """`own`: nodes of the mention; their neighbours are its as well."""
    if not labels:
        return None
    linked = np.eye(len(labels), dtype=bool)
    for one, other in edges:
        linked[one, other] = linked[other, one] = True
    mine = np.isin(np.arange(len(labels)), list(own))
    encoded = tokenizer.encode_batch(labels, add_special_tokens=False)
    return FactRow([one.ids[:FACT_PIECES] for one in encoded], linked, mine | linked[mine].any(axis=0))


def _is_about(fact: Fact, mention: str) -> bool:
    """By the name under which the fact was looked up, where it is known; else the mention's words are the subject's."""
    if not mention:
        return False
    if fact.name and _folded(fact.name) == _folded(mention):
        return True
    return set(_folded(mention).split()) <= set(_folded(fact.subject).split())


def _folded(label: str) -> str:
    return " ".join(label.casefold().split())
