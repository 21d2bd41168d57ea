"""How often to poll a feed: about twice for each item that it publishes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

SHORTEST_S = 300
LONGEST_S = 4 * 3600
NEWEST = 20  # items from which the present rate of publishing is estimated


def next_interval(times: Sequence[datetime], now: datetime, present_s: int, anything_new: bool) -> int:
    """The seconds until the next poll, from its items' times; where there are too few, from whether any was new.

    Half the mean time between the newest items, longer while the feed is silent.
    """
    newest = sorted((moment for moment in times if moment <= now), reverse=True)[:NEWEST]
    if len(newest) >= 3:
        mean = (newest[0] - newest[-1]).total_seconds() / (len(newest) - 1)
        silence = (now - newest[0]).total_seconds()
        interval = max(mean, silence / 4) / 2
    else:
        interval = present_s / 2 if anything_new else present_s * 1.5
    return int(min(max(interval, SHORTEST_S), LONGEST_S))
