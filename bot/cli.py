"""The command line. Heavy parts are imported where they are used, so that reading the history starts at once."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from bot.audit import audit
from bot.errors import ConfigurationError, SwitchyardError

_OURS = ("SLACK_", "SWITCHYARD_")
_SANDBOX_STARTS_WITHIN = 30.0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="switchyard")
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="The configuration file.")
@click.pass_context
def cli(context: click.Context, config: Path | None) -> None:
    """Run your team's model trainings from Slack."""
    context.obj = config


@cli.command()
@click.pass_obj
def run(config: Path | None) -> None:
    """Run the bot, over Socket Mode where SLACK_APP_TOKEN is set, else over signed HTTP."""
    _run_bot(dict(os.environ), config)


@cli.command()
@click.option("--port", default=8765, show_default=True, help="Port of the page; 0 takes a free one.")
@click.option("--mode", type=click.Choice(["socket", "http"]), default="socket", show_default=True)
@click.option("--training-seconds", default=20.0, show_default=True, help="How long a training takes.")
def sandbox(port: int, mode: str, training_seconds: float) -> None:
    """Run the bot against a local Slack and local services: no accounts, nothing outside this machine."""
    with tempfile.TemporaryDirectory(prefix="switchyard-") as folder:
        http_port = _free_port()
        events_url = f"http://127.0.0.1:{http_port}/slack/events"
        options = ["--port", str(port), "--mode", mode, "--training-seconds", str(training_seconds)]
        with _sandbox_process([*options, "--events-url", events_url]) as world:
            ready = _ready(world)
            environ = {**_foreign_environment(), **ready["env"], **_own_corner(Path(folder), http_port)}
            _greet(ready)
            _run_bot(environ, None)


@cli.command()
@click.argument("query", nargs=-1)
@click.option("--limit", default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option(
    "--export",
    "target",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write all that fit, whatever --limit says, into a file; `-` is the standard output.",
)
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), help="Of the export.  [default: csv]")
@click.option("--force", is_flag=True, help="Replace the file of --export where it exists.")
@click.pass_obj
def jobs(
    config: Path | None,
    *,
    query: tuple[str, ...],
    limit: int,
    as_json: bool,
    target: Path | None,
    form: str | None,
    force: bool,
) -> None:
    """List trainings, newest first: [PROVIDER] [STATE] [since=7d] [TEXT]. Works beside a running bot.

    With --export they are written into a file, which is recorded in the audit log.
    """
    from bot.domain.job_exports import Form
    from bot.history import export_jobs, list_jobs

    if target is not None:
        settings = _settings(dict(os.environ), config)
        click.echo(export_jobs(settings, query, target, Form(form or "csv"), may_replace=force), err=True)
        return
    if form or force:
        raise click.UsageError("--format and --force belong to --export FILE.")
    _say(asyncio.run(list_jobs(_settings(dict(os.environ), config), query, limit=limit, as_json=as_json)))


@cli.command()
@click.argument("job")
@click.pass_obj
def status(config: Path | None, job: str) -> None:
    """Tell the story of one training. Works beside a running bot."""
    from bot.history import tell_job

    _say(asyncio.run(tell_job(_settings(dict(os.environ), config), job)))


@cli.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace FILE where it exists.")
@click.pass_obj
def backup(config: Path | None, file: Path, force: bool) -> None:
    """Copy the database, and the data files that will still be sent, into FILE. Works beside a running bot."""
    from bot.backup import back_up

    _say(back_up(_settings(dict(os.environ), config), file, may_replace=force))


@cli.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def restore(config: Path | None, file: Path) -> None:
    """Put the backup FILE in the place of the database, which is kept beside it. The bot must be stopped."""
    from bot.backup import restore as put_back

    _say(asyncio.run(put_back(_settings(dict(os.environ), config), file)))


@cli.command()
@click.pass_obj
def doctor(config: Path | None) -> None:
    """Look at everything the bot needs, and say what is missing."""
    from bot.doctor import examine

    findings = asyncio.run(examine(_settings(dict(os.environ), config)))
    _say([finding.line() for finding in findings])
    if any(finding.is_bad for finding in findings):
        raise SystemExit(1)


@cli.group()
def policy() -> None:
    """Who may ask, approve and cancel what."""


@policy.command()
@click.argument("user")
@click.argument("act", type=click.Choice(["start", "switch", "activate", "cancel"]))
@click.argument("provider")
@click.argument("model")
@click.option("--requester", metavar="USER", help="Who asked for the training; without it, somebody else than USER.")
@click.pass_obj
def explain(config: Path | None, *, user: str, act: str, provider: str, model: str, requester: str | None) -> None:
    """Say which rule decides an act, what it asks for, and what USER may. Works beside a running bot."""
    from bot.policy_shell import explain_policy

    settings = _settings(dict(os.environ), config)
    _say(asyncio.run(explain_policy(settings, user, act, provider, model, requester=requester)))


@policy.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.pass_obj
def check(config: Path | None, file: Path | None) -> None:
    """Look for mistakes in FILE, else in the configured policy file. Exits with 2 for any."""
    from bot.policy_shell import check_policy

    _say(check_policy(_settings(dict(os.environ), config), file))


@cli.command()
@click.option("--http", "base_url", help="The https address of an HTTP-mode bot: prints the twin for it.")
def manifest(base_url: str | None) -> None:
    """Print the Slack app's manifest."""
    from bot.manifest import dump, http_twin, load, text

    click.echo(dump(http_twin(load(), base_url)) if base_url else text(), nl=False)


cli.add_command(audit)


def main() -> None:
    """The command `switchyard`: what went wrong is a sentence, not a traceback."""
    try:
        cli()
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None
    except SwitchyardError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None


def _settings(environ: Mapping[str, str], config: Path | None) -> Any:
    from bot import settings

    return settings.load(environ, config)


def _run_bot(environ: Mapping[str, str], config: Path | None) -> None:
    from bot import logs
    from bot.settings import secrets
    from storage.backup import examine

    settings = _settings(environ, config)
    settings.require_slack()
    examine(settings.database_path)
    logs.configure(secrets(settings), level=settings.log.level)
    asyncio.run(_until_stopped(lambda stopped: _serve(settings, stopped)))


async def _serve(settings: Any, stopped: asyncio.Event) -> None:
    from bot.app import running

    async with running(settings) as bot:
        click.echo(f"Switchyard is running ({bot.address or 'Socket Mode'}). Ctrl-C stops it.", err=True)
        await stopped.wait()


async def _until_stopped(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await work(stopped)


@contextmanager
def _sandbox_process(options: list[str]) -> Iterator["subprocess.Popen[str]"]:
    """The sandbox as a process of its own, in a group of its own, so that Ctrl-C reaches it through us."""
    command = [sys.executable, "-m", "sandbox", *options]
    process = subprocess.Popen(  # noqa: S603  our own interpreter and our own module
        command, stdout=subprocess.PIPE, text=True, start_new_session=True, env=_foreign_environment()
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()


def _ready(world: "subprocess.Popen[str]") -> dict[str, Any]:
    line = world.stdout.readline() if world.stdout else ""
    if not line:
        raise ConfigurationError("The sandbox did not start; it says why above. `--port 0` takes any free port.")
    ready: dict[str, Any] = json.loads(line)
    return ready


def _foreign_environment() -> dict[str, str]:
    """This process's environment without anything that would lead the sandbox's bot to a real account."""
    return {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}


def _own_corner(folder: Path, http_port: int) -> dict[str, str]:
    """A database of its own, since the sandbox's Slack forgets everything too, and an empty configuration file."""
    config = folder / "switchyard.toml"
    config.touch()
    return {
        "SWITCHYARD_CONFIG": str(config),
        "SWITCHYARD_DATABASE_URL": f"sqlite:///{folder / 'switchyard.db'}",
        "SWITCHYARD_HTTP__PORT": str(http_port),
    }


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _greet(ready: Mapping[str, Any]) -> None:
    click.echo(f"\n  A Slack of your own: {ready['page']}\n\n  Open it, and paste one of these:\n")
    for command in ready["commands"]:
        click.echo(f"    {command}")
    click.echo()


def _say(lines: list[str]) -> None:
    for line in lines:
        click.echo(line)
