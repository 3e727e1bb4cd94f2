"""Every write of readings, in one module per subject."""

from techtrack.telemetry.services.checks import Known, are_good, check_columns
from techtrack.telemetry.services.corrections import (
    AlreadyCorrected,
    Saying,
    correct,
    enter,
    forget,
    mark_quality,
    remove,
    tag,
    what_we_hold,
)
from techtrack.telemetry.services.flags import Doubt, flag
from techtrack.telemetry.services.ingest import (
    Checked,
    ForeignAsset,
    Receipt,
    check_document,
    commit,
    ingest,
    ingest_document,
    ingest_items,
    know,
)
from techtrack.telemetry.services.log import advance, begin, wait_until_consumed
from techtrack.telemetry.services.room import make_room
from techtrack.telemetry.services.runs import (
    OneAtATime,
    ask_for_run,
    described,
    finish_run,
    give_up_lost_runs,
    report_run,
    steps,
    take_run,
)

__all__ = [
    "AlreadyCorrected",
    "Checked",
    "Doubt",
    "ForeignAsset",
    "Known",
    "OneAtATime",
    "Receipt",
    "Saying",
    "advance",
    "are_good",
    "ask_for_run",
    "begin",
    "check_columns",
    "check_document",
    "commit",
    "correct",
    "described",
    "enter",
    "finish_run",
    "flag",
    "forget",
    "give_up_lost_runs",
    "ingest",
    "ingest_document",
    "ingest_items",
    "know",
    "make_room",
    "mark_quality",
    "remove",
    "report_run",
    "steps",
    "tag",
    "take_run",
    "wait_until_consumed",
    "what_we_hold",
]
