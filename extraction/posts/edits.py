"""Whether what a page shows now is an edit of the story that it showed before."""

from __future__ import annotations

import re

from extraction.crawler.parsers.article_parser import ParsedArticle
from extraction.models import Post, Sighting

_LONG_ENOUGH = 250  # code points of a body; a shorter one says little by its length
_LEFT = 0.4  # the share of a text that an edit leaves at least
_COMMON = 0.15  # the share of its long words that an edited text has from the one before
_LONG_WORD = 5


def no_edit(post: Post, article: ParsedArticle) -> str:
    """Why the text that a page shows now does not replace the present one, as the end of a sentence; "" where it does.

    A publisher that shortens or replaces a story does so in its feed too, where the new headline is then listed.
    """
    present = post.current_version
    if present is None or present.source != "page" or present.pruned_at or len(present.body) < _LONG_ENOUGH:
        return ""
    if _is_announced(post, article.title, present.title):
        return ""
    if len(article.text) < _LEFT * len(present.body):
        left, before = (len(text.split()) for text in (article.text, present.body))
        return f"shows only {left} of the {before} words that the story had, so the text was not replaced."
    before_words, words = _long_words(present.text), _long_words(article.whole)
    if words and len(words & before_words) < _COMMON * len(words):
        return "shows another text that has hardly a word in common with the story, so the text was not replaced."
    return ""


def _is_announced(post: Post, title: str, before: str) -> bool:
    """Whether the feed lists the post under a headline that is new on its page too."""
    new = _words(title)
    listed = Sighting.objects.filter(post=post).values_list("title", flat=True)
    return bool(new) and new != _words(before) and any(_words(one) == new for one in listed)


def _long_words(text: str) -> set[str]:
    return {word for word in _words(text) if len(word) >= _LONG_WORD}


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.casefold()))
