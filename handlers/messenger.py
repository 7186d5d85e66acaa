"""Slack as the engine needs it, over the Web API: paced, and honest about what may have been posted.

slack_sdk opens a session a call unless it is given one, repeats a post when the server hangs up unless its retry
handlers are taken away, and repeats no 429; so the client is made with a session and without handlers, and what
happened is told to the outbox, which decides.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.domain.changes import Say
from bot.domain.contents import Content, HomePage, Line, Question, Reminder
from bot.domain.people import Person
from bot.domain.shared_files import SharedFile
from bot.errors import AmbiguousSendError, MessengerBusyError, MessengerError
from bot.ports import Shared
from bot.sentences import _, speak
from handlers.asking import AGAIN_SOON, may_be_repeated
from handlers.downloads import Downloads
from handlers.ids import NOTICE
from handlers.uploads import Transport, Uploads
from handlers.views import blocks
from handlers.views.blocks import Message
from handlers.views.cards import render
from handlers.views.home import home, mark_of, plain_home

log = logging.getLogger(__name__)

NOT_THE_LOOKS = frozenset(
    {
        "not_in_channel", "channel_not_found", "is_archived", "is_inactive", "restricted_action", "team_not_found",
        "restricted_action_read_only_channel", "restricted_action_non_threadable_channel",
        "restricted_action_thread_only_channel", "restricted_action_thread_locked", "posting_to_channel_denied",
        "messages_tab_disabled", "app_access_restricted", "ekm_access_denied", "cannot_reply_to_message",
        "message_not_found", "cant_update_message", "edit_window_closed", "update_failed", "message_limit_exceeded",
        "user_not_found", "user_disabled", "not_enabled",
    }
)  # fmt: skip
"""Slack's words for a refusal that other words would meet too. After any other, the message goes out as plain text.

Source: the errors of https://docs.slack.dev/reference/methods/chat.postMessage, …/chat.update and …/views.publish.
"""

UNCLEAR = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"})
"""Slack's words after which the message may stand there."""

SHUT = frozenset({"account_inactive", "token_revoked", "token_expired", "invalid_auth", "not_authed", "missing_scope"})
"""Slack's words for a bot that may do nothing until its operator has been there."""

_OPERATOR_TAKES = 60.0
_LONGEST_PAUSE = 3600.0
_PAGE = 200
_CLOCKS_AGREE = timedelta(seconds=5)
_GOOD_FOR = 60.0
"""Seconds for which it is taken as known whether a channel is public."""


T = TypeVar("T")


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True, kw_only=True)
class _Bucket:
    """A short burst, then a steady rate; of those that wait the urgent ones go first."""

    burst: float
    per_second: float
    level: float = 0.0
    at: float = field(default_factory=time.monotonic)
    blocked_until: float = 0.0
    waiting: list[tuple[bool, int]] = field(default_factory=list)
    tickets: Iterator[int] = field(default_factory=count)

    def check(self) -> None:
        """Raise MessengerBusyError while Slack has asked not to be called."""
        blocked = self.blocked_until - time.monotonic()
        if blocked > 0:
            raise MessengerBusyError(_("Slack asked to wait."), retry_after=blocked)

    async def turn(self, *, is_urgent: bool) -> None:
        """Wait until this call may go, which is counted then."""
        ticket = (not is_urgent, next(self.tickets))
        self.waiting.append(ticket)
        try:
            # It is a time that is waited for, and no event.
            while pause := self._pause() + sum(one < ticket for one in self.waiting) / self.per_second:  # noqa: ASYNC110
                await asyncio.sleep(pause)
            self.level += 1
        finally:
            self.waiting.remove(ticket)

    def _pause(self) -> float:
        """Seconds until any call may go."""
        now = time.monotonic()
        self.level = max(0.0, self.level - (now - self.at) * self.per_second)
        self.at = now
        return max(0.0, (self.level + 1 - self.burst) / self.per_second)


class _ShutOutError(MessengerBusyError):
    """Slack does not let the bot do this until its operator has been there. Nothing was posted."""


class SlackMessenger:
    """See `bot.ports.Messenger`. `posts_per_second` holds for each channel, Slack's own figure is about one."""

    def __init__(
        self,
        client: AsyncWebClient,
        transport: Transport,
        *,
        posts_per_second: float = 1.0,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._client = client
        self._transport = transport
        self._rate = posts_per_second
        self._now = now
        self._ahead = timedelta()
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self._uploads = Uploads(client, self._call, transport)
        self._downloads = Downloads(client, self._call, transport)
        self._public: dict[str, tuple[bool, float]] = {}

    async def post(
        self, channel: str, content: Content, *, notice_id: str, thread_ts: str | None = None, broadcast: bool = False
    ) -> str:
        metadata = {"event_type": NOTICE, "event_payload": {"id": notice_id}}
        reply: dict[str, Any] = {"thread_ts": thread_ts, "reply_broadcast": broadcast} if thread_ts else {}

        async def send(**shown: Any) -> Any:
            return await self._client.chat_postMessage(
                channel=channel, metadata=metadata, unfurl_links=False, unfurl_media=False, **reply, **shown
            )

        lane = ("chat.postMessage", channel)
        response = await self._shown(lane, send, render(content), is_urgent=_is_urgent(content))
        return _read(response, "ts", str)

    async def edit(self, channel: str, ts: str, content: Content) -> None:
        async def send(**shown: Any) -> Any:
            return await self._client.chat_update(channel=channel, ts=ts, **shown)

        with may_be_repeated():  # the same edit twice is the same message
            await self._shown(("chat.update", ""), send, render(content))

    async def find(self, channel: str, notice_id: str, *, since: datetime, thread_ts: str | None) -> str | None:
        ahead = self._ahead
        found = await self._find(channel, notice_id, since, thread_ts)
        if found is None and self._ahead - ahead > _CLOCKS_AGREE:
            # That our clock is ahead was only learned by looking, from a time that may lie after the message.
            found = await self._find(channel, notice_id, since, thread_ts)
        return found

    async def _find(self, channel: str, notice_id: str, since: datetime, thread_ts: str | None) -> str | None:
        options: dict[str, Any] = {"channel": channel, "include_all_metadata": True, "limit": _PAGE}
        if thread_ts:
            options |= {"ts": thread_ts}
        else:
            # A thread is read whole; a channel from the time of the attempt on, by Slack's clock rather than ours.
            options |= {"oldest": f"{(since - self._ahead).timestamp():.6f}", "inclusive": True}
        while True:
            response = await self._look(options)
            for message in _read(response, "messages", list):
                if _notice_of(message) == notice_id:
                    return str(message["ts"])
            cursor = (response.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return None
            options |= {"cursor": cursor}

    async def _look(self, options: Mapping[str, Any]) -> Any:
        async def look() -> Any:
            if "ts" in options:
                return await self._client.conversations_replies(**options)
            return await self._client.conversations_history(**options)

        try:
            return await self._call(("conversations.history", ""), look)
        except MessengerError as error:
            if isinstance(error, MessengerBusyError) and not isinstance(error, _ShutOutError):
                raise
            sentence = _("It cannot be looked up whether the message was posted: {problem}", problem=str(error))
            raise AmbiguousSendError(sentence, code=error.code) from None

    async def open_dm(self, user: str) -> str:
        with may_be_repeated():  # opening it once more opens nothing new
            response = await self._call(("conversations.open", ""), lambda: self._client.conversations_open(users=user))
            return _read(_read(response, "channel", dict), "id", str)

    async def answer(self, url: str, say: Say, shown: Sequence[Mapping[str, Any]] = ()) -> None:
        """Answered at least once: an answer whose fate is unclear is given again, which only its reader sees.

        Where Slack does not take the blocks, their words go out as plain text.
        """
        message = Message(text=speak(say.text), blocks=tuple(map(dict, shown))) if shown else blocks.say(say)
        status = await self._respond(url, message)
        if status == HTTPStatus.BAD_REQUEST and message.blocks:
            log.warning("answered as plain text: Slack did not take the blocks (HTTP %s)", status)
            status = await self._respond(url, Message(text=message.plain()))
        if status != HTTPStatus.OK:
            raise MessengerError(_("Slack does not take the answer any more (HTTP {status}).", status=status))

    async def _respond(self, url: str, message: Message) -> int:
        """The status of Slack's answer. Raises MessengerBusyError where it has to be tried again."""
        failures: tuple[type[Exception], ...] = (
            *self._transport.not_sent,
            *self._transport.unclear,
            UnicodeDecodeError,
        )
        webhook = AsyncWebhookClient(url, session=self._client.session, retry_handlers=[])
        try:
            response = await webhook.send(
                text=message.text,
                blocks=list(message.blocks) or None,
                response_type="ephemeral",
                replace_original=False,
            )
        except failures:
            raise MessengerBusyError(_("Slack cannot be reached."), retry_after=AGAIN_SOON) from None
        if response.status_code == 429 or response.status_code >= 500:
            raise MessengerBusyError(_("Slack asks to wait."), retry_after=_retry_after(response.headers))
        is_refused = response.status_code == HTTPStatus.OK and _says_no(response.body)
        return HTTPStatus.BAD_REQUEST if is_refused else response.status_code

    async def publish(self, user: str, page: HomePage, *, unless: str = "") -> str:
        view = home(page)
        mark = mark_of(view)
        if mark == unless:
            return mark
        try:
            await self._publish(user, view)
        except MessengerBusyError:
            raise
        except MessengerError as error:
            if error.code in NOT_THE_LOOKS:
                raise
            log.warning("a Home tab was published without its lists: Slack took it in no other way (%s)", error.code)
            await self._publish(user, plain_home(page))
        return mark

    async def _publish(self, user: str, view: dict[str, Any]) -> None:
        with may_be_repeated():  # the same page twice is the same page
            await self._call(("views.publish", ""), lambda: self._client.views_publish(user_id=user, view=view))

    async def upload(self, name: str, file: Path, size: int) -> str:
        return await self._uploads.upload(name, file, size)

    async def share(self, file_id: str, channel: str, *, title: str, comment: str, thread_ts: str | None) -> Shared:
        return await self._uploads.share(file_id, channel, title=title, comment=comment, thread_ts=thread_ts)

    async def find_share(self, file_id: str) -> Shared | None:
        return await self._uploads.find(file_id)

    async def file(self, file_id: str) -> SharedFile:
        return await self._downloads.look_up(file_id)

    async def download(self, file: SharedFile, take: Callable[[bytes], Awaitable[None]]) -> None:
        await self._downloads.read(file, take)

    async def members(self, group: str) -> frozenset[str]:
        if group.startswith("S"):
            listed = await self._call(
                ("usergroups.users.list", ""), lambda: self._client.usergroups_users_list(usergroup=group)
            )
            return frozenset(_read(listed, "users", list))
        return await self._members_of_channel(group)

    async def _members_of_channel(self, channel: str) -> frozenset[str]:
        found: frozenset[str] = frozenset()
        cursor: str | None = None
        while True:
            read = partial(self._client.conversations_members, channel=channel, limit=_PAGE, cursor=cursor)
            page = await self._call(("conversations.members", ""), read)
            found |= frozenset(_read(page, "members", list))
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return found

    async def person(self, user: str) -> Person:
        # Nobody waits for an operator here: without the scope there is no time zone.
        with may_be_repeated():
            info = partial(self._client.users_info, user=user, include_locale=True)
            told = await self._call(("users.info", ""), info, refusals=frozenset({"missing_scope"}))
            account = _read(told, "user", dict)
        zone, locale = account.get("tz"), account.get("locale")
        return Person(
            id=user,
            name=_name(account),
            zone=zone if isinstance(zone, str) else "",
            locale=locale if isinstance(locale, str) else "",
            is_guest=True in (account.get("is_restricted"), account.get("is_ultra_restricted")),
            has_left=account.get("deleted") is True,
        )

    async def is_public(self, channel: str) -> bool:
        if not channel.startswith("C"):
            return False
        known = self._public.get(channel)
        if known is None or time.monotonic() - known[1] > _GOOD_FOR:
            known = (await self._read_whether_public(channel), time.monotonic())
            self._public[channel] = known
        return known[0]

    async def _read_whether_public(self, channel: str) -> bool:
        # Nobody waits for an operator here either: what cannot be read counts as private.
        info = partial(self._client.conversations_info, channel=channel)
        with may_be_repeated():
            place = _read(await self._call(("conversations.info", ""), info, refusals=SHUT), "channel", dict)
        return place.get("is_channel") is True and place.get("is_private") is False

    async def permalink(self, channel: str, ts: str) -> str:
        link = partial(self._client.chat_getPermalink, channel=channel, message_ts=ts)
        with may_be_repeated():
            return _read(await self._call(("chat.getPermalink", ""), link), "permalink", str)

    async def _shown(
        self,
        lane: tuple[str, str],
        send: Callable[..., Awaitable[Any]],
        message: Message,
        *,
        is_urgent: bool = False,
    ) -> Any:
        """Send with blocks; where Slack does not take these, as plain text: the last resort before it is dropped."""
        try:
            whole = partial(send, text=message.text, blocks=list(message.blocks))
            return await self._call(lane, whole, is_urgent=is_urgent)
        except (AmbiguousSendError, MessengerBusyError):
            raise
        except MessengerError as error:
            if error.code in NOT_THE_LOOKS:
                raise
            log.warning("sent as plain text: Slack took it in no other way (%s)", error.code)
        return await self._call(lane, partial(send, text=message.plain(), blocks=[]), is_urgent=is_urgent)

    async def _call(
        self,
        lane: tuple[str, str],
        call: Callable[[], Awaitable[Any]],
        *,
        refusals: frozenset[str] = frozenset(),
        is_urgent: bool = False,
    ) -> Any:
        """Call once. `refusals` are words of SHUT that are told at once, where nobody shall wait for an operator."""
        bucket = self._buckets.setdefault(lane, _Bucket(burst=5, per_second=self._rate))
        bucket.check()
        await bucket.turn(is_urgent=is_urgent)
        # Another call of this lane may have been told to wait in the meantime.
        bucket.check()
        try:
            response = await call()
            self._compare_clocks(response.headers)
            return response
        except SlackApiError as error:
            raise self._explain(error, bucket, refusals) from None
        except self._transport.not_sent:
            raise MessengerBusyError(_("Slack cannot be reached."), retry_after=AGAIN_SOON) from None
        except self._transport.unclear:
            raise AmbiguousSendError(_("Slack's answer was lost.")) from None
        except (AttributeError, ValueError, RecursionError):
            # slack_sdk takes every answer for a JSON object in UTF-8 (AsyncSlackResponse.validate).
            raise AmbiguousSendError(_("Slack's answer could not be read.")) from None

    def _compare_clocks(self, headers: Mapping[str, Any]) -> None:
        """How far our clock is ahead of Slack's: a look-up that trusted a wrong clock would miss its message."""
        date = {key.lower(): value for key, value in headers.items()}.get("date")
        if isinstance(date, str):
            with suppress(ValueError, TypeError):
                self._ahead = max(self._now() - parsedate_to_datetime(date), timedelta())

    def _explain(self, error: SlackApiError, bucket: _Bucket, refusals: frozenset[str]) -> MessengerError:
        response, code = error.response, code_of(error)
        status = getattr(response, "status_code", 200)
        if status == 429 or code in ("ratelimited", "rate_limited"):
            wait = _retry_after(response.headers)
            bucket.blocked_until = time.monotonic() + wait
            return MessengerBusyError(_("Slack asks to wait."), retry_after=wait)
        if not code or status >= 500 or code in UNCLEAR:
            return AmbiguousSendError(_("Slack's answer could not be read."), code=code)
        if code in SHUT - refusals:
            return _ShutOutError(_("Slack does not let the bot in ({code}).", code=code), retry_after=_OPERATOR_TAKES)
        return MessengerError(_("Slack refused: {code}.", code=code), code=code)


def _name(account: Mapping[str, Any]) -> str:
    """What people call somebody: the name that the account shows, else its full one."""
    profile = account.get("profile")
    shown = profile if isinstance(profile, dict) else {}
    names = (shown.get("display_name"), shown.get("real_name"), account.get("real_name"), account.get("name"))
    return next((name for name in names if isinstance(name, str) and name.strip()), "")


def _is_urgent(content: Content) -> bool:
    """Does somebody wait for it? Ends and questions go before everything else that waits for the same channel."""
    return isinstance(content, Question | Reminder) or (isinstance(content, Line) and content.is_end)


def code_of(error: SlackApiError) -> str:
    """Slack's word for a refusal; "" where its answer could not be read, and the SDK hands on the bare response."""
    data = getattr(error.response, "data", None)
    return str(data.get("error", "")) if isinstance(data, dict) else ""


def _says_no(body: str | None) -> bool:
    """Whether an answer refuses though its status is good: a guess, for no page tells how blocks are refused here."""
    return '"ok":false' in (body or "")[:200].replace(" ", "")


def _read(reply: Any, key: str, kind: type[T]) -> T:
    """A value of a reply. What says `ok` and lacks what it was asked for may have been done all the same."""
    value = reply.get(key)
    if not isinstance(value, kind):
        raise AmbiguousSendError(_("Slack's answer could not be read."))
    return value


def _notice_of(message: Mapping[str, Any]) -> str | None:
    metadata = message.get("metadata") or {}
    return (metadata.get("event_payload") or {}).get("id") if metadata.get("event_type") == NOTICE else None


def _retry_after(headers: Mapping[str, Any]) -> float:
    lowered = {key.lower(): value for key, value in headers.items()}
    value = lowered.get("retry-after", 1)
    try:
        # In this order NaN becomes the shortest pause.
        return min(max(0.1, float(value[0] if isinstance(value, list) else value)), _LONGEST_PAUSE)
    except ValueError:
        return 30.0
