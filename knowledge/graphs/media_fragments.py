"""Regions of pictures as media fragments, in one form for every store."""

from __future__ import annotations

from collections.abc import Sequence


def fragment(box: Sequence[float]) -> str:
    """W3C Media Fragments URI 1.0, 4.2.2, of shares of the upright picture: x, y, width, height in percent."""
    return f"xywh=percent:{','.join(_percent(side) for side in box)}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f}".rstrip("0").rstrip(".")
