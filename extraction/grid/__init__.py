"""Word-pair tagging: an example as a grid of cells, and scored cells back as mentions and relations (numpy only).

After EEGA's word-pair relation tagging (Yuan et al., AAAI 2023, section "Word-pair Relation Tagging", Figure 3), n
words make an (n, n) grid. Cells are numbered (row, column) by words.

Differences from the paper:
1. A relation fills only the cells head row by tail column. The paper's grid is symmetric (it fills tail by head too)
and loses which end is the head. Only relations that are symmetric by meaning fill both. `encode_figure3` is the paper's
grid. 2. Types and relations are separate: a type id on the upper triangle, and a set of relation keys per cell, so that
a pair may have several relations (a quarter of Re-DocRED's related pairs do) and mentions of two types may overlap
their cells. 3. Cells that a data set does not settle are masked: blocks of mentions of unknown type, unsettled pairs,
types and relations that the set does not annotate, and words outside known mentions where a set does not annotate every
mention. 4. Decoding, which the paper leaves open, takes the most probable set of non-overlapping mentions: each cell of
the upper triangle is independent given the tags, so a span of type t adds the sum over its block of log p(t) - log
p(N), and the best set of disjoint spans is found exactly. A relation's score is the mean over its block, for permitted
ends only.
"""

from extraction.grid.decoding import (
    Pairs,
    ScoredRelation,
    ScoredSpan,
    candidate_pairs,
    decode_mentions,
    decode_relations,
    permitted_ends,
    pool,
)
from extraction.grid.encoding import Grid, encode
from extraction.grid.figure3 import decode_figure3, encode_figure3

__all__ = [
    "Grid",
    "Pairs",
    "ScoredRelation",
    "ScoredSpan",
    "candidate_pairs",
    "decode_figure3",
    "decode_mentions",
    "decode_relations",
    "encode",
    "encode_figure3",
    "permitted_ends",
    "pool",
]
