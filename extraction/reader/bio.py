"""From BIO tags to mentions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from extraction.features.batch import Batch
from extraction.networks.outputs import BestTags
from extraction.reader.decoding import FoundMention


def mentions_of(best: BestTags, batch: Batch) -> list[tuple[FoundMention, ...]]:
    """The spans that BIO tags mark, an I without its B begins one; their logit is that of the least certain word."""
    tags, certainty = best.tags.cpu().tolist(), best.certainty.float().cpu().tolist()
    return [_spans(tags[row][:length], certainty[row]) for row, length in enumerate(batch.real.sum(1).tolist())]


def _spans(tags: Sequence[int], certainty: Sequence[float]) -> tuple[FoundMention, ...]:
    spans: list[FoundMention] = []
    start, kind = 0, -1
    for place, tag in enumerate([*tags, 0]):
        if tag and tag % 2 == 0 and (tag - 2) // 2 == kind:
            continue
        if kind >= 0:
            least = min(max(min(certainty[start:place]), 1e-5), 1 - 1e-5)
            spans.append(FoundMention(start, place, kind, math.log(least / (1 - least))))
        start, kind = place, (tag - 1) // 2 if tag else -1
    return tuple(spans)
