"""`switchyard doctor`: what the bot needs, looked at one by one, without starting anything."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from slack_sdk.errors import SlackApiError

from bot.app import open_store, slack_client, utc_now
from bot.errors import ConfigurationError, StoreError
from bot.identity import SLACK_FAILURES
from bot.policy_file import load_policy
from bot.ports import Undelivered
from bot.providers import registry
from bot.providers.http import Tools, open_sessions
from bot.settings import Settings, variable
from handlers.ids import SCOPES
from handlers.messenger import code_of
from storage.sqlite import is_sound, sqlite_version

MOST_MESSAGES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    what: str
    says: str
    is_bad: bool = False

    def line(self) -> str:
        return f"{'PROBLEM' if self.is_bad else 'ok':<8} {self.what}: {self.says}"


async def examine(settings: Settings) -> list[Finding]:
    """Everything that can be seen from here. Calls Slack's auth.test; asks no training service."""
    return [
        *_configuration(settings),
        *await _database(settings),
        _sqlite(),
        *await _providers(settings),
        await _slack(settings),
    ]


def _configuration(settings: Settings) -> Iterator[Finding]:
    try:
        settings.require_slack()
    except ConfigurationError as error:
        yield Finding(what="configuration", says=str(error), is_bad=True)
    folder = settings.data_folder
    is_there = folder.is_dir()
    yield Finding(what="data folder", says=f"{folder}{'' if is_there else ' does not exist'}", is_bad=not is_there)
    yield _approvers(settings)
    yield _policy(settings)


def _approvers(settings: Settings) -> Finding:
    """Without them, all that may be approved is what a policy file says."""
    approvers, has_file = settings.approvals.approvers, settings.policy_file is not None
    nobody = f"{variable('approvals', 'approvers')} is empty: nobody may approve "
    empty = nobody + ("what no rule of the policy file fits" if has_file else "a switch")
    return Finding(what="approvers", says=", ".join(approvers) or empty, is_bad=not approvers and not has_file)


def _policy(settings: Settings) -> Finding:
    try:
        policy = load_policy(settings)
    except ConfigurationError as error:
        return Finding(what="policy", says=str(error), is_bad=True)
    rules = dict.fromkeys(clause.rule.name for clause in policy.clauses if clause.line)
    says = f"{policy.source}: {len(rules)} rules" if policy.source else "no policy file; the settings decide"
    return Finding(what="policy", says=says)


async def _database(settings: Settings) -> list[Finding]:
    path = settings.database_path
    if not path.exists():
        return [Finding(what="database", says=f"{path.name} is made when the bot first runs")]
    try:
        async with open_store(settings, read_only=True) as store:
            await store.job("")
            waiting = await store.undelivered(MOST_MESSAGES)
    except StoreError as error:
        return [Finding(what="database", says=str(error), is_bad=True)]
    return [Finding(what="database", says=f"{path.name} can be read"), _messages(waiting)]


def _messages(found: Sequence[Undelivered]) -> Finding:
    """What Slack did not take. Only what still waits is a problem: a message that was dropped stays dropped."""
    if not found:
        return Finding(what="messages", says="all were taken by Slack")
    dropped = sum(one.is_dropped for one in found)
    held = sum(one.is_held for one in found)
    counts = f"{dropped} dropped, {held} held for a place, {len(found) - dropped - held} to be tried again"
    last = found[0]
    about = f"{last.kind.value} of training {last.job_id}" if last.job_id else last.kind.value
    says = f"{counts}{' at least' * (len(found) == MOST_MESSAGES)}; the last: {about}: {last.error or 'under way'}"
    return Finding(what="messages", says=says, is_bad=dropped < len(found))


def _sqlite() -> Finding:
    version = sqlite_version()
    shown = ".".join(map(str, version))
    hint = "" if is_sound(version) else " has the WAL-reset bug (https://sqlite.org/wal.html#walresetbug)"
    return Finding(what="SQLite", says=shown + hint, is_bad=bool(hint))


async def _providers(settings: Settings) -> list[Finding]:
    async with open_sessions() as sessions:
        try:
            found = registry.load(settings.providers, Tools(sessions=sessions, now=utc_now))
        except ConfigurationError as error:
            return [Finding(what="providers", says=str(error), is_bad=True)]
    known = [
        Finding(what=name, says=f"{provider.title} is configured") for name, provider in found.configured().items()
    ]
    return [*known, *(Finding(what=name, says=sentence) for name, sentence in found.missing().items())]


async def _slack(settings: Settings) -> Finding:
    if settings.slack.bot_token is None:
        return Finding(what="Slack", says=f"{variable('slack', 'bot_token')} is not set", is_bad=True)
    try:
        async with slack_client(settings) as client:
            response = await client.auth_test()
    except SLACK_FAILURES as error:
        code = code_of(error) if isinstance(error, SlackApiError) else type(error).__name__
        return Finding(what="Slack", says=f"auth.test failed: {code}", is_bad=True)
    headers = {key.lower(): value for key, value in response.headers.items()}
    granted = {scope.strip() for scope in str(headers.get("x-oauth-scopes", "")).split(",")}
    lacking = sorted(set(SCOPES) - granted) if "x-oauth-scopes" in headers else []
    says = f"{response['team']}, as {response['user']}" + (f"; lacks {', '.join(lacking)}" if lacking else "")
    return Finding(what="Slack", says=says, is_bad=bool(lacking))
