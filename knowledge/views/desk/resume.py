"""Sends a verdict or correction again that came after the session had ended."""

from __future__ import annotations

from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from knowledge.views.access import LATE_FORM, REVIEW, page

DAY = 24 * 60 * 60
_SHOWN = {"verdict": "verdict", "do": "action", "note": "note", "relation": "relation", "type": "entity type"}


@page(REVIEW)
def resume(request: HttpRequest) -> HttpResponse:
    """Ask whether to send the form that is kept in the address; our signature vouches for it."""
    try:
        kept = signing.loads(request.GET.get("kept", ""), salt=LATE_FORM, max_age=DAY)
    except signing.BadSignature:
        messages.error(request, "This form is too old or damaged. Decide again on the page of the post.")
        return redirect("posts")
    fields = [(name, value) for name, values in kept["form"].items() for value in values]
    shown = [(_SHOWN[name], value) for name, value in fields if name in _SHOWN and value]
    return render(request, "desk/resume.html", {"path": kept["path"], "fields": fields, "shown": shown})
