from django.db import migrations


def write_again(apps, schema_editor):
    """Times and numbers were nodes of the graphs: to a store without its identity, everything is written again."""
    apps.get_model('knowledge', 'ProjectorLock').objects.update(identity='')


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0012_factuality'),
    ]

    operations = [
        migrations.RunPython(write_again, migrations.RunPython.noop),
    ]
