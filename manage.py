#!/usr/bin/env python
"""Django's command line for TechTrack."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techtrack.config.settings")
    from django.core.management import execute_from_command_line

    from techtrack.core.acting import Actor, act_as

    act_as(Actor(via=f"command: manage.py {' '.join(sys.argv[1:2])}", agent=f"uid {os.getuid()}"))
    execute_from_command_line(sys.argv)
