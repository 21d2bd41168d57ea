from django.contrib.auth.management import create_permissions
from django.db import migrations

SEEN = ("view_notice", "view_heartbeat", "view_signinfailure")


def let_admins_see(apps, schema_editor):
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    alias = schema_editor.connection.alias
    config = apps.get_app_config("kgbuilder")
    before, config.models_module = getattr(config, "models_module", None), True
    create_permissions(config, apps=apps, verbosity=0, using=alias)
    config.models_module = before
    wanted = Permission.objects.using(alias).filter(content_type__app_label="kgbuilder", codename__in=SEEN)
    for group in Group.objects.using(alias).filter(name="admin"):
        group.permissions.add(*wanted)


class Migration(migrations.Migration):
    dependencies = [("kgbuilder", "0003_seeing_inside"), ("knowledge", "0002_groups")]

    operations = [migrations.RunPython(let_admins_see, migrations.RunPython.noop)]
