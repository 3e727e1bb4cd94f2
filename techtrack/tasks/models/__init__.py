"""Tables of work for people."""

from techtrack.tasks.models.attachments import Attachment, StoredFile
from techtrack.tasks.models.blocking import Block
from techtrack.tasks.models.categories import Category, CategoryQuerySet
from techtrack.tasks.models.comments import Comment, Mention
from techtrack.tasks.models.counting import AssetMeter, MeterQuerySet, Run, RunLog
from techtrack.tasks.models.downtimes import Downtime, DowntimeQuerySet
from techtrack.tasks.models.feeds import CalendarFeed
from techtrack.tasks.models.filters import SavedFilter
from techtrack.tasks.models.history import Departure, TaskEdit, TaskNumber
from techtrack.tasks.models.links import TaskLink
from techtrack.tasks.models.people import MOST_PEOPLE, Level, TaskOwner, TaskShare
from techtrack.tasks.models.plans import (
    Course,
    CourseQuerySet,
    Plan,
    PlannedTask,
    PlanOwner,
    PlanQuerySet,
    PlanRule,
    asking,
    planned_of,
)
from techtrack.tasks.models.proofs import UNDER_WAY, Phase, Proof, phase_of
from techtrack.tasks.models.reminders import TaskReminder
from techtrack.tasks.models.steps import MeterAnswer
from techtrack.tasks.models.tasks import Priority, State, Task, TaskQuerySet
from techtrack.tasks.models.time import TimeEntry

__all__ = [
    "MOST_PEOPLE",
    "UNDER_WAY",
    "AssetMeter",
    "Attachment",
    "Block",
    "CalendarFeed",
    "Category",
    "CategoryQuerySet",
    "Comment",
    "Course",
    "CourseQuerySet",
    "Departure",
    "Downtime",
    "DowntimeQuerySet",
    "Level",
    "Mention",
    "MeterAnswer",
    "MeterQuerySet",
    "Phase",
    "Plan",
    "PlanOwner",
    "PlanQuerySet",
    "PlanRule",
    "PlannedTask",
    "Priority",
    "Proof",
    "Run",
    "RunLog",
    "SavedFilter",
    "State",
    "StoredFile",
    "Task",
    "TaskEdit",
    "TaskLink",
    "TaskNumber",
    "TaskOwner",
    "TaskQuerySet",
    "TaskReminder",
    "TaskShare",
    "TimeEntry",
    "asking",
    "phase_of",
    "planned_of",
]
