"""A page's markup as tests compare it: how a template is laid out makes no difference."""

from __future__ import annotations

import re

from django.http import HttpResponseBase

_BLANKS = re.compile(r"\s+")
_OPENING = re.compile(r"(<[a-z][^<>]*>) ")


def markup(response: HttpResponseBase) -> str:
    """The page with every stretch of white space as one blank, and none just inside an element."""
    html = _BLANKS.sub(" ", response.content.decode())  # type: ignore[attr-defined]
    return _OPENING.sub(r"\1", html).replace(" </", "</").replace(" />", "/>").replace(" >", ">")
