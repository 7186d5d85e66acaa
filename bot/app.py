"""The only place that constructs: everything is opened here, handed down, and closed in the opposite order."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

import handlers
from bot import health_page
from bot.domain.pace import Allowance
from bot.files import DataFolder
from bot.health_page import LATE_AFTER, REQUEST, Pulse, Watch
from bot.identity import SLACK_FAILURES, Acquaintance
from bot.policy_file import PolicyWatch
from bot.poller import Crew, Poller, Tick, contain
from bot.ports import Anchoring, Caps, Deps, Limits, Tongues
from bot.providers import registry
from bot.providers.http import Sessions, Tools, is_private_host, open_sessions
from bot.settings import Settings, variable
from bot.usecases.attention import digest_due
from bot.usecases.auditing import keep_log, note_policy, tell_policy
from bot.usecases.check import check_due
from bot.usecases.collect import collect_due
from bot.usecases.deliver import deliver_due
from bot.usecases.expire import expire_due
from bot.usecases.groups import read_groups
from bot.usecases.inquire import inquire_due
from bot.usecases.launch import launch_due
from bot.usecases.poll import poll_due
from bot.usecases.promote import promote_due
from bot.usecases.recover import recover
from bot.usecases.recur import recur_due
from bot.usecases.remind import remind_due
from bot.usecases.restore import distrust
from bot.usecases.settle import settle_due
from bot.usecases.tidy import tidy_due
from handlers.ids import REQUEST_PATH
from handlers.messenger import SlackMessenger
from handlers.sockets import Patience, Sockets
from handlers.uploads import Transport
from storage.store import SqliteStore

log = logging.getLogger(__name__)

TICKS: Mapping[str, Callable[[Deps], Any]] = {
    "check": check_due,
    "launch": launch_due,
    "settle": settle_due,
    "poll": poll_due,
    "promote": promote_due,
    "collect": collect_due,
    "inquire": inquire_due,
    "deliver": deliver_due,
    "recur": recur_due,
    "groups": read_groups,
    "expire": expire_due,
    "remind": remind_due,
    "digest": digest_due,
    "audit": keep_log,
    "tidy": tidy_due,
}
POLICY = "policy"
"""The tick that looks at the policy file; it alone needs more than the use cases are given."""
TRANSPORT = Transport(
    not_sent=(aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError),
    unclear=(aiohttp.ClientError, TimeoutError, OSError),
    upload_timeout=aiohttp.ClientTimeout(total=150, connect=10),
    download_timeout=aiohttp.ClientTimeout(total=None, connect=10, sock_read=60),
)
_LONGEST_STAMP = 20
MISSHAPEN = (AttributeError, LookupError, TypeError, ValueError, RecursionError)
"""What reading a request in a shape that it does not have ends in."""

SLACK_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """A bot that runs. `address` is where Slack's requests are taken in HTTP mode, "" in Socket Mode.

    `health` is where machines may ask how it is, "" where that is not configured.
    """

    app: AsyncApp
    deps: Deps
    poller: Poller
    crew: Crew
    address: str
    health: str


def utc_now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def open_store(settings: Settings, *, read_only: bool = False) -> AsyncIterator[SqliteStore]:
    """The database of this configuration."""
    store = SqliteStore(settings.database_path, read_only=read_only)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def running(settings: Settings, *, now: Callable[[], datetime] = utc_now) -> AsyncIterator[Bot]:
    """Everything, running: what a former process left is taken up first, then the doors are opened."""
    settings.require_slack()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings))
        tools = Tools(sessions=await stack.enter_async_context(open_sessions()), now=now)
        client = await stack.enter_async_context(slack_client(settings))
        crew, pulse = Crew(), Pulse()
        policies = PolicyWatch(settings)
        poller = Poller(_ticks(lambda: deps, policies, pulse), _paces(settings))
        providers = registry.load(settings.providers, tools)
        providers.require(settings.approvals.start, variable("approvals", "start"))
        deps = Deps(
            store=store,
            providers=providers,
            messenger=SlackMessenger(
                client,
                replace(TRANSPORT, session=downloader(settings.slack.api_url, tools.sessions)),
                posts_per_second=settings.slack.posts_per_second,
                now=now,
            ),
            files=DataFolder(settings.data_folder, settings.spool_folder, settings.data.max_bytes),
            policies=policies.current,
            limits=limits_of(settings),
            now=now,
            new_id=lambda: secrets.token_hex(8),
            nudge=poller.nudge,
            spawn=crew.spawn,
            alarm_channel=settings.slack.alarm_channel or "",
            anchoring=anchoring_of(settings),
            pages=settings.services.pages,
            tongues=Tongues(default=settings.language.default, channels=settings.language.channels),
        )
        identity = Acquaintance(client, store, kin=frozenset(settings.slack.teams))
        app = make_app(settings, client, deps, identity)
        await _distrust_a_copy(store, deps)
        await recover(deps)
        await note_policy(deps)
        await identity.recall()
        await stack.enter_async_context(_beside(identity.read()))
        stack.push_async_callback(crew.close)
        stack.push_async_callback(poller.close)
        poller.start()
        _warn(settings)
        sockets = _sockets(settings, app)
        address = await stack.enter_async_context(_doors(settings, app, sockets, pulse))
        health = await stack.enter_async_context(_health(settings, deps, sockets, pulse))
        yield Bot(app=app, deps=deps, poller=poller, crew=crew, address=address, health=health)


async def _distrust_a_copy(store: SqliteStore, deps: Deps) -> None:
    """Somebody may have put a copy of the database file back, past `switchyard restore`: it is treated as one."""
    made_at = await store.older_than_sent()
    if made_at is None:
        return
    log.error("the database is older than what was sent from here, so it is treated as a backup that was restored")
    await store.doubt_messages(made_at)
    await distrust(deps, made_at)
    await store.note_sent()


def make_app(settings: Settings, client: AsyncWebClient, deps: Deps, identity: Acquaintance) -> AsyncApp:
    """The Bolt app. No listener waits for a network, so the ack may wait for the listener."""

    # Bolt passes arguments by the names of a plain function's parameters; a bound method confuses it.
    async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        return identity.result(enterprise_id, team_id)

    secret = settings.slack.signing_secret
    app = AsyncApp(
        # Without one, Bolt looks through the sources of all that called this.
        name="switchyard",
        client=client,
        signing_secret=secret.get_secret_value() if secret else "unused in Socket Mode",
        authorize=authorize,
        process_before_response=True,
    )
    handlers.register(app, deps, identity.door)
    return app


@asynccontextmanager
async def slack_client(settings: Settings) -> AsyncIterator[AsyncWebClient]:
    """One session for all calls (slack_sdk opens one a call otherwise), and nothing that repeats a post by itself."""
    token = settings.slack.bot_token
    async with aiohttp.ClientSession(timeout=SLACK_TIMEOUT) as session:
        yield AsyncWebClient(
            token=token.get_secret_value() if token else None,
            base_url=settings.slack.api_url,
            session=session,
            retry_handlers=[],
        )


def downloader(api_url: str, sessions: Sessions) -> Callable[[], Awaitable[aiohttp.ClientSession]]:
    """The session for files of Slack's: private addresses are for a Slack that is on one itself."""
    host = urlsplit(api_url).hostname

    async def session() -> aiohttp.ClientSession:
        is_private = await asyncio.to_thread(is_private_host, host)
        return sessions.single if is_private else sessions.guarded

    return session


def anchoring_of(settings: Settings) -> Anchoring:
    audit = settings.audit
    return Anchoring(channel=audit.channel or "", every=timedelta(hours=audit.anchor_hours), rows=audit.anchor_rows)


def limits_of(settings: Settings) -> Limits:
    poll = settings.poll
    return Limits(
        pace=poll.pace,
        watch=timedelta(hours=poll.limit_hours),
        settle=timedelta(seconds=poll.settle_seconds),
        live=timedelta(minutes=poll.live_minutes),
        lost=timedelta(minutes=poll.lost_minutes),
        held=timedelta(hours=poll.hold_hours),
        step=timedelta(seconds=poll.step_timeout_seconds),
        download=timedelta(minutes=settings.data.download_minutes),
        keep_data=timedelta(days=settings.data.keep_days),
        late=timedelta(hours=poll.late_hours),
        caps=Caps(
            living=settings.limits.living_per_person,
            commands=settings.limits.commands_per_minute,
            schedules=settings.limits.recurring_per_person,
            schedules_here=settings.limits.recurring_per_channel,
        ),
        edits=Allowance(per_minute=settings.slack.edits_per_minute),
    )


def _ticks(deps: Callable[[], Deps], policies: PolicyWatch, pulse: Pulse) -> dict[str, Tick]:
    async def take_policy_over(deps: Deps) -> None:
        news = await policies.look()
        if news is not None:
            await tell_policy(deps, news.sentence())
            # Who may decide what has changed, and with it what waits for whom.
            await deps.store.draw_homes(deps.now())

    def bound(name: str, tick: Callable[[Deps], Any]) -> Tick:
        async def run() -> None:
            await tick(deps())
            pulse.beat(name)

        return run

    return {name: bound(name, tick) for name, tick in {**TICKS, POLICY: take_policy_over}.items()}


def _paces(settings: Settings) -> dict[str, float]:
    """Seconds between two runs of each tick; nudges come in between."""
    calm = {"groups": 5.0, "expire": 5.0, "remind": 5.0, "digest": 5.0, "audit": 5.0, "tidy": 5.0}
    calm |= {POLICY: 2.0, "settle": 1.0}
    tick = settings.poll.tick_seconds
    return {name: max(tick, calm.get(name, tick) * min(tick, 1.0)) for name in (*TICKS, POLICY)}


def _sockets(settings: Settings, app: AsyncApp) -> Sockets | None:
    """The connections of Socket Mode; None in HTTP mode."""
    token = settings.slack.app_token
    if token is None:
        return None
    return Sockets(
        app,
        token.get_secret_value(),
        count=settings.slack.sockets,
        patience=Patience(silence=settings.slack.silence_seconds),
        refusals=SLACK_FAILURES,
        contain=contain,
    )


@asynccontextmanager
async def _doors(settings: Settings, app: AsyncApp, sockets: Sockets | None, pulse: Pulse) -> AsyncIterator[str]:
    """Let Slack in: over Socket Mode, or over signed HTTP."""
    if sockets is not None:
        async with sockets.open():
            yield ""
        return
    runner = web.AppRunner(_heard(app.web_app(path=REQUEST_PATH), pulse), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, settings.http.host, settings.http.port)
    await site.start()
    try:
        host, port, *_ = runner.addresses[0]
        yield f"http://{host}:{port}{REQUEST_PATH}"
    finally:
        await runner.cleanup()


def _heard(door: web.Application, pulse: Pulse) -> web.Application:
    """Note each request that Bolt did not turn away."""

    async def note(_: web.Request, response: web.StreamResponse) -> None:
        if response.status == 200:
            pulse.beat(REQUEST)

    door.on_response_prepare.append(note)
    door.middlewares.append(_turn_away)
    return door


@web.middleware
async def _turn_away(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Bolt looks into a request before it checks the signature, and stumbles over what has no shape of Slack's.

    What a handler of ours meets never comes here: Bolt answers for it.
    """
    stamp = request.headers.get("X-Slack-Request-Timestamp", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _LONGEST_STAMP):
        return web.Response(status=401)
    try:
        return await handler(request)
    except MISSHAPEN:
        log.warning("a request that has no shape of Slack's was turned away")
        return web.Response(status=400)


@asynccontextmanager
async def _health(settings: Settings, deps: Deps, sockets: Sockets | None, pulse: Pulse) -> AsyncIterator[str]:
    if settings.health.port is None:
        yield ""
        return
    watch = Watch(
        store=deps.store,
        pulse=pulse,
        ticks=(*TICKS, POLICY),
        late_after=LATE_AFTER + 2 * max(_paces(settings).values()),
        signs=sockets.signs if sockets else None,
        silent_after=settings.slack.silence_seconds,
    )
    async with health_page.serving(settings.health.host, settings.health.port, watch.vitals) as address:
        yield address


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Something that goes on while the bot runs, and is ended with it."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _warn(settings: Settings) -> None:
    if not settings.approvals.approvers:
        where = "what no rule of the policy file fits" if settings.policy_file else "a switch"
        log.warning("nobody may approve %s: %s is empty", where, variable("approvals", "approvers"))
