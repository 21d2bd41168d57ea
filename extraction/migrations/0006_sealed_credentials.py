import kgbuilder.conf.encrypted_field
from django.db import migrations


def seal_all(apps, schema_editor):
    Feed = apps.get_model("extraction", "Feed")
    for feed in Feed.objects.exclude(credentials=""):
        Feed.objects.filter(pk=feed.pk).update(credentials=feed.credentials)


class Migration(migrations.Migration):
    dependencies = [("extraction", "0005_pruned_and_tombstones")]

    operations = [
        migrations.AlterField("feed", "credentials", kgbuilder.conf.encrypted_field.SealedField(blank=True, default="")),
        migrations.RunPython(seal_all, migrations.RunPython.noop),
    ]
