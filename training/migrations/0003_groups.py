from django.contrib.auth.management import create_permissions
from django.db import migrations


def grant(apps, schema_editor):
    """Admins may do everything in training, with the tables that came later too; viewers and editors see nothing of it."""
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    alias = schema_editor.connection.alias
    config = apps.get_app_config("training")
    before, config.models_module = getattr(config, "models_module", None), True
    create_permissions(config, apps=apps, verbosity=0, using=alias)
    config.models_module = before
    permissions = Permission.objects.using(alias).filter(content_type__app_label="training")
    for group in Group.objects.using(alias).filter(name="admin"):
        group.permissions.add(*permissions)


class Migration(migrations.Migration):
    dependencies = [
        ("training", "0002_work"),
        ("knowledge", "0002_groups"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
