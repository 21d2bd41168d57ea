import django.db.models.deletion
from django.db import migrations, models
from knowledge.entities import name_index

AT_ONCE = 1000


def fill(apps, schema_editor):
    """Entities of earlier versions are found by their spellings too; `manage.py link` joins those that are alike."""
    entity, spelling = apps.get_model('knowledge', 'Entity'), apps.get_model('knowledge', 'EntitySpelling')
    last = 0
    while rows := list(entity.objects.filter(pk__gt=last).order_by('pk').prefetch_related('names')[:AT_ONCE]):
        spelling.objects.bulk_create(
            [
                spelling(entity=row, key=key)
                for row in rows
                for key in sorted(name_index.spellings(row.key, row.type, {one.name for one in row.names.all()}))
            ]
        )
        last = rows[-1].pk


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0010_projector_turns'),
    ]

    operations = [
        migrations.CreateModel(
            name='EntitySpelling',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(db_index=True, max_length=510)),
                ('entity', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='spellings', to='knowledge.entity')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('entity', 'key'), name='entity_spelling_once')],
            },
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
