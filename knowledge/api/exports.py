"""Exports: the whole graph as a file, streamed from the record; few at a time, since each occupies a thread."""

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
_slots = threading.BoundedSemaphore(AT_ONCE)
_FILE: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_RESPONSES = {
    "responses": {
        200: {"description": "The file.", "content": {kind.split(";")[0]: _FILE for kind in MEDIA_TYPES.values()}}
    }
}


@router.get("/{str:form}", auth=Token("export"), summary="The graph as a file", openapi_extra=_RESPONSES)
def export_graph(
    request: HttpRequest, form: Literal["turtle", "nquads", "jsonld", "graphml", "csv"], excel: bool = False
) -> Any:
    """The whole graph as a file. It is streamed: a broken connection leaves an incomplete file.

    `excel`: CSV with the byte order mark that Excel needs. In CSV, a text that a spreadsheet would run as a formula
    has an apostrophe in front. 503: two exports are running already.
    """
    from knowledge.graphs import export

    if excel and form != "csv":
        raise RequestProblem(422, "`excel` is for the format csv alone.")
    if not _slots.acquire(blocking=False):
        detail = f"{AT_ONCE} exports are running already. Try again in a minute."
        raise RequestProblem(503, detail, {"Retry-After": "60"})
    name = f"kgbuilder.{export.ENDINGS[form]}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(Download(export.chunks(form, excel)), content_type=MEDIA_TYPES[form], headers=headers)


class Download:
    """A streamed export. It releases its slot when it has been sent or the connection is closed."""

    def __init__(self, chunks: Iterator[tuple[int, bytes]]) -> None:
        self._chunks, self._lock = chunks, threading.Lock()
        self._open = True

    def __iter__(self) -> Iterator[bytes]:
        for _, body in self._chunks:
            yield body

    def close(self) -> None:
        """Release the slot; Django calls this at the end of the response, whatever ended it."""
        with self._lock:
            if self._open:
                self._open = False
                _slots.release()
