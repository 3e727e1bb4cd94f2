"""Every write of work for people: tasks and whatever belongs to them."""

from techtrack.tasks.services.alerts import open_for_alert
from techtrack.tasks.services.attachments import Upload, attach, collect, detach
from techtrack.tasks.services.blocking import BlockedAlready, CircularBlock, block, unblock
from techtrack.tasks.services.board import OtherColumn, move_task
from techtrack.tasks.services.by_hand import TaskExists, open_by_hand
from techtrack.tasks.services.categories import CategoryExists, create_category, delete_category, update_category
from techtrack.tasks.services.comments import add_comment, delete_comment, edit_comment
from techtrack.tasks.services.counting import (
    NoCounter,
    NotReadYet,
    count_meter,
    follow_runs,
    reconcile_counting,
    replace_counter,
)
from techtrack.tasks.services.downtimes import (
    BadDowntime,
    DownAlready,
    NotDown,
    create_downtime,
    delete_downtime,
    end_downtime,
    update_downtime,
)
from techtrack.tasks.services.effects import TaskBlocked
from techtrack.tasks.services.feeds import FeedGone, create_feed, delete_feed, open_feed, update_feed
from techtrack.tasks.services.filters import (
    FilterExists,
    TooManyFilters,
    create_filter,
    delete_filter,
    update_filter,
)
from techtrack.tasks.services.following import follow_asset, forget_asset, forget_person
from techtrack.tasks.services.labour import (
    ClockRunning,
    NoClock,
    add_time,
    change_time,
    delete_time,
    start_clock,
    stop_clock,
    stop_forgotten,
)
from techtrack.tasks.services.links import BadExpiry, TooManyLinks, create_link, require_showing, revoke_link
from techtrack.tasks.services.numbering import number_changes
from techtrack.tasks.services.people import NamedTwice, NotYourCategory, UnknownPerson
from techtrack.tasks.services.planner import look as look_at_course
from techtrack.tasks.services.plans import (
    NotOfThisPlan,
    TaskWaits,
    create_plan,
    delete_plan,
    follow_pack,
    open_ahead,
    update_plan,
)
from techtrack.tasks.services.plans import spread as spread_plans
from techtrack.tasks.services.proofs import NothingToProve, set_proof
from techtrack.tasks.services.proving import follow_proof
from techtrack.tasks.services.reminders import arm_reminders, fire_reminder
from techtrack.tasks.services.steps import answer_steps
from techtrack.tasks.services.tasks import (
    AnotherTaskIsOpen,
    DueBeforeItsStart,
    create_task,
    merge_task,
    update_task,
)
from techtrack.tasks.services.trash import KEPT, NotDeleted, delete_task, forget_deleted, restore_task
from techtrack.tasks.services.waiting import put_off

__all__ = [
    "KEPT",
    "AnotherTaskIsOpen",
    "BadDowntime",
    "BadExpiry",
    "BlockedAlready",
    "CategoryExists",
    "CircularBlock",
    "ClockRunning",
    "DownAlready",
    "DueBeforeItsStart",
    "FeedGone",
    "FilterExists",
    "NamedTwice",
    "NoClock",
    "NoCounter",
    "NotDeleted",
    "NotDown",
    "NotOfThisPlan",
    "NotReadYet",
    "NotYourCategory",
    "NothingToProve",
    "OtherColumn",
    "TaskBlocked",
    "TaskExists",
    "TaskWaits",
    "TooManyFilters",
    "TooManyLinks",
    "UnknownPerson",
    "Upload",
    "add_comment",
    "add_time",
    "answer_steps",
    "arm_reminders",
    "attach",
    "block",
    "change_time",
    "collect",
    "count_meter",
    "create_category",
    "create_downtime",
    "create_feed",
    "create_filter",
    "create_link",
    "create_plan",
    "create_task",
    "delete_category",
    "delete_comment",
    "delete_downtime",
    "delete_feed",
    "delete_filter",
    "delete_plan",
    "delete_task",
    "delete_time",
    "detach",
    "edit_comment",
    "end_downtime",
    "fire_reminder",
    "follow_asset",
    "follow_pack",
    "follow_proof",
    "follow_runs",
    "forget_asset",
    "forget_deleted",
    "forget_person",
    "look_at_course",
    "merge_task",
    "move_task",
    "number_changes",
    "open_ahead",
    "open_by_hand",
    "open_feed",
    "open_for_alert",
    "put_off",
    "reconcile_counting",
    "replace_counter",
    "require_showing",
    "restore_task",
    "revoke_link",
    "set_proof",
    "spread_plans",
    "start_clock",
    "stop_clock",
    "stop_forgotten",
    "unblock",
    "update_category",
    "update_downtime",
    "update_feed",
    "update_filter",
    "update_plan",
    "update_task",
]
