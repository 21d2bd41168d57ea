"""Decompression of responses piece by piece, never further than a limit."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

_GZIP = b"\x1f\x8b"
_SOME = 4096  # what follows a member is copied at its end, and a member may be 20 bytes


class Inflate:
    """gzip and deflate, also several gzip members in a row, at most `limit` bytes at a time.

    `ended`: the rest of the stream is not content, so it need not be fetched.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._inflate, self._raw_tried = limit, zlib.decompressobj(47), False
        self._between = b""  # what followed a member, too short to know whether it is another one
        self.ended = False

    def __call__(self, piece: bytes) -> Iterator[bytes]:
        for start in range(0, len(piece), _SOME):
            yield from self._unpacked(piece[start : start + _SOME])

    def _unpacked(self, piece: bytes) -> Iterator[bytes]:
        while piece and not self.ended:
            if self._inflate.eof:
                piece, self._between = self._between + piece, b""
                if not self._next_member(piece):
                    return
            try:
                part = self._inflate.decompress(piece, self._limit + 1)
            except zlib.error:
                if self._raw_tried:
                    raise
                # "deflate" without a header: wrong, and sent by many servers
                self._inflate, self._raw_tried = zlib.decompressobj(-15), True
                continue
            self._raw_tried = True
            yield part
            piece = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail

    def _next_member(self, piece: bytes) -> bool:
        """Whether `piece` begins one; where it is too short to know, it is kept for the next call."""
        if piece.startswith(_GZIP):
            self._inflate = zlib.decompressobj(47)
            return True
        if piece == _GZIP[:1]:
            self._between = piece
        else:
            self.ended = True
        return False
