"""What the filters in an address say that cannot be used: it is left out of the query, and the page says so."""

from __future__ import annotations

from django import forms

LONGEST = 60  # characters of a value that are repeated


def ignored(form: forms.Form) -> list[str]:
    """A sentence for each field of a checked form whose value was not used."""
    sentences = []
    for name, errors in form.errors.items():
        given = str(form.data.get(name, ""))
        shown = given[:LONGEST] + ("…" if len(given) > LONGEST else "")
        label = form[name].label if name in form.fields else name
        sentences.append(f"{label} “{shown}” was left out: {' '.join(str(error) for error in errors)}")
    return sentences
