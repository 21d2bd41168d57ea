"""The forms in which an editor corrects or adds a statement or a mention of a post."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms

from extraction.labels import ENTITY_TYPES, RELATIONS
from extraction.schema import FACTUALITIES
from knowledge.models import Entity, Mention
from knowledge.ontology import relation_names, values
from knowledge.recording.claims import Change, Claim

REVERSED = "-"
MOST_CHOICES = 300
_DAY = forms.DateInput(attrs={"type": "date"})
Choice = tuple[str, str]


class StatementForm(forms.Form):
    """`relation` has the direction too: with a minus, head and tail change places."""

    relation = forms.ChoiceField(label="Relation")
    factuality = forms.ChoiceField(choices=[(one, one) for one in FACTUALITIES], label="The text says it as")
    when_words = forms.CharField(required=False, max_length=400, label="Time, in the words of the text")
    when_earliest = forms.DateField(required=False, widget=_DAY, label="First day")
    when_latest = forms.DateField(required=False, widget=_DAY, label="Last day")
    head = forms.ChoiceField(required=False, label="Head")
    tail = forms.ChoiceField(required=False, label="Tail")
    note = forms.CharField(required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2}), label="Note")

    def __init__(self, data: Any, *, claim: Claim | None, ends: Sequence[Choice]) -> None:
        super().__init__(data, initial=_initial(claim), label_suffix="")
        for name in ("head", "tail"):
            end = getattr(claim, name) if claim else None
            unchanged = f"{_short(end.quote['exact'])} (as it is)" if end and claim and claim.relation else "—"
            self.fields[name].choices = [("", unchanged), *ends]  # type: ignore[attr-defined]
        self.fields["relation"].choices = relation_choices(claim)  # type: ignore[attr-defined]
        if claim is None:
            for name in ("head", "tail"):
                self.fields[name].required = True

    def change(self, mentions: dict[str, Mention]) -> Change:
        """Of a valid form: what differs from the claim that it was opened with."""
        given, differs = self.cleaned_data, set(self.changed_data)
        relation = given["relation"]
        when = (given["when_words"], given["when_earliest"], given["when_latest"])
        return Change(
            relation=relation.removeprefix(REVERSED),
            reverse=relation.startswith(REVERSED),
            head=mentions.get(given["head"]),
            tail=mentions.get(given["tail"]),
            factuality=given["factuality"] if "factuality" in differs else None,
            when=when if differs & {"when_words", "when_earliest", "when_latest"} else None,
        )

    @property
    def changes_nothing(self) -> bool:
        return not set(self.changed_data) - {"note"}


def _initial(claim: Claim | None) -> dict[str, Any]:
    if claim is None:
        return {"factuality": "stated"}
    names = ("relation", "factuality", "when_words", "when_earliest", "when_latest")
    return {name: getattr(claim, name) for name in names}


def relation_choices(claim: Claim | None) -> list[Any]:
    """The relations that the ends' types permit in either direction, or all; that of the claim first in its group."""
    if claim is None:
        return [("", "—"), *_labelled(RELATIONS)]
    head, tail = claim.head.type, claim.tail.type
    words = (claim.head.quote["exact"], claim.tail.quote["exact"])
    forward = _labelled(key for key in RELATIONS if key == claim.relation or _permits(key, head, tail))
    backward = _labelled(key for key in RELATIONS if not RELATIONS[key].symmetric and _permits(key, tail, head))
    groups = [("{} → {}".format(*map(_short, words)), forward)]
    if backward:
        groups.append(("{1} → {0}".format(*map(_short, words)), [(f"{REVERSED}{key}", name) for key, name in backward]))
    return groups


def _permits(key: str, head: str, tail: str) -> bool:
    return RELATIONS[key].permits(head, tail) and values.is_shown(key, head, tail)


def _labelled(keys: Iterable[str]) -> list[Choice]:
    return sorted(((key, relation_names.label(key)) for key in keys), key=lambda one: one[1].casefold())


def _short(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= 40 else f"{line[:39]}…"


def mention_choices(mentions: Iterable[Mention], text: str) -> list[Choice]:
    """Each mention by its words, with its place where several have the same."""
    rows = list(mentions)[:MOST_CHOICES]
    seen: dict[str, int] = {}
    choices = []
    for row in rows:
        words = _short(text[row.start : row.end])
        seen[words] = seen.get(words, 0) + 1
        number = f" ({seen[words]})" if seen[words] > 1 else ""
        choices.append((str(row.pk), f"{words}{number}, {ENTITY_TYPES[row.type].label.lower()}"))
    return choices


class MentionForm(forms.Form):
    """`start` and `end`: where the words were selected; `words` may be longer or shorter, around that place."""

    start = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    end = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    words = forms.CharField(max_length=1000, label="Words", strip=False)
    type = forms.ChoiceField(choices=[(key, one.label) for key, one in ENTITY_TYPES.items()], label="Entity type")
    entity = forms.ChoiceField(required=False, label="Entity")
    other = forms.CharField(required=False, max_length=600, label="Another entity: exact name or page address")
    note = forms.CharField(required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2}), label="Note")

    def __init__(self, data: Any, *, initial: dict[str, Any], entities: Sequence[Entity]) -> None:
        super().__init__(data, initial=initial, label_suffix="")
        by_name = [("", "by its words and type")]
        named = [
            (str(one.public_id), f"{_short(one.label)}, {ENTITY_TYPES[one.type].label.lower()}") for one in entities
        ]
        self.fields["entity"].choices = [*by_name, *named]  # type: ignore[attr-defined]


def placed(text: str, words: str, start: int) -> tuple[int, int] | None:
    """Where the words stand in the text, the place nearest to `start`; None where they do not."""
    places, at = [], text.find(words)
    while at >= 0:
        places.append(at)
        at = text.find(words, at + 1)
    nearest = min(places, key=lambda place: abs(place - start), default=None)
    return None if nearest is None or not words.strip() else (nearest, nearest + len(words))
