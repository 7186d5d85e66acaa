"""`switchyard audit`: the log of who decided what, verified and written out."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import click


@click.group()
def audit() -> None:
    """The log of what was asked, decided, refused, started, switched and taken out."""


@audit.command()
@click.option("--anchor", "given", multiple=True, metavar="SEQ:HASH", help="A row that was noted down elsewhere.")
@click.option("--slack", is_flag=True, help="Compare with the anchors in the channel of the configuration.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def verify(config: Path | None, given: tuple[str, ...], slack: bool, as_json: bool) -> None:
    """Look for rows that were changed, moved, put in or taken out. Works beside a running bot; exits with 1 for any."""
    from bot import audit_log, settings

    loaded = settings.load(os.environ, config)
    anchors = [audit_log.parse_anchor(one) for one in given]
    anchors += asyncio.run(audit_log.posted_anchors(loaded)) if slack else []
    report, waiting = audit_log.verify(loaded, anchors), audit_log.count_waiting(loaded)
    for line in [audit_log.as_json(report, waiting)] if as_json else audit_log.say(report, waiting):
        click.echo(line)
    raise SystemExit(0 if report.is_sound else 1)


@audit.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="From this moment on, UTC.")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option("--force", is_flag=True, help="Replace FILE where it exists.")
@click.pass_obj
def export(config: Path | None, file: Path, since: datetime | None, form: str, force: bool) -> None:
    """Write the log into FILE, `-` for the standard output. Works beside a running bot, and is itself recorded."""
    from bot import audit_log, settings

    loaded = settings.load(os.environ, config)
    target = None if str(file) == "-" else file
    moment = since.replace(tzinfo=UTC) if since else None
    audit_log.export(loaded, target, since=moment, as_csv=form == "csv", may_replace=force)
