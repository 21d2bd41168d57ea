"""Which mention of the text another one refers to: a ranking of its candidates, or that there is none.

After the mention-ranking models of Kenton Lee et al., End-to-end Neural Coreference Resolution, EMNLP 2017: a mention's
antecedent is drawn from a softmax over its candidates and "none" (Eq. 1-2), and the loss is the marginal of all
antecedents that are right (Eq. 5). Mentions are given, by the network's own tags, and not pruned spans; the states are
those of its words. Candidates are not only the mentions before it: see features/coreference.py.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from extraction.features.coreference import OWN_SIZES, SIZES, CoreferenceTargets


class AntecedentScorer(nn.Module):
    """Scores candidates: MLP[GELU(A m_i + B m_j + features); (P m_i) * (Q m_j)], and of each mention "none"."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.anaphor, self.candidate = nn.Linear(2 * width, hidden), nn.Linear(2 * width, hidden)
        self.anaphor_key, self.candidate_key = nn.Linear(2 * width, hidden), nn.Linear(2 * width, hidden)
        self.tables = nn.ModuleList(nn.Embedding(size, hidden) for size in SIZES)
        self.own_tables = nn.ModuleList(nn.Embedding(size, hidden) for size in OWN_SIZES)
        for table in (*self.tables, *self.own_tables):
            nn.init.normal_(table.weight, std=0.1)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.GELU(), nn.Linear(hidden, 1))
        self.none = nn.Linear(hidden, 1)

    def forward(self, mentions: Tensor, targets: CoreferenceTargets) -> tuple[Tensor, Tensor]:
        """Mentions (M, 2d) -> scores of the candidate pairs (P,), and of "none" (M,)."""
        mentions = self.dropout(mentions)
        anaphor, candidate = targets.anaphor, targets.candidate
        state = self.anaphor(mentions)[anaphor] + self.candidate(mentions)[candidate]
        for place, table in enumerate(self.tables):
            state = state + table(targets.features[:, place])
        product = self.anaphor_key(mentions)[anaphor] * self.candidate_key(mentions)[candidate]
        pair = torch.cat([nn.functional.gelu(state), product], dim=-1)
        alone = self.anaphor(mentions)
        for place, table in enumerate(self.own_tables):
            alone = alone + table(targets.own[:, place])
        scores: Tensor = self.out(self.dropout(pair)).squeeze(-1)
        none: Tensor = self.none(nn.functional.gelu(alone)).squeeze(-1)
        return scores, none


def mention_states(words: Tensor, targets: CoreferenceTargets) -> Tensor:
    """Words (B, n, d) -> [first word; last word] of each mention (M, 2d)."""
    return torch.cat([words[targets.row, targets.first], words[targets.row, targets.last]], dim=-1)


def antecedent_loss(scores: Tensor, none: Tensor, targets: CoreferenceTargets) -> Tensor:
    """-log of the probability of a right antecedent, or of none where there is none, the mean over mentions."""
    everything = _log_sums(scores, targets.anaphor, none)
    lowest = torch.finfo(scores.dtype).min / 4
    first = torch.ones_like(none, dtype=torch.bool)
    first[targets.anaphor[targets.same]] = False
    right = _log_sums(scores.masked_fill(~targets.same, lowest), targets.anaphor, none.masked_fill(~first, lowest))
    return (everything - right).mean()


def _log_sums(scores: Tensor, anaphor: Tensor, none: Tensor) -> Tensor:
    """log(exp(none) + the sum of exp(score) over a mention's candidates), for each mention (M,)."""
    highest = none.detach().scatter_reduce(0, anaphor, scores.detach(), "amax")
    total = torch.exp(none - highest).scatter_add(0, anaphor, torch.exp(scores - highest[anaphor]))
    return highest + torch.log(total)
