"""The notation becomes an annotation with offsets and comes back; what is ambiguous is refused."""

import pytest

from extraction.datasets.annotation import AnnotatedRelation
from tests.training.corpora.texts import ARTICLE, NOTATION, TEXT, converted, problems_of
from training.corpora.notation import parse
from training.corpora.render import to_brackets, to_notation


def words(annotation, index, text=TEXT):
    mention = annotation.mentions[index]
    return text[mention.start : mention.end]


def facts(annotation):
    """Every relation by the words of its mentions."""
    return [
        (words(annotation, r.head), r.relation, words(annotation, r.tail), r.factuality) for r in annotation.relations
    ]


def test_marks_become_mentions_at_their_places_in_the_original():
    annotation = converted()
    assert [words(annotation, i) for i in range(7)] == [
        *("Lagoon Bank", "Kite", "Lagoon Bank", "chief executive", "Ada Obi", "Monday", "she"),
    ]
    assert [m.form for m in annotation.mentions[6:]] == [
        *("pronoun", "name", "nominal", "name", "pronoun", "pronoun", "nominal", "name"),
    ]
    assert [(e.id, e.type, e.name) for e in annotation.entities[4:]] == [
        ("R1", "role", "chief executive"),
        ("T1", "time", "Monday"),
        ("N1", "number", "$5 million"),
    ]
    assert (annotation.sha256, annotation.published, annotation.text) == (ARTICLE.sha256, "2024-05-01", None)


def test_ends_are_found_by_words_key_occurrence_and_line():
    annotation = converted()
    assert facts(annotation) == [
        ("Lagoon Bank", "acquired", "Kite", "stated"),
        ("Ada Obi", "position_held", "chief executive", "stated"),
        ("chief executive", "role_at", "Lagoon Bank", "stated"),
        ("she", "met", "Ben Roe", "planned"),
        ("bank", "sued", "Kite", "denied"),
    ]
    bought, *_, met, sued = annotation.relations
    assert bought.amount is not None and words(annotation, bought.amount) == "$5 million"
    assert met.when is not None and words(annotation, met.when) == "Monday"
    assert [words(annotation, index) for index in met.by] == ["Ada Obi"]
    nominals = [i for i, m in enumerate(annotation.mentions) if words(annotation, i) == "bank"]
    pronouns = [i for i, m in enumerate(annotation.mentions) if words(annotation, i) == "she" and m.start > 130]
    assert (sued.head, sued.by) == (nominals[1], (pronouns[1], annotation.relations[1].head))


def test_an_annotation_written_as_notation_and_converted_again_is_the_same():
    annotation = converted()
    notation = to_notation(annotation, TEXT)
    assert converted(notation) == annotation
    assert to_notation(converted(notation), TEXT) == notation


def test_braces_and_dots_of_an_article_survive_the_round_trip():
    from extraction.datasets.articles import NewsArticle, digest

    text = "Play {now} … Kite said Kite won ... {end}"
    article = NewsArticle("braces", "2024-05-01", "", text, digest(text))
    [first], problems = parse("a", "# braces\n@ k O Kite\n1: … {Kite|k} said {Kite|k} won", {"braces": article})
    [again], _ = parse("b", to_notation(first, text), {"braces": article})
    assert problems == [] and again == first


WRITTEN = """\
# harbour
published: 2024-05-01
@ union O Dockers' Union
@ port O Port of Mombasa
The {Dockers' Union|union} left the {Port of Mombasa|port} on {Monday|T}. {It|union^} is calm.
> Dockers' Union | protests_against | Port of Mombasa | stated when=Monday
Nothing is marked here.
# second
@ kite O Kite
{Kite|kite} rose.
"""


def test_written_items_give_their_text_and_come_back_as_they_were():
    annotations, problems = parse("own.ann", WRITTEN, None)
    assert problems == []
    first, second = annotations
    assert first.text == ("The Dockers' Union left the Port of Mombasa on Monday. It is calm.\nNothing is marked here.")
    assert (first.sha256, first.published, second.published) == (None, "2024-05-01", None)
    assert fact_words(first) == [("Dockers' Union", "Port of Mombasa")]
    assert "".join(to_notation(one, one.text or "") for one in annotations) == WRITTEN


def fact_words(annotation):
    return [
        (words(annotation, r.head, annotation.text), words(annotation, r.tail, annotation.text))
        for r in annotation.relations
    ]


def test_brackets_show_types_keys_forms_and_relations():
    shown = to_brackets(converted(), TEXT)
    assert "2: [Lagoon Bank|O lagoon]’s [chief executive|R], [Ada Obi|P ada], said on [Monday|T]" in shown
    assert "Ada Obi → met → Ben Roe, planned, by Ada Obi, when Monday" in shown


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("1: {Lagoon Bank|lagoon} buys", "1: {Lagoon Banc|lagoon} buys", ":6: “Lagoon Banc buys Kite” does not stand"),
        ("1: {Lagoon Bank|lagoon} buys", "1: {Lag|lagoon}oon Bank buys", ":6: “Lag” cuts a word"),
        ("> bank#2", "3: {bank|lagoon~}\n> bank#2", ":15: “bank” stands in this line more than once"),
        ("1: {Lagoon Bank", "7: {Lagoon Bank", ":6: there is no line 7; the text has 3"),
        ("1: {Lagoon Bank", "{Lagoon Bank", ":6: a line of an article begins with its number"),
        ("{Kite|kite}\n> Lagoon", "{Kite|kit}\n> Lagoon", ":6: no entity kit is declared"),
        (
            "{Lagoon Bank|lagoon} buys",
            "{Lagoon {Bank|lagoon}|lagoon} buys",
            ":6: “{Lagoon {Bank|lagoon”: a mark inside",
        ),
        ("{Lagoon Bank|lagoon} buys", "{Lagoon Bank} buys", ":6: “{Lagoon Bank}” is no mark"),
        ("{Kite|kite}\n> Lagoon", "{Kite|kite\n> Lagoon", ":6: “{Kite|kite” has no closing brace"),
        ("@ kite O Kite", "@ kite X Kite", ":3: X is no type"),
        ("@ kite O Kite", "@ Kite O Kite", ":3: the key Kite must be of small letters"),
        ("@ kite O Kite", "@ kite O", ":3: an entity is written @ key L Its Name"),
        ("@ ben P Ben Roe", "@ kite P Ben Roe", ":5: kite is declared twice"),
        ("> bank#2", "> bank", ":15: “bank” is marked 2 times in line 3; write bank#1"),
        ("> bank#2", "> bank#3", ":15: “bank#3”: line 3 has 2 such mentions"),
        ("> ada#1", "> ada", ":10: “ada” is marked 2 times in line 2"),
        ("> ada#1", "> Obi", ":10: “Obi” is not marked in line 2; marked there: “Lagoon Bank”, “chief executive”"),
        ("| sued |", "| sueed |", ":15: sueed is no relation; did you mean sued, succeeds?"),
        ("| acquired |", "| sister_city |", ":7: sister_city goes from L to L, not “Lagoon Bank” organization"),
        (
            "> chief executive | role_at | lagoon",
            "> lagoon | role_at | chief executive",
            ":11: role_at goes from R to POLE",
        ),
        ("denied by", "untrue by", ":15: “untrue” is no factuality"),
        ("when=Monday", "when=Ada Obi", ":12: when must be a mention of type time"),
        ("amount=$5 million@3", "amount=Kite", ":7: amount must be a mention of type number"),
        ("when=Monday", "when=Monday when=Monday", ":12: by, when or amount stands twice"),
        ("when=Monday", "when=", ":12: by=, when= or amount= has no words"),
        ("| acquired | Kite | stated amount=$5 million@3", "| acquired", ":7: a relation is written"),
        ("# lagoon\n", "# heron\n", ":1: no article has the id heron"),
        ("# lagoon\n", "", ":1: a file begins with a line"),
        ("1: {Lagoon Bank|lagoon} buys", "> a | met | b\n1: {Lagoon Bank|lagoon} buys", ":6: a relation stands under"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_line(old, new, expected):
    assert old in NOTATION
    found = problems_of(NOTATION.replace(old, new, 1))
    assert any(f"test.ann{expected}" in problem for problem in found), found


def test_every_problem_of_a_file_is_reported_and_none_that_only_follows():
    broken = NOTATION.replace("{chief executive|R}", "{chief exec|R}").replace("| sued |", "| sueed |")
    [unfound, unknown] = problems_of(broken)
    assert ":8:" in unfound and ":15:" in unknown


def test_an_end_that_is_words_of_one_and_key_of_another_is_refused():
    notation = NOTATION.replace("@ ben P", "@ she P").replace("|ben}", "|she}")
    assert any("both the words of one mention and the key" in problem for problem in problems_of(notation))


def test_a_relation_is_stated_where_nothing_is_written():
    assert converted().relations[2] == AnnotatedRelation(head=3, relation="role_at", tail=2)


def test_an_empty_file_is_a_problem():
    _, [problem] = parse("empty.ann", "\n## a remark\n", None)
    assert "the file is empty" in str(problem)
