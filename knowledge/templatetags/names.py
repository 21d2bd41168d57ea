"""How keys, scores and addresses are written for people."""

from __future__ import annotations

from urllib.parse import urlsplit

from django import template
from django.http import QueryDict

from extraction.labels import ENTITY_TYPES, RELATIONS

register = template.Library()


@register.filter
def type_label(key: str) -> str:
    known = ENTITY_TYPES.get(key)
    return known.label if known else key


@register.filter
def relation_label(key: str) -> str:
    known = RELATIONS.get(key)
    return known.label if known else key.replace("_", " ")


@register.filter
def percent(share: float) -> str:
    """0.873 as 87 %; never 100 % of what is not certain."""
    return f"{min(99, int(share * 100)) if share < 1 else 100} %"


@register.filter
def web(address: str) -> str:
    """`address` where it may be a link (http and https only), else nothing."""
    return address if urlsplit(address).scheme in ("http", "https") else ""


@register.filter
def host(address: str) -> str:
    return urlsplit(address).hostname or address


@register.simple_tag
def without(query: QueryDict, *names: str) -> str:
    """The query string less `names`, and less the place in the list."""
    kept = query.copy()
    for name in (*names, "before", "after"):
        kept.pop(name, None)
    return kept.urlencode()
