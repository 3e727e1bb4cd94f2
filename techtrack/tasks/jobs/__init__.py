"""What goes on beside requests: plans bring tasks, meters count, telemetry proves repairs, what is old is forgotten."""

from techtrack.tasks.jobs.keeping import forget_deleted
from techtrack.tasks.jobs.reminding import remind_due
from techtrack.tasks.jobs.tidying import collect_files, stop_clocks
from techtrack.tasks.jobs.upkeep import count_use, plan_work, prove_repairs, reconcile_plans

__all__ = [
    "collect_files",
    "count_use",
    "forget_deleted",
    "plan_work",
    "prove_repairs",
    "reconcile_plans",
    "remind_due",
    "stop_clocks",
]
