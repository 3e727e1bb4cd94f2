"""The audit log, and the triggers that refuse what may not be done to it.

A later migration that makes SQLite build one of these tables anew must make its triggers again.
"""

from django.db import migrations, models
from django.db.models import Q

CONTENT = (
    "id", "at", "actor", "session", "via", "address", "agent", "request_id",
    "action", "object_type", "object_id", "site_id", "person_id", "before", "after",
)
REFUSED = "the audit log is append-only"
KEPT = "COALESCE((SELECT MAX(position) FROM accounts_auditcheckpoint), 0)"
# To empty all tables (the command flush) the numbered heads go first, and nothing is sealed any more.
SEALED = "EXISTS (SELECT 1 FROM core_head WHERE name = 'audit')"

SQLITE = {
    # Once, an entry is given its place and its hash; nothing else.
    "audit_entry_update": f"""BEFORE UPDATE ON accounts_auditentry
        WHEN OLD.position IS NOT NULL OR {" OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in CONTENT)}""",
    "audit_entry_delete": f"""BEFORE DELETE ON accounts_auditentry
        WHEN {SEALED} AND (OLD.position IS NULL OR OLD.position > {KEPT})""",
    "audit_word_update": "BEFORE UPDATE ON accounts_auditword",
    "audit_checkpoint_update": "BEFORE UPDATE ON accounts_auditcheckpoint",
    "audit_checkpoint_delete": f"BEFORE DELETE ON accounts_auditcheckpoint WHEN {SEALED} AND OLD.position = {KEPT}",
}
POSTGRES = {
    "audit_entry_update": """BEFORE UPDATE ON accounts_auditentry FOR EACH ROW
        WHEN (OLD.position IS NOT NULL OR
              to_jsonb(NEW) - 'position' - 'hash' IS DISTINCT FROM to_jsonb(OLD) - 'position' - 'hash')
        EXECUTE FUNCTION audit_refuse()""",
    "audit_entry_delete": "BEFORE DELETE ON accounts_auditentry FOR EACH ROW EXECUTE FUNCTION audit_refuse_kept()",
    "audit_word_update": "BEFORE UPDATE ON accounts_auditword FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "audit_checkpoint_update": "BEFORE UPDATE ON accounts_auditcheckpoint FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "audit_checkpoint_delete": """BEFORE DELETE ON accounts_auditcheckpoint
        FOR EACH ROW EXECUTE FUNCTION audit_refuse_newest()""",
}
FUNCTIONS = {
    "audit_refuse": f"RAISE EXCEPTION '{REFUSED}';",
    "audit_refuse_kept": f"""
        IF OLD.position IS NULL OR OLD.position > {KEPT} THEN RAISE EXCEPTION '{REFUSED}'; END IF;
        RETURN OLD;""",
    "audit_refuse_newest": f"""
        IF OLD.position = {KEPT} THEN RAISE EXCEPTION '{REFUSED}'; END IF;
        RETURN OLD;""",
}


def guard(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        if schema_editor.connection.vendor == "sqlite":
            for name, rest in SQLITE.items():
                cursor.execute(f"CREATE TRIGGER {name} {rest} BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END")
            return
        for name, body in FUNCTIONS.items():
            cursor.execute(
                f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"
            )
        for name, rest in POSTGRES.items():
            cursor.execute(f"CREATE TRIGGER {name} {rest}")


def unguard(apps, schema_editor):
    """The triggers go with their tables; PostgreSQL's functions stay behind them."""
    if schema_editor.connection.vendor == "postgresql":
        with schema_editor.connection.cursor() as cursor:
            for name in FUNCTIONS:
                cursor.execute(f"DROP FUNCTION IF EXISTS {name}() CASCADE")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_guard"), ("core", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.BigIntegerField(null=True, unique=True)),
                ("hash", models.CharField(blank=True, default="", max_length=64)),
                ("at", models.BigIntegerField()),
                ("actor", models.CharField(max_length=64)),
                ("session", models.CharField(blank=True, default="", max_length=64)),
                ("via", models.CharField(blank=True, default="", max_length=64)),
                ("address", models.CharField(blank=True, default="", max_length=64)),
                ("agent", models.CharField(blank=True, default="", max_length=200)),
                ("request_id", models.CharField(blank=True, default="", max_length=64)),
                ("action", models.CharField(max_length=64)),
                ("object_type", models.CharField(blank=True, default="", max_length=64)),
                ("object_id", models.CharField(blank=True, default="", max_length=64)),
                ("site_id", models.BigIntegerField(null=True)),
                ("person_id", models.BigIntegerField(null=True)),
                ("before", models.TextField(default="{}")),
                ("after", models.TextField(default="{}")),
            ],
            options={
                "verbose_name_plural": "audit entries",
                "ordering": ["-pk"],
                "indexes": [
                    models.Index(fields=["id"], name="audit_unsealed", condition=Q(position=None)),
                    models.Index(fields=["at"], name="audit_at"),
                    models.Index(fields=["actor", "id"], name="audit_actor"),
                    models.Index(fields=["object_type", "object_id", "id"], name="audit_object"),
                    models.Index(fields=["site_id", "id"], name="audit_site"),
                    models.Index(fields=["request_id"], name="audit_request", condition=~Q(request_id="")),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditWord",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("entry_id", models.BigIntegerField(db_index=True)),
                ("person_id", models.BigIntegerField(db_index=True)),
                ("salt", models.CharField(max_length=32)),
                ("value", models.TextField()),
            ],
        ),
        migrations.CreateModel(
            name="AuditCheckpoint",
            fields=[
                ("position", models.BigIntegerField(primary_key=True, serialize=False)),
                ("hash", models.CharField(max_length=64)),
                ("at", models.BigIntegerField()),
            ],
        ),
        migrations.RunPython(guard, unguard),
    ]
