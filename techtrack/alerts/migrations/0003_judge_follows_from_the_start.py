from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def follow(apps: Apps, _: BaseDatabaseSchemaEditor) -> None:
    """Let the judge follow the log from here on.

    It did so with its first look: what was acknowledged before that, on a busy machine, nobody judged.
    """
    consumers, heads = apps.get_model("telemetry", "LogConsumer"), apps.get_model("core", "Head")
    head = heads.objects.filter(name="log:0").first()
    for name in ("judge", "judge:memory"):
        if not consumers.objects.filter(name=name, lane=0).exists():
            consumers.objects.create(name=name, lane=0, position=head.last if head else 0)


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0002_alarm_engine"),
        ("core", "0001_initial"),
        ("telemetry", "0004_forgotten"),
    ]

    operations = [migrations.RunPython(follow, migrations.RunPython.noop)]
