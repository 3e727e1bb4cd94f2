"""The world in which the contract is tried: one running platform, two sites and the people of each."""

from __future__ import annotations

import pytest

from tests.contract.callers import MARK, Caller, World, logged_in, new_person
from tests.plugins.platform import Platform


@pytest.fixture(scope="session")
def world(platform: Platform) -> World:
    adam = logged_in(platform.url, platform.username, platform.password)
    plant = adam.made("/api/sites/", {"name": f"Plant {MARK}"})["id"]
    elsewhere = adam.made("/api/sites/", {"name": f"Elsewhere {MARK}"})["id"]
    cast = {"vera": "viewer", "olga": "operator", "erik": "engineer"}
    people = {name: new_person(adam, name, [{"site": plant, "role": role}]) for name, role in cast.items()}
    people["oscar"] = new_person(adam, "oscar", [{"site": elsewhere, "role": "operator"}])
    people["mallory"] = new_person(adam, "mallory", [])
    robot = {"name": f"Robot {MARK}", "key": f"robot-{MARK}", "site": plant, "type": f"robot-{MARK}", "tags": [MARK]}
    names = {
        "mark": MARK,
        "plant": plant,
        "elsewhere": elsewhere,
        "robot": adam.made("/api/equipment/", robot)["id"],
        "station": adam.made("/api/sensors/", {"name": f"Station {MARK}", "site": plant})["id"],
        "foreign": adam.made("/api/equipment/", {"name": f"Foreign {MARK}", "site": elsewhere})["id"],
    }
    return World(anybody=Caller(platform.url), adam=adam, names=names, **people)
