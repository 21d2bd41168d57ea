"""The models of the record: Django finds them here."""

from knowledge.models.depictions import Depiction, DepictionReview
from knowledge.models.entity_edits import EntityEdit
from knowledge.models.knowledge_services import KnowledgeService, ServiceAnswer
from knowledge.models.record import (
    Assertion,
    Entity,
    EntityName,
    EntitySpelling,
    Event,
    Evidence,
    Link,
    Mention,
    Merge,
    Parting,
    Projection,
    ProjectorLock,
    SavedQuery,
    Split,
    Statement,
)
from knowledge.models.review_queue import ReviewHold, ReviewSkip
from knowledge.models.reviews import MentionCorrection, Review

__all__ = [
    "Assertion",
    "Depiction",
    "DepictionReview",
    "Entity",
    "EntityEdit",
    "EntityName",
    "EntitySpelling",
    "Event",
    "Evidence",
    "KnowledgeService",
    "Link",
    "Mention",
    "MentionCorrection",
    "Merge",
    "Parting",
    "Projection",
    "ProjectorLock",
    "Review",
    "ReviewHold",
    "ReviewSkip",
    "SavedQuery",
    "ServiceAnswer",
    "Split",
    "Statement",
]
