"""What an installation remembers about itself."""

from __future__ import annotations

from django.db import models


class Installation(models.Model):
    """One row. `base_iri` is what the IRIs in the graph begin with; `samples_at`: when the sample feed was added."""

    base_iri = models.CharField(max_length=1000)
    samples_at = models.DateTimeField(null=True, blank=True)
    began_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.base_iri
