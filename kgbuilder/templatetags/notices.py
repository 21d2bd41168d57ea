"""The notices to admins, where pages show them."""

from __future__ import annotations

from typing import Any

from django import template
from django.db import DatabaseError

from kgbuilder.models import Notice
from kgbuilder.monitoring import notices

register = template.Library()
SHOWN = 3


@register.simple_tag(takes_context=True)
def open_notices(context: template.Context) -> dict[str, Any]:
    """For admins: how many notices are open, and the newest; nothing for others, or without a database."""
    user = getattr(context.get("request"), "user", None)
    if user is None or not user.has_perm("kgbuilder.view_notice"):
        return {}
    try:
        count = notices.present().count()
        newest: list[Notice] = list(notices.present()[:SHOWN]) if count else []
    except DatabaseError:
        return {}
    return {"count": count, "newest": newest, "more": count - len(newest)}
