from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.utils import timezone


def ask_for_a_rebuild(apps: Apps, _: BaseDatabaseSchemaEditor) -> None:
    """Let the compactor compute anew what was rolled up before directions had parts.

    Until then such hours have no mean direction; where there is no wind, nothing is to be done.
    """
    latest, runs = apps.get_model("telemetry", "Latest"), apps.get_model("telemetry", "StoreRun")
    if not latest.objects.filter(codes__contains="wind_direction").exists():
        return
    if not runs.objects.filter(kind="rebuild", state="waiting").exists():
        # One that is at work was interrupted by the update, and its unique place is given up.
        runs.objects.filter(kind="rebuild", state="running").update(state="interrupted")
        runs.objects.create(kind="rebuild", created_at=timezone.now())


class Migration(migrations.Migration):
    dependencies = [("telemetry", "0005_flags")]

    operations = [migrations.RunPython(ask_for_a_rebuild, migrations.RunPython.noop)]
