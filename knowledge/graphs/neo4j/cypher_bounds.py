"""Bounds on a Cypher query whose cost lies in one expression, or in its plan, where no limit of the server ends it.

A chain of thousands of terms overflows the server's stack and the thread dies without an answer; each XOR doubles the
planner's work; each copy of a list into another one multiplies what a comparison or an answer has to walk through.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from knowledge.graphs.rdf.sparql_guard import QueryRefused

if TYPE_CHECKING:
    from knowledge.graphs.neo4j.cypher_guard import CypherToken

LARGEST_GROWTH = 6  # times that one value may be repeated within another
MOST_XOR = 3
MOST_OPERATORS = 150  # in a query, the dashes of its patterns included
LONGEST_CHAIN = 20  # of properties or subscripts
CLAUSES = frozenset({"MATCH", "WITH", "UNWIND", "RETURN", "CALL", "UNION"})
_OPERATOR_SIGNS = frozenset("+-*/%^=<>|&!:")
_OPERATOR_WORDS = frozenset({"AND", "OR", "XOR", "NOT", "IN", "IS", "STARTS", "ENDS", "CONTAINS"})


def check(tokens: Sequence[CypherToken]) -> None:
    """Raises QueryRefused."""
    if sum(token.word == "XOR" for token in tokens) > MOST_XOR:
        raise QueryRefused(f"The query has more than {MOST_XOR} XOR: each doubles the time that planning it takes.")
    if sum(_is_operator(token) for token in tokens) > MOST_OPERATORS:
        raise QueryRefused(f"The query has more than {MOST_OPERATORS} operators and dashes.")
    if _longest_chain(tokens) > LONGEST_CHAIN:
        raise QueryRefused(f"A chain of more than {LONGEST_CHAIN} properties or subscripts is not allowed.")
    _check_growth(tokens)


def named_by_as(tokens: Sequence[CypherToken]) -> frozenset[str]:
    """The names that AS gives: they may stand for a map or list of any size, unlike what a pattern binds."""
    return frozenset(after.text for token, after in pairwise(tokens) if token.word == "AS")


def _is_operator(token: CypherToken) -> bool:
    return token.word in _OPERATOR_WORDS or (token.kind == "sign" and token.text in _OPERATOR_SIGNS)


def _longest_chain(tokens: Sequence[CypherToken]) -> int:
    """The longest run of `.name` and `[0]`."""
    longest = run = 0
    for before, token in pairwise(tokens):
        if token.kind == "sign" and (token.text == "." or (token.text == "[" and before.text in ("]", ")"))):
            run += 1
            longest = max(longest, run)
        elif _is_operator(token) or (token.kind == "sign" and token.text in ",;(){}"):
            run = 0
    return longest


def _check_growth(tokens: Sequence[CypherToken]) -> None:
    """Each `+` or `||` may append a value, a list or map may hold it several times, and each WITH may name the result
    and continue from it."""
    growth = 1
    for clause in _clauses(tokens):
        joined = sum(token.kind == "sign" and token.text == "+" for token in clause)
        joined += sum(one.text == other.text == "|" for one, other in pairwise(clause))
        growth *= joined + _copies(clause)
    if growth > LARGEST_GROWTH:
        raise QueryRefused(
            "The query joins or repeats too many values with +, ||, lists or maps: the result could exceed every limit."
        )


def _clauses(tokens: Sequence[CypherToken]) -> Iterator[Sequence[CypherToken]]:
    begin = 0
    for place, token in enumerate(tokens):
        if token.word in CLAUSES and place > begin:
            yield tokens[begin:place]
            begin = place
    yield tokens[begin:]


def _copies(clause: Sequence[CypherToken]) -> int:
    """How often a list or map of this clause holds the same variable or property; at least 1."""
    most, opened = 1, list[tuple[str, Counter[str]]]()
    for place, token in enumerate(clause):
        if token.kind == "sign" and token.text in "[{(":
            literal = token.text != "(" and not _subscript_or_pattern(clause, place)
            opened.append((token.text if literal else "", Counter()))
        elif token.kind == "sign" and token.text in "]})":
            if opened:
                opened.pop()
        elif token.kind in ("word", "quoted") and _begins_path(clause, place, bool(opened) and opened[-1][0] == "{"):
            name = _path(clause, place)
            for sign, counter in opened:
                counter[name] += bool(sign)
                most = max(most, counter[name])
    return most


def _subscript_or_pattern(clause: Sequence[CypherToken], place: int) -> bool:
    """Whether the bracket begins a subscript, a relationship, a pattern's properties or a subquery: no literal."""
    before = clause[place - 1] if place else None
    if before is None:
        return False
    if clause[place].text == "[":
        return before.text in ("-", "]", ")") or before.kind == "quoted" or (before.kind == "word" and _names(before))
    return before.text == ")" or before.word in ("EXISTS", "COUNT", "COLLECT", "CALL")


def _names(token: CypherToken) -> bool:
    return token.word not in _OPERATOR_WORDS | {"RETURN", "WITH", "UNWIND", "WHERE", "THEN", "ELSE", "WHEN", "DISTINCT"}


def _begins_path(clause: Sequence[CypherToken], place: int, in_map: bool) -> bool:
    """Whether a word stands for a value: no key of a map, label, property's name, function or operator."""
    before = clause[place - 1].text if place else ""
    after = clause[place + 1].text if place + 1 < len(clause) else ""
    labels = () if in_map else (":",)
    return before not in (".", "$", *labels) and after not in (":", "(") and clause[place].word not in _OPERATOR_WORDS


def _path(clause: Sequence[CypherToken], place: int) -> str:
    """`m.x.y`, as one name."""
    name = clause[place].text
    while place + 2 < len(clause) and clause[place + 1].text == "." and clause[place + 2].kind in ("word", "quoted"):
        place += 2
        name += f".{clause[place].text}"
    return name
