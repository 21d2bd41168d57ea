"""A small article of our own and its annotation in the notation."""

from __future__ import annotations

from extraction.datasets.annotation import Annotation
from extraction.datasets.articles import NewsArticle, digest
from training.corpora.notation import parse

TEXT = (
    "Lagoon Bank buys Kite\n"
    "\n"
    "Lagoon Bank’s chief executive, Ada Obi, said on Monday that she would meet Ben Roe.\n"
    "“The bank has paid $5 million,” she said, as she denied that the bank had sued Kite.\n"
)

ARTICLE = NewsArticle("lagoon", "2024-05-01", "Lagoon Bank buys Kite", TEXT, digest(TEXT))
ARTICLES = {ARTICLE.id: ARTICLE}

NOTATION = """\
# lagoon
@ lagoon O Lagoon Bank
@ kite O Kite
@ ada P Ada Obi
@ ben P Ben Roe
1: {Lagoon Bank|lagoon} buys {Kite|kite}
> Lagoon Bank | acquired | Kite | stated amount=$5 million@3
2: {Lagoon Bank|lagoon}'s {chief executive|R}, {Ada Obi|ada}, said on {Monday|T}
2: that {she|ada^} would meet {Ben Roe|ben}.
> ada#1 | position_held | chief executive
> chief executive | role_at | lagoon
> she | met | the Ben Roe | planned by=Ada_Obi when=Monday
3: The {bank|lagoon~} has paid {$5 million|N}
3: {she|ada^} said, as {she|ada^} denied that the {bank|lagoon~} had sued {Kite|kite}
> bank#2 | sued | kite | denied by=she#2; Ada Obi@2
"""


def converted(notation: str = NOTATION) -> Annotation:
    annotations, problems = parse("test.ann", notation, ARTICLES)
    assert problems == []
    return annotations[0]


def problems_of(notation: str) -> list[str]:
    annotations, problems = parse("test.ann", notation, ARTICLES)
    assert annotations == []
    return [str(problem).split("\n")[0] for problem in problems]
