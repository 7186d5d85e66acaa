"""One way to make a call of Decthings: POST `/v0/<Api>/<method>` with a binary frame (decthings.com/reference/http)."""

from collections.abc import Mapping, Sequence

from bot.domain.requests import Json
from bot.errors import ProviderError, RejectedError, UnreadableError
from bot.providers.decthings.refusals import TITLE, to_error
from bot.providers.decthings.wire import FrameError, Message, decode_reply, encode_request
from bot.providers.http import Http, Reply, Sessions
from bot.sentences import _

BINARY = "application/octet-stream"


class Client:
    """Calls with one API key. Errors come inside a reply with HTTP 200, and are looked for in every other one too."""

    def __init__(self, base_url: str, api_key: str, sessions: Sessions) -> None:
        self._base_url = base_url
        self._headers = {"Content-Type": BINARY, "Accept": BINARY, "Authorization": f"Bearer {api_key}"}
        self._http = Http(title=TITLE, sessions=sessions, secrets=(api_key,), judge=self._judge)

    async def call(
        self,
        method: str,
        params: Mapping[str, Json],
        blobs: Sequence[bytes] = (),
        *,
        once: bool = False,
        api: str = "Model",
    ) -> Message:
        """The result of a method of an API, and its blobs. Raises ProviderError."""
        # Clients write `Model` with a capital; whether case matters is not documented.
        url = f"{self._base_url}/{api}/{method}"
        body = _encode(params, blobs)
        return self._read(await self._http.call("POST", url, once=once, headers=self._headers, data=body))

    def clean(self, text: str) -> str:
        """One short line of the service's words, without our key."""
        return self._http.clean(text)

    def _read(self, reply: Reply) -> Message:
        message = _decode(reply)
        error, result = message.body.get("error"), message.body.get("result")
        if isinstance(error, dict):
            raise to_error(error, self.clean, reply.status)
        if not isinstance(result, dict):
            raise UnreadableError(_("{title} answered with neither a result nor an error.", title=TITLE))
        return Message(body=result, blobs=message.blobs)

    def _judge(self, reply: Reply) -> ProviderError | None:
        """The coded error of a reply that is not a 2xx, where it has one."""
        if 200 <= reply.status < 300:
            return None
        try:
            error = decode_reply(reply.body).body.get("error")
        except FrameError:
            return _unknown_call() if reply.status == 404 else None
        return to_error(error, self.clean, reply.status) if isinstance(error, dict) else None


def _encode(params: Mapping[str, Json], blobs: Sequence[bytes]) -> bytes:
    try:
        return encode_request(params, blobs)
    except FrameError as error:
        raise RejectedError(_("This cannot be sent to {title}: {problem}.", title=TITLE, problem=str(error))) from None


def _decode(reply: Reply) -> Message:
    kind = reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != BINARY:
        raise UnreadableError(
            _("{title} answered with {kind} instead of {binary}.", title=TITLE, kind=_shown(kind), binary=BINARY)
        )
    try:
        return decode_reply(reply.body)
    except FrameError as error:
        sentence = _("{title} answered with bytes that are not a reply ({problem}).", title=TITLE, problem=str(error))
        raise UnreadableError(sentence) from None


def _shown(kind: str) -> str:
    return kind[:60] if kind and kind.isprintable() else _("something untold")


def _unknown_call() -> RejectedError:
    """Documented: 404 is an unknown API or method (decthings.com/reference/http), not an unknown training."""
    sentence = _("{title} does not know this call (HTTP 404). Does its base URL end in /v0?", title=TITLE)
    return RejectedError(sentence, status=404)
