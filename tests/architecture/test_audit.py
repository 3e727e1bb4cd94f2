"""That the audit log hears of every write of what people configure, and that no secret gets into it."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.db.models.signals import pre_delete

from techtrack.core.auditing import STAMPS, Audited
from techtrack.core.models import Versioned
from tests.architecture import auditing, house
from tests.architecture.house import Source

MODELS = [model for model in apps.get_models() if issubclass(model, Versioned)]
NAMES = {model.__name__ for model in MODELS}
# Writes past what tells of itself, each with the reason why the log need not hear of it.
SILENT_WRITES = {
    # The platform notes that something was used, sent or failed: columns that are declared silent.
    "techtrack/accounts/services/keys.py note_key ApiKey.update",
    "techtrack/accounts/services/sessions.py open_session User.update",
    "techtrack/notifications/services/sending.py _revive Channel.update",
    "techtrack/notifications/services/sending.py _note_sent Channel.update",
    "techtrack/notifications/services/trying.py _note Channel.update",
    # The same settings, encrypted with another key.
    "techtrack/notifications/services/channels.py reseal_channels Channel.update",
    # What happens to alerts is told by AlertEvent, in numbers.
    "techtrack/alerts/hiding/covering.py _write Alert.update",
    "techtrack/alerts/recording.py _update Alert.update",
    "techtrack/alerts/services/actions.py _do Alert.update",
    "techtrack/alerts/services/timers.py _write Alert.update",
    # The number of a revision, beside the change that makes it.
    "techtrack/alerts/services/rules.py _revise Rule.update",
    # Codes that readings bring by themselves, or that a type lists, which is told.
    "techtrack/assets/services.py _register Parameter.bulk_create",
    "techtrack/tasks/services/feeds.py open_feed CalendarFeed.update",
    "techtrack/tasks/services/labour.py count_time Task.update",
    # A number for those who keep a copy, and places on the board that nobody has chosen.
    "techtrack/tasks/services/board.py _make_room Task.update",
    # What stays behind when something goes that it named: the going is told.
    "techtrack/notifications/services/channels.py delete_channel Route.update",
    "techtrack/tasks/services/following.py forget_asset Task.update",
    "techtrack/tasks/services/following.py forget_person Task.update",
    "techtrack/tasks/services/categories.py delete_category Task.update",
    "techtrack/reports/services/air.py forget_person AirReport.update",
}
# Updates whose rows come from elsewhere: looked at by a person, they are of deliveries, of locks, and of when something
# is looked at again.
LOOKED_AT = {
    "techtrack/accounts/services/lockout.py _begun",
    "techtrack/notifications/services/holding.py put_off_held",
    "techtrack/notifications/services/sending.py record_taken",
    "techtrack/notifications/services/sending.py record_failure",
    "techtrack/notifications/services/sending.py _revive",
    "techtrack/notifications/services/sending.py withdraw",
    "techtrack/tasks/services/waiting.py put_off",
}
# Tables that come, or go along with others, untold.
EXCEPTIONS = {"Alert": Audited(creation=False, cascades=False), "Task": Audited(cascades=False)}
EXCEPTIONS |= {name: Audited(cascades=False) for name in ("Attachment", "Block", "Comment", "TaskLink", "TimeEntry")}
SENSITIVE = re.compile(
    r"password|digest|secret|token|config|seed|key|e?mail|phone|username|first_name|last_name|salt|credential"
)
# Columns that only sound like secrets or names.
HARMLESS = {
    "Asset.key": "the tag by which a gateway knows it",
    "User.email_verified_at": "a time",
    "Preference.digest": "how often messages are gathered",
    "Preference.digest_at": "when they are",
    "Preference.digest_below": "which are",
}


def planted(line: str) -> Source:
    return Source("techtrack/assets/services.py", f"def write():\n    {line}\n")


class TestEveryWriteIsTold:
    def test_but_those_that_are_listed_with_a_reason(self):
        found = {finding for source in house.sources() for finding in auditing.unheard(source, NAMES)}
        assert found == SILENT_WRITES

    def test_and_where_the_rows_come_from_elsewhere_somebody_has_looked(self):
        everything = {model.__name__ for model in apps.get_models()}
        rooms = [source for source in house.sources() if house.WRITING_ROOMS & set(source.rooms)]
        found = {one for source in rooms for one in auditing.unfollowed(source, everything)}
        assert found - {"techtrack/core/models.py _write", "techtrack/core/models.py remove"} == LOOKED_AT

    @pytest.mark.parametrize(
        "line",
        [
            "Asset.objects.filter(pk=1).update(name='x')",
            "Asset._default_manager.update(name='x')",
            "Asset.objects.bulk_create([])",
            "rows = Asset.objects.all()\n    rows.exclude(pk=2).update(name='x')",
            "rows = Asset.objects.all()\n    (rows.exclude(pk=2) if rows else rows).update(name='x')",
        ],
    )
    def test_a_planted_silent_write_is_caught(self, line):
        assert auditing.unheard(planted(line), NAMES)

    def test_a_planted_write_of_rows_from_elsewhere_is_caught(self):
        assert auditing.unfollowed(planted("rows().update(name='x')"), NAMES)

    def test_what_tells_of_itself_passes(self):
        assert not auditing.unheard(planted("Asset.objects.create(name='x')"), NAMES)


class TestEveryTable:
    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_tells_of_its_rows_unless_it_is_an_exception(self, model):
        expected = EXCEPTIONS.get(model.__name__)
        assert model.audited.creation is (expected is None or expected.creation)
        assert pre_delete.has_listeners(model) is (expected is None or expected.cascades)

    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_declares_columns_that_it_has_each_once(self, model):
        columns = {field.name for field in model._meta.concrete_fields}
        declared = [*model.audited.hidden, *model.audited.personal, *model.audited.silent]
        assert set(declared) <= columns - STAMPS
        assert len(set(declared)) == len(declared)

    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_keeps_what_sounds_like_a_secret_or_a_name_to_itself(self, model):
        assert [name for name in telling(model) if f"{model.__name__}.{name}" not in HARMLESS] == []

    def test_a_planted_secret_is_caught(self):
        class Planted:
            _meta = apps.get_model("accounts", "User")._meta
            audited = Audited()

        assert {"password", "email", "username"} <= set(telling(Planted))


def telling(model) -> list[str]:
    """Columns that would be told although they sound like secrets or names."""
    kept = model.audited.hidden | model.audited.personal
    concrete = model._meta.concrete_model.__name__
    return [
        field.name
        for field in model._meta.concrete_fields
        if SENSITIVE.search(field.name) and field.name not in kept and f"{concrete}.{field.name}" not in HARMLESS
    ]
