"""Resolves mentions in a post by the entity splits that are active there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from knowledge.models import Parting


def of_posts(posts: Iterable[int]) -> dict[int, dict[int, int]]:
    """For each of these posts, the entities that mean another there by active entity splits."""
    found: dict[int, dict[int, int]] = defaultdict(dict)
    rows = Parting.objects.filter(post__in=list(posts))
    for post, entity, target in rows.values_list("post", "entity", "target"):
        found[post][entity] = target
    return found


def follow(parted: Mapping[int, int], entity: int) -> int:
    """The entity that one post's partings lead to, split after split; a cycle ends at its start."""
    seen = {entity}
    while (following := parted.get(entity)) is not None and following not in seen:
        entity = following
        seen.add(entity)
    return entity
