"""Refuses, before anything is sent, Cypher that no limit of the server would stop; and plans that do more than read.

A read transaction does not suffice: LOAD CSV, SHOW and TERMINATE pass in one. And a time limit ends a query only
between rows: a regular expression, a string doubled a few dozen times, a loop within a loop over a list run inside one
expression, for as long as they like. So the text is cut into tokens and refused where it could hold such a thing, and
the server's own plan of it may have only operators from a list of reading ones.

The tokenizer is no parser. It accepts few characters outside strings, and whatever precedes a bracket has to be a
function or a word that it knows: it errs on the side of refusing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from knowledge.graphs.neo4j import cypher_bounds
from knowledge.graphs.rdf.sparql_guard import QueryRefused

LONGEST = 10_000  # characters of a query, and of its parameters as JSON
DEEPEST = 30  # brackets within brackets
MOST_CLAUSES = 40
MOST_ALTERNATIVES = 40


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FIRST = frozenset({"MATCH", "OPTIONAL", "WITH", "UNWIND", "RETURN", "CALL"})
REFUSED_WORDS = {
    **dict.fromkeys(
        ["CREATE", "MERGE", "DELETE", "DETACH", "SET", "REMOVE", "FOREACH", "INSERT", "DROP", "ALTER", "GRANT", "DENY"],
        "Updates are not allowed: the graph is a projection of the record.",
    ),
    "LOAD": "LOAD CSV is not allowed: queries stay within this graph.",
    **dict.fromkeys(["SHOW", "TERMINATE", "USE"], "Queries about the server itself are not allowed."),
    **dict.fromkeys(["EXPLAIN", "PROFILE", "CYPHER"], "Planner options are not allowed."),
}
# Words that may precede a bracket and are no functions.
KEYWORDS = _words(
    """
    MATCH WHERE AND OR XOR NOT IN RETURN WITH UNWIND AS THEN WHEN ELSE CASE BY DISTINCT LIMIT SKIP OFFSET ON IS
    STARTS ENDS CONTAINS UNION YIELD CALL SHORTEST PATH PATHS GROUP GROUPS OPTIONAL FOR TRAIL WALK
    """
)
FUNCTIONS = _words(
    """
    count sum avg min max collect stdev stdevp percentilecont percentiledisc size length type labels id elementid
    nodes relationships properties keys coalesce nullif head last tail isempty startnode endnode exists any all none
    single shortestpath allshortestpaths tolower toupper lower upper trim ltrim rtrim left right substring reverse
    tostring tostringornull tointeger tointegerornull tofloat tofloatornull toboolean tobooleanornull abs ceil floor
    round sign sqrt exp log log10 timestamp date datetime localdatetime time localtime duration duration.between
    duration.indays duration.inmonths duration.inseconds date.truncate datetime.truncate char_length
    character_length valuetype
    """
)
# In the body of a loop over a list: nothing that creates a string for each element.
INNER_FUNCTIONS = _words(
    """
    size length type labels id elementid keys coalesce startnode endnode head last isempty exists tointeger tofloat
    abs round date datetime
    """
)
QUANTIFIERS = frozenset({"any", "all", "none", "single"})
SMALL_LISTS = frozenset({"nodes", "relationships", "labels", "keys"})
PROCEDURES = _words(
    """
    db.index.fulltext.querynodes db.labels db.relationshiptypes db.propertykeys db.schema.visualization
    """
)
OPERATORS = _words(
    """
    AllNodesScan NodeByLabelScan NodeByIdSeek NodeByElementIdSeek NodeIndexSeek NodeUniqueIndexSeek
    MultiNodeIndexSeek NodeIndexSeekByRange NodeUniqueIndexSeekByRange NodeIndexContainsScan NodeIndexEndsWithScan
    NodeIndexScan UnionNodeByLabelsScan IntersectionNodeByLabelsScan SubtractionNodeByLabelsScan
    DirectedRelationshipTypeScan UndirectedRelationshipTypeScan DirectedUnionRelationshipTypesScan
    UndirectedUnionRelationshipTypesScan DirectedAllRelationshipsScan UndirectedAllRelationshipsScan
    DirectedRelationshipByIdSeek UndirectedRelationshipByIdSeek DirectedRelationshipByElementIdSeek
    UndirectedRelationshipByElementIdSeek DirectedRelationshipIndexScan UndirectedRelationshipIndexScan
    DirectedRelationshipIndexSeek UndirectedRelationshipIndexSeek DirectedRelationshipUniqueIndexSeek
    UndirectedRelationshipUniqueIndexSeek DirectedRelationshipIndexSeekByRange
    UndirectedRelationshipIndexSeekByRange DirectedRelationshipIndexContainsScan
    UndirectedRelationshipIndexContainsScan DirectedRelationshipIndexEndsWithScan
    UndirectedRelationshipIndexEndsWithScan NodeCountFromCountStore RelationshipCountFromCountStore Apply SemiApply
    AntiSemiApply LetSemiApply LetAntiSemiApply SelectOrSemiApply SelectOrAntiSemiApply LetSelectOrSemiApply
    LetSelectOrAntiSemiApply RollUpApply ConditionalApply AntiConditionalApply Argument Expand OptionalExpand
    VarLengthExpand Repeat StatefulShortestPath ShortestPath AssertSameNode AssertSameRelationship CacheProperties
    ProjectEndpoints Projection ProduceResults Filter Limit Skip Sort PartialSort Top PartialTop Distinct
    OrderedDistinct EagerAggregation OrderedAggregation Eager Union OrderedUnion Unwind CartesianProduct
    NodeHashJoin ValueHashJoin NodeLeftOuterHashJoin NodeRightOuterHashJoin LeftOuterHashJoin RightOuterHashJoin
    TriadicSelection TriadicBuild TriadicFilter Optional ProcedureCall EmptyRow NullifyMetadata PathPropagatingBFS
    """
)

_TOKENS = re.compile(
    r"""
      (?P<space> [ \t\r\n]+ )
    | (?P<comment> //[^\r\n]* | /\*.*?\*/ )
    | (?P<string> "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' )
    | (?P<quoted> `(?:[^`]|``)*` )
    | (?P<number> \d+(?:\.\d+)?(?:[eE][+-]?\d+)? )
    | (?P<word> [^\W\d]\w* )
    | (?P<sign> [()\[\]{}.,:;|&!?$+\-*/%^=<>] )
    """,
    re.VERBOSE | re.DOTALL,
)
_UNICODE = re.compile(r"\\+u+([0-9A-Fa-f]{4})")
_OPENING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class CypherToken:
    """`kind`: string, quoted, number, word or sign; `text` as written, a quoted name without its quotes."""

    kind: str
    text: str

    @property
    def word(self) -> str:
        return self.text.upper() if self.kind == "word" else ""


@dataclass(slots=True)
class _Frame:
    """An open bracket; `loop`: it is a loop over a list, `variable` its own name in there."""

    closing: str
    loop: bool = False
    variable: str = ""
    source: int = -1
    outer: int = 0


def check(text: str) -> str:
    """The text as it may be planned, without a closing semicolon. Raises QueryRefused."""
    if len(text) > LONGEST:
        raise QueryRefused(f"The query has {len(text)} characters; {LONGEST} are allowed.")
    tokens = list(_tokens(text))
    while tokens and tokens[-1].text == ";" and tokens[-1].kind == "sign":
        tokens.pop()
        text = text[: text.rindex(";")]
    if not tokens or tokens[0].word not in FIRST:
        raise QueryRefused("A query begins with MATCH, OPTIONAL MATCH, WITH, UNWIND, CALL or RETURN.")
    if any(token.kind == "sign" and token.text == ";" for token in tokens):
        raise QueryRefused("One query at a time: a semicolon may stand only at the end.")
    _check_words(tokens)
    cypher_bounds.check(tokens)
    _check_calls(tokens)
    _Brackets(tokens).check()
    return text


def parameters(text: str) -> dict[str, Any]:
    """Parse parameters as a person writes them: a JSON object. Raises QueryRefused."""
    if not text.strip():
        return {}
    if len(text) > LONGEST:
        raise QueryRefused(f"The parameters have {len(text)} characters; {LONGEST} are allowed.")
    try:
        found = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise QueryRefused(
            f'The parameters are not valid JSON, for example {{"name": "Ada Lovelace"}}: {error}'
        ) from error
    if not isinstance(found, dict):
        raise QueryRefused('The parameters must be a JSON object, for example {"name": "Ada Lovelace"}.')
    if _depth(found) > DEEPEST:
        raise QueryRefused(f"The parameters nest lists and objects more than {DEEPEST} deep.")
    if not _storable(found):
        raise QueryRefused("The parameters contain a NUL character or half of a surrogate pair.")
    if any(isinstance(one, int) and not -(2**63) <= one < 2**63 for one in _leaves(found)):
        raise QueryRefused("A number among the parameters has more digits than the server takes.")
    return found


def check_plan(plan: dict[str, Any] | None) -> None:
    """Raises QueryRefused unless every operator of the server's plan is one that reads this graph."""
    waiting, seen = [plan] if plan else [], 0
    while waiting:
        one, seen = waiting.pop(), seen + 1
        name = str(one.get("operatorType", "")).partition("@")[0].partition("(")[0]
        if name not in OPERATORS:
            raise QueryRefused(f"The server's plan contains {name or 'an unknown operator'}, which is not allowed.")
        if name == "ProcedureCall":
            details = str(one.get("args", {}).get("Details", ""))
            _check_procedure(details.partition("(")[0].replace("`", "").strip().lower())
        waiting += one.get("children", [])
    if not seen:
        raise QueryRefused("The server gave no plan for the query, so it is not run.")


def _tokens(text: str) -> Iterator[CypherToken]:
    place = 0
    while place < len(text):
        found = _TOKENS.match(text, place)
        if found is None or (text.startswith("/*", place) and found.lastgroup != "comment"):
            line = text.count("\n", 0, place) + 1
            if text[place] in "\"'`":
                raise QueryRefused(f"A quotation mark in line {line} is not closed.")
            if text[place] == "/":
                raise QueryRefused(f"The comment that begins in line {line} does not end.")
            if text[place] == "~":
                raise QueryRefused(f"Regular expressions (=~) are not allowed (line {line}): no time limit stops them.")
            if text[place] == "\\":
                raise QueryRefused(f"A backslash may stand only in a string (line {line}).")
            raise QueryRefused(f"The character {text[place]!r} in line {line} is not allowed in a query.")
        place, kind, words = found.end(), str(found.lastgroup), found.group()
        _check_escapes(kind, words)
        if kind == "quoted":
            yield CypherToken(kind, words[1:-1].replace("``", "`"))
        elif kind not in ("space", "comment"):
            yield CypherToken(kind, words)


def _check_escapes(kind: str, words: str) -> None:
    """Refuse escapes that end a string: the server decodes \\u0027 to a quotation mark before anything else."""
    if "\\u" in words.lower() and kind != "string":
        raise QueryRefused("\\u may stand only in a string.")
    for found in _UNICODE.finditer(words):
        if chr(int(found[1], 16)) in "'\"`\\\n\r" or int(found[1], 16) < 32:
            raise QueryRefused(f"{found[0]} would end the string that contains it.")
    if kind == "comment" and any(sign in words for sign in "\v\f\x1c\x1d\x1e\x85\u2028\u2029"):
        raise QueryRefused("A comment contains a character that may count as the end of a line.")


def _check_words(tokens: list[CypherToken]) -> None:
    for before, token, after in _with_neighbours(tokens):
        a_name = before.text in (".", ":", "$", "|", "&", "!") or after.text == ":"
        if token.word in REFUSED_WORDS and not a_name:
            raise QueryRefused(REFUSED_WORDS[token.word])
    if sum(token.word in cypher_bounds.CLAUSES for token in tokens) > MOST_CLAUSES:
        raise QueryRefused(f"The query has more than {MOST_CLAUSES} clauses.")
    if sum(token.word in ("OR", "XOR") for token in tokens) > MOST_ALTERNATIVES:
        raise QueryRefused(f"The query has more than {MOST_ALTERNATIVES} alternatives (OR).")


def _check_calls(tokens: list[CypherToken]) -> None:
    """Require that whatever precedes a round bracket is a permitted function, or a keyword."""
    for place, token in enumerate(tokens):
        if token.text != "(" or token.kind != "sign" or place == 0:
            continue
        start = place - 1
        if tokens[start].kind not in ("word", "quoted"):
            continue
        name = [tokens[start].text]
        while start >= 2 and tokens[start - 1].text == "." and tokens[start - 1].kind == "sign":
            start -= 2
            name.insert(0, tokens[start].text)
        called = ".".join(name).lower()
        if start and tokens[start - 1].word == "CALL":
            _check_procedure(called)
        elif called not in FUNCTIONS and not (len(name) == 1 and tokens[start].word in KEYWORDS):
            raise QueryRefused(f"The function {called} is not on the list of permitted functions.")
    for before, token, after in _with_neighbours(tokens):
        # CALL without brackets: CALL db.labels YIELD …
        if before.word == "CALL" and token.kind in ("word", "quoted") and after.text not in (".", "("):
            _check_procedure(token.text.lower())
    for place, token in enumerate(tokens):
        if token.word == "CALL" and place + 1 < len(tokens) and tokens[place + 1].kind in ("word", "quoted"):
            _check_procedure(_dotted(tokens, place + 1))


def _dotted(tokens: list[CypherToken], place: int) -> str:
    name = tokens[place].text
    while place + 2 < len(tokens) and tokens[place + 1].text == ".":
        place += 2
        name += f".{tokens[place].text}"
    return name.lower()


def _check_procedure(name: str) -> None:
    if name not in PROCEDURES:
        raise QueryRefused(f"The procedure {name} is not on the list of permitted procedures.")


class _Brackets:
    """Checks brackets and loops over lists: only one at a time, over short lists, and with small bodies. Each runs
    within one expression, where no time limit ends it."""

    def __init__(self, tokens: list[CypherToken]) -> None:
        self._tokens, self._open = tokens, list[_Frame]()
        self._made = cypher_bounds.named_by_as(tokens)

    def check(self) -> None:
        for place, token in enumerate(self._tokens):
            if token.kind == "sign" and token.text in _OPENING:
                self._opened(place, token.text)
            elif token.kind == "sign" and token.text in ")]}":
                if not self._open or self._open.pop().closing != token.text:
                    raise QueryRefused("The brackets do not match.")
            elif any(frame.loop for frame in self._open):
                self._in_loop(place, token)
        if self._open:
            raise QueryRefused("A bracket is not closed.")

    def _opened(self, place: int, sign: str) -> None:
        before = self._at(place - 1)
        variable, word = self._at(place + 1), self._at(place + 2)
        named = before.text.lower() if before.kind in ("word", "quoted") else ""
        loops = word.word == "IN" and variable.kind in ("word", "quoted")
        loops = loops and (sign == "[" or (sign == "(" and named in QUANTIFIERS))
        if loops and any(frame.loop for frame in self._open):
            raise QueryRefused("A loop over a list within another one is not allowed: no time limit stops it.")
        if loops:
            self._check_source(place + 3)
        elif sign == "(" and named and named.upper() not in KEYWORDS:
            self._check_inner(place - 1, named)
        self._open.append(_Frame(_OPENING[sign], loops, variable.text if loops else "", place + 3))
        if len(self._open) > DEEPEST:
            raise QueryRefused(f"The query nests brackets more than {DEEPEST} deep.")

    def _check_inner(self, place: int, name: str) -> None:
        loop = next((frame for frame in self._open if frame.loop), None)
        if loop and place != loop.source and name not in INNER_FUNCTIONS:
            raise QueryRefused(f"The function {name} may not stand within a loop over a list.")

    def _check_source(self, place: int) -> None:
        first, second = self._at(place), self._at(place + 1)
        small = first.text.lower() in SMALL_LISTS and second.text == "("
        # A property of a node or relationship is short; one of a map that the query makes may hold anything.
        stored = first.kind in ("word", "quoted") and second.text == "." and first.text not in self._made
        if small or first.text in ("$", "[") or stored:
            return
        raise QueryRefused(
            "A loop over a list goes over nodes(…), relationships(…), labels(…), keys(…), a stored property, a "
            "parameter or a list that is written out; UNWIND goes over any other."
        )

    def _in_loop(self, place: int, token: CypherToken) -> None:
        loop = next(frame for frame in reversed(self._open) if frame.loop)
        before, after = self._at(place - 1), self._at(place + 1)
        if token.kind == "sign" and token.text == "+":
            raise QueryRefused("Within a loop over a list nothing may be joined with +.")
        own = self._at(place - 2).text in ("[", "(") and before.text == loop.variable and token.word == "IN"
        if token.word == "IN" and not own:
            short = after.text in ("[", "$") or after.text.lower() in ("labels", "keys")
            if not short:
                raise QueryRefused("Within a loop over a list, IN may search only a list that is written out.")
        elif token.kind in ("word", "quoted") and token.text != loop.variable and token.word not in _PLAIN:
            a_part = before.text in (".", ":", "$", "|:") or after.text in ("(", ":", "{")
            loop.outer += not a_part and place != loop.source
            if loop.outer > 1:
                raise QueryRefused("Within a loop over a list, only one variable from outside may be used.")

    def _at(self, place: int) -> CypherToken:
        return self._tokens[place] if 0 <= place < len(self._tokens) else CypherToken("", "")


_PLAIN = KEYWORDS | _words("TRUE FALSE NULL END ASC DESC")


def _with_neighbours(tokens: list[CypherToken]) -> Iterator[tuple[CypherToken, CypherToken, CypherToken]]:
    nothing = CypherToken("", "")
    return zip([nothing, *tokens], tokens, [*tokens[1:], nothing], strict=False)


def _leaves(value: Any) -> Iterator[Any]:
    """The keys, texts and numbers in it."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one
        else:
            yield one


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _depth(value: Any) -> int:
    """How deep lists and objects are nested."""
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        if isinstance(one, dict | list):
            deepest = max(deepest, depth)
            inner = one.values() if isinstance(one, dict) else one
            waiting += [(part, depth + 1) for part in inner]
    return deepest


def _storable(found: Any) -> bool:
    """Whether the servers and the database take every text in it."""
    texts = [one for one in _leaves(found) if isinstance(one, str)]
    return not any(sign == "\0" or "\ud800" <= sign <= "\udfff" for text in texts for sign in text)
