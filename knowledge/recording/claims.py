"""What an editor judges or states in a post, as the columns of a verdict: two ends with their words, a relation, and
its qualifiers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.db.models import Q

from extraction.labels import ENTITY_TYPES, RELATIONS
from extraction.models import Post
from extraction.schema import FACTUALITIES, Factuality
from knowledge.models import Assertion, Mention, Review, Statement
from knowledge.ontology import values
from knowledge.record import current
from knowledge.recording.quotes import Quote, quote_of

QUALIFIERS = ("when_words", "when_earliest", "when_latest", "amount_words", "amount_value", "amount_unit")
LONGEST_WORDS = 400


class NothingToReview(ValueError):
    """Neither an assertion of the post's current reading nor an editor makes that statement."""


class ImpossibleClaim(ValueError):
    """A statement that no graph could show; the message says why."""


@dataclass(frozen=True, slots=True)
class ClaimEnd:
    """A head or tail: its words with the text around them, its type there, and the entity that they lead to, before
    any split or merge. `now`: the entity of the mention at present."""

    quote: Quote
    type: str
    base: int
    now: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement as a post makes it, or as an editor says that it does (`own`)."""

    head: ClaimEnd
    relation: str
    tail: ClaimEnd
    factuality: Factuality = "stated"
    claimant: int | None = None
    when_words: str = ""
    when_earliest: date | None = None
    when_latest: date | None = None
    amount_words: str = ""
    amount_value: float | None = None
    amount_unit: str = ""
    own: bool = False

    def columns(self) -> dict[str, Any]:
        """Those of a Review, except for its statement."""
        ends = {"head": self.head, "tail": self.tail}
        quintuple: dict[str, Any] = {"relation": self.relation}
        quotes: dict[str, Any] = {}
        for name, end in ends.items():
            quintuple |= {name: end.quote["exact"], f"{name}_type": end.type}
            quotes[name] = end.quote | ({"entity": end.base} if self.own else {})
        given = {name: getattr(self, name) for name in QUALIFIERS}
        about = {"factuality": self.factuality, "claimant_id": self.claimant, "own": self.own}
        return about | given | {"quintuple": quintuple, "quotes": quotes}


@dataclass(frozen=True, slots=True)
class Change:
    """What an editor changes in a claim; None leaves a part as it is. `reverse`: head and tail change places."""

    relation: str | None = None
    reverse: bool = False
    head: Mention | None = None
    tail: Mention | None = None
    factuality: Factuality | None = None
    when: tuple[str, date | None, date | None] | None = None


def end_of(mention: Mention, text: str) -> ClaimEnd:
    base = mention.resolved_id or mention.entity_id
    return ClaimEnd(quote_of(text, mention.start, mention.end), mention.type, base, mention.entity_id)


def changed(claim: Claim, change: Change, text: str) -> Claim:
    """The claim with the change, as the editor's own. Raises ImpossibleClaim."""
    head = end_of(change.head, text) if change.head else claim.head
    tail = end_of(change.tail, text) if change.tail else claim.tail
    ends = (tail, head) if change.reverse else (head, tail)
    made = replace(claim, head=ends[0], tail=ends[1], relation=change.relation or claim.relation, own=True)
    if change.factuality is not None:
        # Nobody claims what is not alleged.
        claimant = made.claimant if change.factuality in ("alleged", current.DENIED) else None
        made = replace(made, factuality=change.factuality, claimant=claimant)
    if change.when is not None:
        words, earliest, latest = change.when
        made = replace(made, when_words=words[:LONGEST_WORDS], when_earliest=earliest, when_latest=latest)
    check(made)
    return made


def check(claim: Claim) -> None:
    """Raises ImpossibleClaim, with a sentence for the editor."""
    relation = RELATIONS.get(claim.relation)
    if relation is None:
        raise ImpossibleClaim(f"There is no relation {claim.relation!r}.")
    if claim.factuality not in FACTUALITIES:
        raise ImpossibleClaim(f"There is no factuality {claim.factuality!r}.")
    if claim.head.now == claim.tail.now:
        raise ImpossibleClaim("Head and tail are the same entity. Choose two, or split the entity first.")
    head, tail = claim.head.type, claim.tail.type
    if not relation.permits(head, tail) or not values.is_shown(claim.relation, head, tail):
        ends = (_types(relation.heads), _types(relation.tails), ENTITY_TYPES[head].label, ENTITY_TYPES[tail].label)
        raise ImpossibleClaim(
            "“{}” goes from {} to {}; these are {} and {}. Choose another relation, or correct the types of the "
            "mentions first.".format(relation.label, *ends)
        )
    if claim.when_earliest and claim.when_latest and claim.when_earliest > claim.when_latest:
        raise ImpossibleClaim("The time ends before it begins. Exchange the two days.")


def _types(keys: frozenset[str]) -> str:
    return " or ".join(ENTITY_TYPES[key].label for key in ENTITY_TYPES if key in keys)


def judged(post: Post, statement: Statement) -> Claim:
    """The claim that the page shows for a statement: the editor's own that decides, else the best assertion of its
    triple in the current reading (one that denies it only where all do, whatever the threshold), else that of an
    accepting verdict. Raises NothingToReview."""
    held = list(same_triple(post, statement))
    own = next((one for one in held if one.own and one.outcome == Review.Outcome.DECIDES and not one.lost), None)
    if own is not None:
        return _of_review(own)
    if (assertion := _asserted(post, statement)) is not None:
        return _of_assertion(assertion)
    for one in held:
        if one.verdict == Review.Verdict.ACCEPT and not one.lost:
            return _of_review(one)
    raise NothingToReview("This statement is no longer in the post: the post was analysed again. Reload the page.")


def same_triple(post: Post, statement: Statement) -> Any:
    """The active verdicts on the triple of this statement in the post, by any statement row."""
    ends = current.with_ends(Statement.objects.filter(pk=statement.pk)).get()
    held = current.active_reviews().filter(post=post, statement__relation=statement.relation).order_by("pk")
    same = current.with_ends(held.select_related("statement"), "statement__")
    return same.filter(head_now=ends.head_now, tail_now=ends.tail_now)


def _asserted(post: Post, statement: Statement) -> Assertion | None:
    ends = current.with_ends(Statement.objects.filter(pk=statement.pk)).get()
    read = Assertion.objects.filter(reading=post.current_reading_id, relation=statement.relation)
    same = current.with_ends(read, "statement__").filter(head_now=ends.head_now, tail_now=ends.tail_now)
    same = same.annotate(denied=Q(factuality=current.DENIED)).order_by("denied", "-score", "pk")
    chosen: Assertion | None = same.select_related(
        "reading__version", "head_mention", "tail_mention", "claimant"
    ).first()
    return chosen


def _of_assertion(row: Assertion) -> Claim:
    text = row.reading.version.text
    claimant = row.claimant.entity_id if row.claimant else None
    given = {name: getattr(row, name) for name in QUALIFIERS}
    ends = (end_of(row.head_mention, text), row.relation, end_of(row.tail_mention, text))
    return Claim(*ends, row.factuality, claimant, **given)  # type: ignore[arg-type]


def _of_review(given: Review) -> Claim:
    head, tail = given.statement.head_id, given.statement.tail_id
    now = {"head": head, "tail": tail}
    if given.statement.relation in current.SYMMETRIC and given.quotes["head"].get("entity") in (tail,):
        now = {"head": tail, "tail": head}
    ends = {
        name: ClaimEnd(
            {part: given.quotes[name][part] for part in ("exact", "prefix", "suffix")},
            given.quintuple[f"{name}_type"],
            given.quotes[name].get("entity", now[name]),
            now[name],
        )
        for name in ("head", "tail")
    }
    about = {name: getattr(given, name) for name in QUALIFIERS}
    return Claim(
        ends["head"],
        given.statement.relation,
        ends["tail"],
        given.factuality,  # type: ignore[arg-type]
        given.claimant_id,
        **about,
        own=given.own,
    )
