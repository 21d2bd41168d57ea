"""The answers of a SPARQL server as they arrive."""

from __future__ import annotations

from typing import IO

import httpx

from knowledge.graphs.units import StoreUnavailable


class ResponseStream:
    """A response's body as a file that a parser can read, closed at the end of a `with`."""

    def __init__(self, response: httpx.Response) -> None:
        self._response, self._chunks, self._rest = response, response.iter_bytes(1 << 16), b""

    def __enter__(self) -> IO[bytes]:
        return self  # type: ignore[return-value]

    def __exit__(self, *error: object) -> None:
        self._response.close()

    def read(self, size: int = -1) -> bytes:
        try:
            while size < 0 or len(self._rest) < size:
                self._rest += next(self._chunks)
        except StopIteration:
            size = len(self._rest) if size < 0 else size
        except httpx.HTTPError as error:
            raise StoreUnavailable(no_response(error)) from error
        given, self._rest = self._rest[:size], self._rest[size:]
        return given


def no_response(error: httpx.HTTPError) -> str:
    return f"The SPARQL server does not respond ({type(error).__name__}). It is started by `make run`; see its log."
