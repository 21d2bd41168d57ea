"""Passages of one document made one Extraction: a symmetric relation once, directed ones as they were read."""

from extraction.reader.merging import merge
from extraction.reader.passages import PassageReading
from extraction.schema import Document, ExtractedMention, Relation

TEXT = "Ada and Bertha."
ADA, BERTHA = ExtractedMention(0, 3, "person", 0.9), ExtractedMention(8, 14, "person", 0.8)


def merged(*found: tuple[ExtractedMention, ExtractedMention, str, float]) -> tuple[Relation, ...]:
    spans = {(mention.start, mention.end): mention for mention in (ADA, BERTHA)}
    relations = {((h.start, h.end), (t.start, t.end), key): score for h, t, key, score in found}
    return merge(Document("1", TEXT), [PassageReading(spans, relations)], "en", ()).relations


def test_a_symmetric_relation_found_both_ways_is_given_once_with_the_higher_score():
    assert merged((ADA, BERTHA, "sibling", 0.6), (BERTHA, ADA, "sibling", 0.7)) == (Relation(0, 1, "sibling", 0.7),)
    assert merged((BERTHA, ADA, "sibling", 0.7)) == (Relation(0, 1, "sibling", 0.7),)


def test_a_directed_relation_keeps_its_direction():
    found = merged((BERTHA, ADA, "child", 0.7), (ADA, BERTHA, "child", 0.2))
    assert found == (Relation(0, 1, "child", 0.2), Relation(1, 0, "child", 0.7))


def test_labels_that_are_not_the_inventorys_are_directed():
    assert merged((BERTHA, ADA, "/per/per/peer", 0.7)) == (Relation(1, 0, "/per/per/peer", 0.7),)
