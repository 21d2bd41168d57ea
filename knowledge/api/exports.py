"""The whole graph as a file, made from the record while it is sent; a few at a time, since each holds a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Literal

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Router

from knowledge.api.auth import Token
from knowledge.api.problems import RequestProblem

router = Router(tags=["exports"])

AT_ONCE = 2
MEDIA_TYPES = {
    "turtle": "text/turtle; charset=utf-8",
    "nquads": "application/n-quads",
    "jsonld": "application/ld+json",
    "graphml": "application/graphml+xml",
    "csv": "text/csv; charset=utf-8",
}
_places = threading.BoundedSemaphore(AT_ONCE)
_FILE: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_TOLD = {
    "responses": {
        200: {"description": "The file.", "content": {kind.split(";")[0]: _FILE for kind in MEDIA_TYPES.values()}}
    }
}


@router.get("/{str:form}", auth=Token("export"), summary="The graph as a file", openapi_extra=_TOLD)
def export_graph(request: HttpRequest, form: Literal["turtle", "nquads", "jsonld", "graphml", "csv"]) -> Any:
    """All that the graph holds now. Streamed: a connection that breaks off leaves half a file.

    503: two are being sent already.
    """
    from knowledge.graphs import export

    if not _places.acquire(blocking=False):
        detail = f"{AT_ONCE} exports are running already. Try again in a minute."
        raise RequestProblem(503, detail, {"Retry-After": "60"})
    name = f"kgbuilder.{export.ENDINGS[form]}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(Download(export.chunks(form)), content_type=MEDIA_TYPES[form], headers=headers)


class Download:
    """A file on its way. Its place is free again when it has been sent, or when nobody takes any more of it."""

    def __init__(self, chunks: Iterator[tuple[int, bytes]]) -> None:
        self._chunks, self._held = chunks, threading.Lock()
        self._open = True

    def __iter__(self) -> Iterator[bytes]:
        for _, body in self._chunks:
            yield body

    def close(self) -> None:
        """Django calls it at the response's end, however that came about."""
        with self._held:
            if self._open:
                self._open = False
                _places.release()
