"""The demo's story in words and figures: who is there, when the first alarm comes, what is worth a look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from techtrack.accounts.domain.access import Role

SHIFT = "shift@techtrack.example"
# Who is told as well of what the shift has not taken after so long (of a visitor's own time).
SECOND = "erik"
PATIENCE = timedelta(minutes=2)
NEVER = 9999


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works in the demo plant."""

    username: str
    first_name: str
    role: Role
    what: str


PEOPLE = (
    Person("olga", "Olga", Role.OPERATOR, "operator: sees every site, acknowledges alerts, does tasks"),
    Person("tom", "Tom", Role.OPERATOR, "technician: does the tasks that alerts open"),
    Person("erik", "Erik", Role.ENGINEER, "engineer: also changes assets, rules and channels"),
    Person("vera", "Vera", Role.VIEWER, "viewer: sees everything, changes nothing"),
    Person("adam", "Adam", Role.ADMIN, "administrator: also people, keys and /admin/"),
)


@dataclass(frozen=True, slots=True)
class Sight:
    """Something to look at, and why."""

    asset: str
    text: str


# Where each recording stands when the plant's clock starts (recorded time, UTC where the recorder's zone is unknown).
BEARINGS_AT = datetime(2004, 2, 18, 18, 37, 39, tzinfo=UTC)
FLEET_AT = datetime(2015, 3, 18, 12, 0, tzinfo=UTC)
LARGE_MACHINE_AT = datetime(2014, 2, 7, 2, 30, tzinfo=UTC)
INSPECTION_AT = datetime(2014, 4, 1, 0, 0, tzinfo=UTC)
OFFICE_AT = datetime(2015, 2, 9, 5, 0, tzinfo=UTC)
# 22:57 on the unit's own clock, UTC-05:00.
LOW_COST_AT = datetime(2019, 8, 16, 3, 57, tzinfo=UTC)
# On the day and at the time of the year of the demo's start.
CITY_AT = datetime(2016, 1, 1, tzinfo=UTC)

# At 21:52:39 bearing 1 passes its limit; the rule's delay of 15 min ends at 22:07:39.
FIRST_ALARM = datetime(2004, 2, 18, 22, 7, 39, tzinfo=UTC) - BEARINGS_AT

SIGHTS = (
    Sight(
        "bearing-1",
        "The main story: its outer race fails. Vibration climbs for days, passes 2.5 times the healthy "
        "level, the alarm comes, then the rig is stopped and the alarm returns.",
    ),
    Sight("large-machine", "A catastrophic failure: the machine loses its temperature and stands still for two days."),
    Sight(
        "machine-09",
        "One of ten machines; its pressure passes the limit for an hour. Errors, failures and replaced "
        "components are in its history.",
    ),
    Sight(
        "machine-01",
        "Maintained by the hours that it ran: its inspection is due after 1,840 of them, and its task opens "
        "as they are full.",
    ),
    Sight("inspection-1", "Quality control: a value every five seconds, and an anomaly on its way."),
    Sight("office-co2", "People come in, nobody opens a window: CO2 passes 1,000 ppm in the morning."),
    Sight("toco-toucan", "A low-cost unit; a short cloud of fine dust passes it."),
    Sight(
        "city-air",
        "Beijing's air as it was in 2016 on this day of the year. The console names the addresses of its index now, of "
        "its year so far against the EU's limits for 2030, and of a report to print.",
    ),
    Sight("burdens-creek", "The reference that Toco Toucan stands beside, which shows how far its dust is off."),
    Sight("aotizhongxin", "Four years of hourly air quality in Beijing, at their true dates: look at 2013 to 2017."),
    Sight("try-me", "Yours: the curl line at the console raises its alert."),
)

# The bearings' recording begins so long before.
BEARING_DAYS = BEARINGS_AT - datetime(2004, 2, 12, 10, 32, 39, tzinfo=UTC)
# And so has the fleet's.
FLEET_DAYS = FLEET_AT - datetime(2015, 1, 1, 6, 0, tzinfo=UTC)
HISTORY_OF_INSPECTION = timedelta(hours=12)
