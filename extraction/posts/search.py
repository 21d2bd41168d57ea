"""Full-text search in the posts' current texts: FTS5 on SQLite, tsvector on PostgreSQL, with one syntax.

Triggers update the index with `Post.current_version` (`search_index`), so no writer can forget it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from extraction.models import Post

LONGEST_QUERY = 300
MOST_TERMS = 12

_TERM = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')
_WORD = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class Term:
    """Adjacent words. `begins`: the last one may be a prefix (while somebody is still typing)."""

    words: str
    excluded: bool = False
    begins: bool = False


def terms(query: str) -> list[Term]:
    """`query` as terms: words, "words side by side", -excluded. Anything else in it is taken as words."""
    query = query.replace("\0", " ")[:LONGEST_QUERY]
    found = []
    for sign, quoted, plain in _TERM.findall(query):
        words = (quoted or plain).replace('"', " ").strip()
        if _WORD.search(words):
            found.append(Term(words, excluded=bool(sign), begins=not quoted))
    return found[:MOST_TERMS]


def search(query: str) -> QuerySet[Post]:
    """The posts whose current text has every term of `query`, or whose link it is; all posts for an empty query."""
    posts = Post.objects.all()
    address = query.strip()
    if address.startswith(("http://", "https://")):
        return posts.filter(Q(link=address) | Q(pk__in=Post.objects.filter(sightings__link=address).values("pk")))
    for term in terms(query):
        matching = _matching(term)
        posts = posts.exclude(pk__in=matching) if term.excluded else posts.filter(pk__in=matching)
    return posts


def _matching(term: Term) -> RawSQL:
    if connection.vendor == "postgresql":
        phrase = "phraseto_tsquery('simple', extraction_search_fold(%s))"
        # An empty query (words that the parser drops) takes no suffix.
        prefix = f"CASE numnode({phrase}) WHEN 0 THEN {phrase} ELSE ({phrase}::text || ':*')::tsquery END"
        sql = f"SELECT post_id FROM extraction_search WHERE words @@ {prefix if term.begins else phrase}"  # noqa: S608
        return RawSQL(sql, [term.words] * (3 if term.begins else 1))  # noqa: S611
    match = '"{}"{}'.format(term.words.replace('"', '""'), "*" if term.begins else "")
    return RawSQL("SELECT rowid FROM extraction_search WHERE extraction_search MATCH %s", [match])
