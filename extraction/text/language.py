"""Detect the language of a text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

ENOUGH = 5_000  # code points suffice to detect the language
# words that few other languages share
ENGLISH = {"the", "and", "with", "from", "that", "which", "were", "has", "his", "their", "for"}
LIKELY, SHORTEST = 0.6, 6  # confidence and words from which an uncertain text is pointed out
LOOKS_ENGLISH = {"en", "pcm", "sco"}  # the identifier takes English tweets for Nigerian Pidgin and Scots


def detect_language(text: str) -> tuple[str, float]:
    """The text's language as an ISO 639 code with the confidence (0..1), or ("", …) where it is uncertain.

    A headline of names looks like any language. So a text in Latin script is foreign only with high confidence (higher
    for shorter texts), from six words, and without English function words (it may quote a foreign name).
    """
    text = text[:ENOUGH]
    letters = [letter for letter in text if letter.isalpha()]
    if len(letters) < 3:
        return "", 0.0
    language, score = _identifier().classify(text)
    latin = 2 * sum(letter < "\u0250" for letter in letters) > len(letters)
    if language in LOOKS_ENGLISH:
        certain = latin and language == "en" and score >= 0.5
    else:
        certain = not latin or _certainly_foreign(text.lower().split(), score)
    return (str(language) if certain else "", float(score))


def perhaps_foreign(text: str) -> str:
    """The language that a text without English words is more likely in than not, though `detect_language` is uncertain:
    short texts are. "" where it may as well be English, such as for a headline of names."""
    words = text[:ENOUGH].lower().split()
    language, score = _identifier().classify(text[:ENOUGH])
    foreign = language not in LOOKS_ENGLISH and score >= LIKELY and len(words) >= SHORTEST
    return str(language) if foreign and not ENGLISH & set(words) else ""


def _certainly_foreign(words: Sequence[str], score: float) -> bool:
    english = sum(word in ENGLISH for word in words)
    return len(words) >= 6 and score >= (0.9 if len(words) >= 12 else 0.95) and english < max(2, len(words) / 20)


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
