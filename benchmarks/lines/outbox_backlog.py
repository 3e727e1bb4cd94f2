"""Reports so many alerts to the platform of its environment: ``python -m benchmarks.lines.outbox_backlog N``."""

from __future__ import annotations

import sys

AT_ONCE = 50


def main() -> None:
    """Report them on the machines in turn, many in a commit: nobody waits for them here."""
    import django

    django.setup()
    from django.db import transaction

    from techtrack.accounts.domain.access import internal
    from techtrack.alerts import services
    from techtrack.assets.models import Asset
    from techtrack.core import clock

    wanted = int(sys.argv[1])
    assets = list(Asset.objects.select_related("site").order_by("pk"))
    for start in range(0, wanted, AT_ONCE):
        with transaction.atomic():
            for place in range(start, min(start + AT_ONCE, wanted)):
                data = {"asset": assets[place % len(assets)], "severity": "high", "title": f"Report {place}"}
                services.create_alert(by=internal("benchmarks"), now=clock.now(), data=data)


if __name__ == "__main__":
    main()
