from django.contrib.auth.management import create_permissions
from django.db import migrations

# What each group may do, as permissions of Django; an installation may change them in the admin afterwards.
SEEN = {
    "extraction": "feed post sighting postversion postimage checkpoint deployment reading",
    "knowledge": "entity entityname mention statement assertion evidence review merge projection event",
    "training": "dataset trainingrun evaluation",
}
VIEWER = [f"{app}.view_{model}" for app, models in SEEN.items() for model in models.split()]
EDITOR = [
    *VIEWER,
    "extraction.add_feed",
    "extraction.change_feed",
    "extraction.change_post",
    "extraction.change_reading",
    "knowledge.add_review",
    "knowledge.change_review",
    "knowledge.add_merge",
    "knowledge.change_merge",
    "knowledge.change_projection",
]
ADMIN_APPS = ("extraction", "knowledge", "training", "auth")


def make_groups(apps, schema_editor):
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    alias = schema_editor.connection.alias
    for label in ADMIN_APPS:
        # Django makes permissions only after all migrations have run; these are needed now.
        config = apps.get_app_config(label)
        before, config.models_module = getattr(config, "models_module", None), True
        create_permissions(config, apps=apps, verbosity=0, using=alias)
        config.models_module = before
    every = {f"{p.content_type.app_label}.{p.codename}": p for p in Permission.objects.using(alias).select_related("content_type")}
    admin = [name for name in every if name.split(".")[0] in ADMIN_APPS]
    for name, wanted in (("viewer", VIEWER), ("editor", EDITOR), ("admin", admin)):
        group, _ = Group.objects.using(alias).get_or_create(name=name)
        group.permissions.set([every[permission] for permission in wanted])


def remove_groups(apps, schema_editor):
    apps.get_model("auth", "Group").objects.filter(name__in=["viewer", "editor", "admin"]).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("knowledge", "0001_initial"),
        ("extraction", "0001_initial"),
        ("training", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make_groups, remove_groups)]
