"""Decompression of responses piece by piece, never further than a limit.

Labels lie: servers call plain content gzip, label nothing or label twice, and write character sets in their place. So
the first bytes decide, and a label only says what to try.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

_GZIP = b"\x1f\x8b"
_COMPRESSED = frozenset({"gzip", "x-gzip", "deflate", "x-deflate"})
_OTHERS = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz"})  # not requested, and not read
_MOST_LAYERS = 3
_TELLING = 16  # bytes that show whether content is compressed
_SOME = 4096  # what follows a member is copied at its end, and a member may be 20 bytes


class UnreadableEncoding(ValueError):
    """The content is compressed in a way that was not requested; the message is its label."""


class TooMuch(ValueError):
    """The content is larger than the limit, packed or unpacked."""


def unpacked(pieces: Iterable[bytes], label: str, limit: int) -> Iterator[bytes]:
    """The content piece by piece, with all layers of compression removed that its label or its first bytes show.

    The limit holds for what is sent and for what each layer unpacks to. Raises TooMuch, UnreadableEncoding, zlib.error.
    """
    names = [name.strip() for name in label.lower().split(",")]
    unread = next((name for name in names if name in _OTHERS), "")
    if unread:
        raise UnreadableEncoding(unread)
    # one layer more than the label says: gzip that is not labelled
    layers = min(sum(name in _COMPRESSED for name in names) + 1, _MOST_LAYERS)
    deflated = "deflate" in names or "x-deflate" in names
    content = _limited(pieces, limit)
    for layer in range(layers):
        content = _limited(_layer(content, limit, deflated=deflated and layer < layers - 1), limit)
    return content


def _layer(pieces: Iterator[bytes], limit: int, *, deflated: bool) -> Iterator[bytes]:
    """The pieces without one layer of compression, or as they are where they do not begin like one."""
    start = b""
    for piece in pieces:
        start += piece
        if len(start) >= _TELLING:
            break
    if not start.startswith(_GZIP) and not (deflated and not _is_text(start)):
        yield start
        yield from pieces
        return
    inflate = Inflate(limit)
    for piece in chain((start,), pieces):
        if inflate.ended:
            return
        yield from inflate(piece)


def _is_text(start: bytes) -> bool:
    """Whether content that is labelled "deflate" begins as markup or JSON does, or another text in ASCII."""
    return bool(start) and all(32 <= byte < 127 or byte in b"\t\r\n\xef\xbb\xbf" for byte in start)


def _limited(pieces: Iterable[bytes], limit: int) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise TooMuch
        yield piece


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
