"""A linear-chain CRF over BIO tags, with which RSRNeT and RelFormer tag mentions.

Lafferty, McCallum, Pereira: Conditional Random Fields. ICML 2001; with the potentials of Lample et al.: Neural
Architectures for Named Entity Recognition. NAACL 2016 (RSRNeT's Eq. 13): the score of a sequence of tags is the sum of
its emissions and of its transitions, with one more transition into the first tag and one out of the last.

Tags: 0 = O, 1 + 2t = B of type t, 2 + 2t = I of type t.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from extraction.networks.outputs import BestTags

FORBIDDEN = -1e4  # finite, so that no gradient is NaN; exp of it is 0


class LinearChainCRF(nn.Module):
    """Sums over all sequences of `tags` tags. Sequences that are not BIO have probability 0, unless `bio` is False.

    All methods take emissions (B, n, tags) and `real` (B, n), True for a sentence's words, which stand first; at least
    one word a sentence. They count in fp32, whatever the emissions are.
    """

    transitions: nn.Parameter
    forbidden: Tensor
    forbidden_start: Tensor

    def __init__(self, tags: int, bio: bool = True) -> None:
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(tags, tags))  # [from, to]
        self.start, self.end = nn.Parameter(torch.zeros(tags)), nn.Parameter(torch.zeros(tags))
        follows, starts = bio_order(tags) if bio else (torch.ones(tags, tags, dtype=torch.bool), torch.ones(tags) > 0)
        self.register_buffer("forbidden", FORBIDDEN * ~follows, persistent=False)
        self.register_buffer("forbidden_start", FORBIDDEN * ~starts, persistent=False)

    def loss(self, emissions: Tensor, tags: Tensor, real: Tensor) -> Tensor:
        """Mean over the sentences of -log p(tags), tags (B, n) (Eq. 13-14)."""
        return (self.log_partition(emissions, real) - self.score(emissions, tags, real)).mean()

    def score(self, emissions: Tensor, tags: Tensor, real: Tensor) -> Tensor:
        """The unnormalised log-score of the sequences `tags` (B, n) -> (B,)."""
        emitted = emissions.float().gather(2, tags.unsqueeze(2)).squeeze(2) * real
        moved = self._moves()[tags[:, :-1], tags[:, 1:]] * real[:, 1:]
        last = tags.gather(1, real.sum(1, keepdim=True) - 1).squeeze(1)
        return emitted.sum(1) + moved.sum(1) + self._first()[tags[:, 0]] + self.end[last]

    def log_partition(self, emissions: Tensor, real: Tensor) -> Tensor:
        """log of the sum over all sequences of exp(score) -> (B,)."""
        return torch.logsumexp(self._forward(emissions.float(), real)[-1] + self.end, dim=1)

    def decode(self, emissions: Tensor, real: Tensor) -> BestTags:
        """The best sequence of each sentence (Viterbi) and each of its tags' marginal probability."""
        emissions, moves = emissions.float(), self._moves()
        best, came_from = self._first() + emissions[:, 0], []
        stay = torch.arange(emissions.shape[2], device=emissions.device)
        for i in range(1, emissions.shape[1]):
            scores, before = (best.unsqueeze(2) + moves).max(dim=1)
            inside = real[:, i : i + 1]
            best = torch.where(inside, scores + emissions[:, i], best)
            came_from.append(torch.where(inside, before, stay))
        path = [(best + self.end).argmax(dim=1, keepdim=True)]
        for pointers in reversed(came_from):
            path.append(pointers.gather(1, path[-1]))
        tags = torch.cat(path[::-1], dim=1) * real
        certainty = self.marginals(emissions, real).gather(2, tags.unsqueeze(2)).squeeze(2)
        return BestTags(tags, certainty)

    def marginals(self, emissions: Tensor, real: Tensor) -> Tensor:
        """p(tag of word i) -> (B, n, tags), zero beyond the sentence (forward-backward)."""
        emissions, moves = emissions.float(), self._moves()
        behind = self._forward(emissions, real)
        ahead = [self.end.expand_as(emissions[:, 0])]
        for i in range(emissions.shape[1] - 1, 0, -1):
            step = torch.logsumexp(moves + (emissions[:, i] + ahead[-1]).unsqueeze(1), dim=2)
            ahead.append(torch.where(real[:, i : i + 1], step, ahead[-1]))
        both = torch.stack(behind, 1) + torch.stack(ahead[::-1], 1)
        return torch.softmax(both, dim=2) * real.unsqueeze(2)

    def _forward(self, emissions: Tensor, real: Tensor) -> list[Tensor]:
        """For each word, the log-sums (B, tags) over the sequences up to it; kept as they are beyond the sentence."""
        moves = self._moves()
        sums = [self._first() + emissions[:, 0]]
        for i in range(1, emissions.shape[1]):
            step = torch.logsumexp(sums[-1].unsqueeze(2) + moves, dim=1) + emissions[:, i]
            sums.append(torch.where(real[:, i : i + 1], step, sums[-1]))
        return sums

    def _moves(self) -> Tensor:
        return self.transitions.float() + self.forbidden

    def _first(self) -> Tensor:
        return self.start.float() + self.forbidden_start


def bio_order(tags: int) -> tuple[Tensor, Tensor]:
    """Which tag may follow which (tags, tags) and which may be first (tags,): I of a type only after B or I of it."""
    number = torch.arange(tags)
    inside = (number > 0) & (number % 2 == 0)
    same_type = (number.unsqueeze(1) - 1) // 2 == (number - 1) // 2
    follows = ~inside | (same_type & (number.unsqueeze(1) > 0))
    return follows, ~inside
