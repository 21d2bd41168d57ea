"""The date of a feed item as the feed gives it, so that a correction of it is noticed."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("extraction", "0010_feed_settings")]

    operations: ClassVar = [
        migrations.AddField("sighting", "published_text", models.CharField(blank=True, default="", max_length=200)),
    ]
