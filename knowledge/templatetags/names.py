"""Template filters that write keys, scores and addresses for people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django import template
from django.conf import settings
from django.http import QueryDict
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil

from extraction.labels import ENTITY_TYPES
from extraction.models import Post
from knowledge.models import Review
from knowledge.ontology import relation_names
from knowledge.ontology.values import VALUE_TYPES

register = template.Library()


@register.filter
def type_label(key: str) -> str:
    known = ENTITY_TYPES.get(key)
    return known.label if known else key


@register.filter
def is_value(type_key: str) -> bool:
    """Whether it is the type of a value (a time, a number), which has no page."""
    return type_key in VALUE_TYPES


@register.filter
def relation_label(key: str) -> str:
    return relation_names.label(key)


@register.filter
def inverse_label(key: str) -> str:
    return relation_names.inverse_label(key)


# The keys are in existing evaluations and in files of predictions.
METRICS = {
    "relations, blind to direction": "undirected relations",
    "relations as asserted in use": "relations at production thresholds",
}


@register.filter
def metric_label(key: str) -> str:
    return METRICS.get(key, key)


@register.filter
def keys(regions: Iterable[Any]) -> str:
    """The keys of regions, for a script that marks them."""
    return " ".join(region.key for region in regions)


@register.filter
def moment(when: datetime | None) -> SafeString:
    """A time in UTC, which `static/page.js` writes in the reader's own zone."""
    if when is None:
        return SafeString("")
    utc = when.astimezone(UTC)
    return format_html(
        '<time class="moment" datetime="{}">{} UTC</time>', utc.isoformat(), date_format(utc, "j M Y, H:i")
    )


@register.filter
def percent(share: float) -> str:
    """0.873 as 87 %; never 100 % of what is not certain."""
    return f"{min(99, int(share * 100)) if share < 1 else 100} %"


@register.filter
def f1(share: float) -> str:
    """A score 0..1 as papers give it: 64.1 for 0.641."""
    return f"{100 * share:.1f}"


@register.filter
def points(difference: float) -> str:
    """A difference of scores, in points, with its sign."""
    return f"{100 * difference:+.1f}".replace("-", "−")


@register.filter
def at(values: Any, key: Any) -> Any:
    """The value at an index or key; nothing where there is none."""
    try:
        return values[key]
    except (KeyError, IndexError, TypeError):
        return None


@register.filter
def publisher(post: Post) -> str:
    """The name of a post's publisher. The samples' host is this product's own address, so it is not shown."""
    return "kgbuilder" if post.sample else post.publisher or "Unknown publisher"


@register.filter
def web(address: str) -> str:
    """`address` where it may be a link (http and https only), else nothing."""
    return address if urlsplit(address).scheme in ("http", "https") else ""


@register.filter
def host(address: str) -> str:
    return urlsplit(address).hostname or address


@register.filter
def verdict_words(given: Review) -> str:
    """What an editor did: accepted, rejected, corrected or added."""
    if given.verdict == Review.Verdict.REJECT:
        return "replaced by a correction" if hasattr(given, "replaced_by") else "rejected"
    return str(given.quintuple.get("act", "accepted"))


@register.filter
def judged_by(shown: Any, user: Any) -> bool:
    """Whether a statement of a post has a verdict that this user may undo."""
    return any(given.by_id in (user.pk, None) for given in shown.verdicts)


@register.simple_tag(takes_context=True)
def may_read(context: template.Context) -> bool:
    """Whether the user may open the pages for reading; error pages, which have no request, show no menu."""
    user = getattr(context.get("request"), "user", None)
    return user is not None and (settings.PUBLIC_READING or user.has_perm("extraction.view_post"))


@register.simple_tag(takes_context=True)
def may_ask_cypher(context: template.Context) -> bool:
    """Whether the user may open the Cypher page."""
    user = getattr(context.get("request"), "user", None)
    return bool(settings.NEO4J_URL) and user is not None and user.has_perm("knowledge.ask_cypher")


@register.simple_tag
def without(query: QueryDict, *names: str) -> str:
    """The query string without `names` and without the place in the list."""
    kept = query.copy()
    for name in (*names, "before", "after"):
        kept.pop(name, None)
    return kept.urlencode()


@register.filter
def first_part(interval: str) -> str:
    """The larger unit of the output of `timesince`: "2 hours, 4 minutes" as "2 hours"."""
    return interval.split(",")[0]


@register.filter
def ago(moment: datetime) -> str:
    interval = timesince(moment).split(",")[0]
    return "just now" if interval.startswith("0") else f"{interval} ago"


@register.filter
def soon(moment: datetime) -> str:
    return f"in {timeuntil(moment).split(',')[0]}" if moment > timezone.now() else "now"


@register.filter
def duration(length: timedelta) -> str:
    minutes = max(1, round(length.total_seconds() / 60))
    if minutes < 120:
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    hours = round(minutes / 60)
    return f"{hours} hours" if hours < 48 else f"{round(hours / 24)} days"
