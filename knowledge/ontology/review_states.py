"""What editors have made of a statement. No Django."""

from __future__ import annotations

from typing import Literal

ReviewState = Literal["unreviewed", "accepted", "corrected", "disputed", "rejected"]
UNREVIEWED: ReviewState = "unreviewed"
# Of those in the graph, where rejected and disputed statements are not: the individual, its label and comment.
IN_GRAPH: dict[str, tuple[str, str, str]] = {
    "unreviewed": ("Unreviewed", "unreviewed", "No editor has decided on it: it is the reader's alone."),
    "accepted": ("Accepted", "accepted", "An editor has accepted it as it was extracted."),
    "corrected": ("Corrected", "corrected", "An editor has corrected or added it."),
}
