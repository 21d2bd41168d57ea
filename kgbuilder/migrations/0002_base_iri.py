from django.conf import settings
from django.db import migrations


def store(apps, schema_editor):
    installation = apps.get_model("kgbuilder", "Installation")
    if not installation.objects.exists():
        installation.objects.create(base_iri=settings.BASE_IRI)


class Migration(migrations.Migration):
    dependencies = [("kgbuilder", "0001_initial")]

    operations = [migrations.RunPython(store, migrations.RunPython.noop)]
