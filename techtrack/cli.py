"""The ``techtrack`` command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

NOT_STARTED = 2


def _say(text: str) -> None:
    click.echo(text)


def _plainly(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn what people can mend into one sentence and exit code 2; a traceback is for our own mistakes."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        from techtrack.config.env import BadSetting  # noqa: PLC0415 - settings load late

        try:
            _tell_settings(kwargs)
            _set_up()
            _sign(command.__name__)
            from django.db import OperationalError, ProgrammingError  # noqa: PLC0415 - needs Django set up

            from techtrack.config.server import CannotStart  # noqa: PLC0415 - needs Django set up

            try:
                code = command(*args, **kwargs)
            except CannotStart as error:
                code = _refuse(error)
            except (OperationalError, ProgrammingError) as error:
                # Away, full, or never brought up to date: `up` and `python manage.py migrate` do that.
                code = _refuse(f"The database cannot be used: {str(error).splitlines()[0]}.")
        except BadSetting as error:
            code = _refuse(error)
        sys.exit(code or 0)

    return wrapped


def _tell_settings(options: dict[str, Any]) -> None:
    """Let what was said on the command line count as if the environment had said it: links are made from it."""
    for name, variable in (("host", "HOST"), ("port", "PORT"), ("processes", "TECHTRACK_PROCESSES")):
        if options.get(name):
            os.environ[variable] = str(options[name])
    if options.get("certfile"):
        host, port = os.environ.get("HOST", "127.0.0.1"), os.environ.get("PORT", "8000")
        os.environ.setdefault("TECHTRACK_PUBLIC_URL", f"https://{host}:{port}")


def _refuse(error: Exception | str) -> int:
    click.echo(f"techtrack: {error}", err=True)
    return NOT_STARTED


def _set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techtrack.config.settings")
    import django  # noqa: PLC0415 - slow, and not needed for --help

    django.setup()


def _sign(name: str) -> None:
    """Let what a command writes be known as written by it, and by whom of the system's users it was given."""
    from techtrack.core.acting import Actor, act_as  # noqa: PLC0415 - as settings

    act_as(Actor(via=f"command: {name.strip('_').replace('_', ' ')}", agent=f"uid {os.getuid()}"))


@click.group()
@click.version_option(package_name="techtrack")
def main() -> None:
    """TechTrack monitors and manages technical equipment and air-quality sensors."""


@main.command()
@click.option("--host", envvar="HOST", help="Address to listen on (HOST, 127.0.0.1).")
@click.option("--port", envvar="PORT", type=click.IntRange(1, 65535), help="Port to listen on (PORT, 8000).")
@click.option("--certfile", help="Serve HTTPS with this certificate …")
@click.option("--keyfile", help="… and this key.")
@click.option(
    "--processes",
    envvar="TECHTRACK_PROCESSES",
    type=click.IntRange(1, 64),
    help="Serve in so many processes (TECHTRACK_PROCESSES, 1).",
)
@click.option("--reload", is_flag=True, help="Start again when the code changes (development; one process).")
@_plainly
def up(certfile: str | None, keyfile: str | None, reload: bool, **_: Any) -> None:  # noqa: FBT001 - click passes flags
    """Start the platform."""
    from django.conf import settings  # noqa: PLC0415

    from techtrack.config.server import serve  # noqa: PLC0415

    serve(host=settings.HOST, port=settings.PORT, certfile=certfile, keyfile=keyfile, reload=reload, say=_say)


@main.command()
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="Tell Prometheus at this port what it counts.")
@_plainly
def worker(metrics_port: int | None) -> None:
    """Run the judge, the compactor and the sender of messages, without serving: for set-ups of several processes."""
    from techtrack.config.server import work  # noqa: PLC0415

    work(metrics_port=metrics_port, say=_say)


@main.command()
@click.option("--host", envvar="HOST", default="127.0.0.1", show_default=True)
@click.option("--port", envvar="PORT", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--pull-the-plug", is_flag=True, help="Kill the server in mid-ingest and count what is there.")
@click.option("--times", type=click.IntRange(1, 100), default=3, show_default=True, help="How often to pull it.")
def demo(host: str, port: int, pull_the_plug: bool, times: int) -> None:  # noqa: FBT001 - click passes flags
    """Start the demo plant: real measured data, replayed through the real doors."""
    os.environ["TECHTRACK_DEMO"] = "1"
    _plainly(_demo)(host, port, pull_the_plug, times)


def _demo(host: str, port: int, pull_the_plug: bool, times: int) -> int:  # noqa: FBT001 - as above
    from techtrack.demo import pull_the_plug as plug  # noqa: PLC0415
    from techtrack.demo import runner  # noqa: PLC0415

    return plug.pull_the_plug(times=times) if pull_the_plug else runner.run_demo(host=host, port=port)


@main.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--asset", help="Id or key of the asset, where no column names it.")
@click.option("--columns", help="Which columns become which parameters: 'PM2.5=pm2_5,TEMP=temperature'.")
@click.option("--time", help="The column (or 'year,month,day,hour') that holds the time.")
@click.option("--timezone", default="UTC", show_default=True, help="Time zone of times without offset.")
@click.option(
    "--time-format", default="auto", show_default=True, help="epoch_s, epoch_ms, or a pattern: '%d.%m.%Y %H:%M'."
)
@click.option("--asset-column", help="The column that names the asset of each row, by id or key.")
@click.option("--delimiter", help="What stands between two cells, where looking does not tell.")
@click.option("--decimal-comma", is_flag=True, help="Numbers are written 1,5.")
@click.option("--dry-run", is_flag=True, help="Check everything, store nothing.")
@click.option("--skip-bad-rows", is_flag=True, help="Load the good rows although others are bad.")
@click.option("--again", is_flag=True, help="Load the file once more from its start, although it was loaded.")
@click.option("--as-user", help="The user in whose name it is loaded.")
@_plainly
def import_(path: Path, **options: Any) -> int:
    """Load a CSV file of readings (plain or .gz)."""
    from techtrack.integrations.console import run_import  # noqa: PLC0415

    return run_import(path, **options)


@main.command()
@click.option("--assets", type=int, default=10, show_default=True, help="How many machines.")
@click.option("--parameters", type=int, default=5, show_default=True, help="How many values a reading has.")
@click.option("--every", type=float, help="Seconds between two readings of a machine (1, or what --rate asks for).")
@click.option("--rate", type=float, help="Readings a second, of all machines together.")
@click.option("--duration", type=float, default=60, show_default=True, help="Seconds of the machines' time.")
@click.option("--past", is_flag=True, help="The stretch before now, as fast as the door takes it.")
@click.option("--batch", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="Readings a request.")
@click.option("--url", help="Another platform than this folder's, such as http://127.0.0.1:8000.")
@click.option("--key", envvar="TECHTRACK_KEY", help="A key for it (TECHTRACK_KEY); one that may write makes machines.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same values and faults.")
@click.option("--late", type=click.FloatRange(0, 1), default=0, help="Share that comes up to 30 ticks late.")
@click.option("--duplicate", type=click.FloatRange(0, 1), default=0, help="Share that is sent twice.")
@click.option("--bad", type=click.FloatRange(0, 1), default=0, help="Share that no door takes.")
@click.option("--spike", type=click.FloatRange(0, 1), default=0, help="Share with one value ten times too high.")
@click.option("--outage", multiple=True, help="MACHINE:SECONDS[@START]: nothing is measured.")
@click.option("--stuck", multiple=True, help="MACHINE:SECONDS[@START]: the same values again and again.")
@_plainly
def simulate(**options: Any) -> int:
    """Send readings of simulated machines, with faults to order."""
    from techtrack.demo.generators.console import simulate as run  # noqa: PLC0415

    return run(**options)


@main.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--asset", help="Whose readings they become (a file), or whose stored readings are sent again.")
@click.option("--from", "since", help="Stored readings from this time on (a day before --to).")
@click.option("--to", "until", help="Stored readings up to this time (now).")
@click.option("--into", help="Another asset that gets the stored readings of --asset.")
@click.option("--speed", type=click.FloatRange(min=0.001), default=1, show_default=True, help="Times as fast as life.")
@click.option("--asset-column", help="The column that names the asset of each row, by id or key.")
@click.option("--time", help="The column (or 'year,month,day,hour') that holds the time.")
@click.option("--timezone", default="UTC", show_default=True, help="Time zone of times without offset.")
@click.option("--batch", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="Readings a request.")
@click.option("--url", help="Another platform than this folder's; then also:")
@click.option("--key", envvar="TECHTRACK_KEY", help="A key for it (TECHTRACK_KEY).")
@_plainly
def replay(**options: Any) -> int:
    """Send a CSV file, or readings that are stored, once more as if they were measured now."""
    from techtrack.demo.generators.console import replay as run  # noqa: PLC0415

    return run(**options)


@main.command()
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--assets", help="Ids or keys, with commas between; all if left out.")
@click.option("--parameters", help="Codes, with commas between; all if left out.")
@click.option("--from", "since", help="Readings from this time on, such as 2026-11-21 or 2026-11-21T10:00:00+01:00.")
@click.option("--to", "until", help="Readings before this time.")
@click.option("--format", "form", type=click.Choice(["csv", "xlsx", "parquet"]), help="If the ending does not say it.")
@_plainly
def export(output: Path, **options: Any) -> int:
    """Write readings to a file: CSV, XLSX or Parquet."""
    from techtrack.telemetry.console import run_export  # noqa: PLC0415

    return run_export(output, **options)


@main.command()
@_plainly
def doctor() -> int:
    """Check the set-up and say what to mend."""
    from techtrack.config.doctor import examine  # noqa: PLC0415

    return examine(say=_say)


@main.group()
def keys() -> None:
    """The keys that access tokens are signed with."""


@keys.command("rotate")
@_plainly
def keys_rotate() -> int:
    """Make a new signing key; tokens of the present one stay good. Restart the servers then."""
    from techtrack.config.rotation import rotate_jwt_key  # noqa: PLC0415

    return rotate_jwt_key(say=_say)


@main.group()
def rules() -> None:
    """Keep rules as files, test them, and try them on the past."""


@rules.command("export")
@click.option("--output", type=click.Path(path_type=Path), help="A file, or a folder that is there: one file a rule.")
@click.option("--site", help="Only the rules of this site, by its name.")
@_plainly
def rules_export(output: Path | None, *, site: str | None) -> int:
    """Write rules as YAML."""
    from techtrack.alerts.console.files import run_export  # noqa: PLC0415

    return run_export(output, site=site)


@rules.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would change, write nothing.")
@click.option("--prune", is_flag=True, help="Delete the rules that are not in the file (of its site, if it names one).")
@click.option("--as-user", help="The user in whose name they are written.")
@_plainly
def rules_import(path: Path, **options: Any) -> int:
    """Create and update rules as a YAML file, or a folder of them, says: all or nothing."""
    from techtrack.alerts.console.files import run_import  # noqa: PLC0415

    return run_import(path, **options)


@rules.command("test")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write the outcome as JUnit's XML, too.")
def rules_test(paths: tuple[Path, ...], *, junit: Path | None) -> None:
    """Hold rules against made-up series and the alerts expected of them; no database is needed."""
    from techtrack.alerts.console.trying import run_tests  # noqa: PLC0415

    sys.exit(run_tests(paths, junit=junit))


@rules.command("preview")
@click.option("--rule", required=True, help="The id of a rule, or a YAML file that tells one as the API does.")
@click.option("--asset", multiple=True, help="Id or key; may be repeated. Left out: the assets that the rule watches.")
@click.option("--from", "since", required=True, help="Readings from this time on, such as 2026-11-01.")
@click.option("--to", "until", help="Readings before this time (now).")
@click.option("--sweep", multiple=True, help="Settings to try: deadband=0,1,2 or on_delay=PT0S,PT5M; may be repeated.")
@click.option("--incidents", type=click.Path(path_type=Path), help="A YAML list of {name, from, to, asset}.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
@_plainly
def rules_preview(**options: Any) -> int:
    """Tell what a rule would have done with the readings that are stored."""
    from techtrack.alerts.console.lab import preview_rule  # noqa: PLC0415

    return preview_rule(**options)


@main.group()
def air() -> None:
    """Look at the air that sensors measure."""


@air.command("check")
@_plainly
def air_check() -> int:
    """Test readings that came while nothing ran, and mark what is doubtful."""
    from techtrack.environment.console import check_air  # noqa: PLC0415

    return check_air()


@air.command("report")
@click.option("--site", required=True, help="Its name, or its id.")
@click.option("--period", required=True, help="A year such as 2026, or a month such as 2026-11.")
@click.option("--limits", default="eu_2024", show_default=True, help="What it is held against.")
@click.option("--standard", default="us_epa", show_default=True, help="The index.")
@click.option("--xlsx", type=click.Path(path_type=Path, dir_okay=False), help="Write the tables as a workbook, too.")
@_plainly
def air_report(**options: Any) -> int:
    """Tell what a month or a year was like at a site: data capture, exceedances, index."""
    from techtrack.reports.console import air_report as report  # noqa: PLC0415

    return report(**options)


@main.group()
def store() -> None:
    """Look after what is stored of readings."""


@store.command("check")
@click.option("--asset", multiple=True, help="Only this asset, by id or key; may be repeated.")
@_plainly
def store_check(**options: Any) -> int:
    """Hold every hour of readings, and all that is derived of them, against each other."""
    from techtrack.telemetry.storekeeper import check  # noqa: PLC0415

    return check(**options)


@store.command("stats")
@_plainly
def store_stats() -> int:
    """Tell how much is stored, and how far folding has come."""
    from techtrack.telemetry.storekeeper import stats  # noqa: PLC0415

    return stats()


@store.command("rebuild")
@click.option("--asset", multiple=True, help="Only this asset, by id or key; may be repeated.")
@_plainly
def store_rebuild(**options: Any) -> int:
    """Compute anew what is derived of the readings: rollups, latest values, days."""
    from techtrack.telemetry.storekeeper import rebuild  # noqa: PLC0415

    return rebuild(**options)


@main.group()
def audit() -> None:
    """Prove that the audit log is as it was written."""


@audit.command("verify")
@_plainly
def audit_verify() -> int:
    """Hold every entry of the audit log against its hash; exit code 1 where something was changed, added or lost."""
    from techtrack.accounts.console import verify_audit_log  # noqa: PLC0415

    return verify_audit_log(say=_say)


@audit.command("accept")
@click.option("--reason", required=True, help="Why it ends otherwise than was noted; it is recorded.")
@_plainly
def audit_accept(reason: str) -> int:
    """Take the log as it ends now for the right one: after a backup was restored, or the database was moved."""
    from techtrack.accounts.console import accept_audit_log  # noqa: PLC0415

    return accept_audit_log(reason=reason, say=_say)


if __name__ == "__main__":
    main()
