"""Whatever a service answers, its provider gives the declared result or a ProviderError that can be shown as it is.

Each case asks a real provider over a real connection. Near-documents, errors and rubbish come in any order, at any
place in the conversation, with any status.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.jobs import RemoteStatus
from bot.errors import Effect, ProviderError
from bot.ports import Found, Serving, Watched
from bot.providers.http import Sessions, Tools, open_sessions
from tests.fuzz.benches import BENCHES, OPERATIONS, Asked, Bench
from tests.fuzz.effort import effort
from tests.fuzz.fitness import is_readable, is_storable, leaks, sentence_faults, status_faults
from tests.fuzz.replies import Reply, replies, told
from tests.fuzz.shapes import SIGNATURE, TOKEN
from tests.fuzz.tally import Tally
from tests.providers.raw_server import RawServer, Seen, raw_server, silence

CASES = [(bench, operation) for bench in BENCHES for operation in bench.documents]
HANDED_OUT = (TOKEN, SIGNATURE)


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with raw_server(silence) as made:
        yield made


@pytest.fixture
async def sessions() -> AsyncIterator[Sessions]:
    async with open_sessions() as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "spooled"
    path.write_bytes(b"a,b\n1,2\n")
    return path


@pytest.mark.parametrize(("bench", "operation"), CASES, ids=lambda one: one.name if isinstance(one, Bench) else one)
@effort(12)
@given(data=st.data())
async def test_any_answer_is_a_result_or_a_sentence(
    bench: Bench, operation: str, data: st.DataObject, server: RawServer, sessions: Sessions, file: Path, tally: Tally
) -> None:
    """Only ProviderError leaves, with one short line and no secret; a result can be stored and shown."""
    asked = await ready(bench, server, sessions, file)
    script = scripts(data, bench, operation, server)
    server.answer = told(bench.answers, script)
    try:
        found = await OPERATIONS[operation](asked)
    except ProviderError as error:
        tally.add(error)
        check_error(error, bench, server.seen)
        check_effect(error, bench, operation, server.seen, script)
    else:
        tally.add(found)
        check_result(found, operation, asked, bench, server.seen)
    assert not list(asked.target.parent.glob("result*")) or operation == "fetch_result"
    asked.target.unlink(missing_ok=True)


async def ready(bench: Bench, server: RawServer, sessions: Sessions, file: Path) -> Asked:
    """A new provider, with a place that was reserved where all went well."""
    server.seen.clear()
    server.answer = told(bench.answers, [])
    provider = bench.build(server.url, Tools(sessions=sessions, now=lambda: datetime.now(UTC)))
    plan = provider.plan(bench.request, bench.payload)
    claim = await provider.reserve(plan, "j2345ab")
    server.seen.clear()
    return Asked(
        provider=provider,
        plan=plan,
        claim=claim,
        watched=bench.watched,
        last=bench.last,
        file=file,
        target=file.with_name("result"),
    )


def scripts(data: st.DataObject, bench: Bench, operation: str, server: RawServer) -> Sequence[Reply | None]:
    """One to three answers; None is a good one. The server's own address is put into links."""
    anything = replies((*bench.documents[operation] * 2, *bench.errors), kind=bench.kind, frame=bench.frame)
    script = data.draw(st.lists(st.none() | anything, min_size=1, max_size=3))
    return [line and replace(line, body=line.body.replace(b"{url}", server.url.encode())) for line in script]


def known_secrets(bench: Bench, seen: Sequence[Seen]) -> list[str]:
    """What the provider has to keep: its configuration, and what it was handed out and then used."""
    used = "\n".join(f"{one.target} {one.headers}" for one in seen)
    return [secret for secret in bench.secrets if secret not in HANDED_OUT or secret in used or secret == SIGNATURE]


def check_error(error: ProviderError, bench: Bench, seen: Sequence[Seen]) -> None:
    assert sentence_faults(error) == [], repr(str(error))
    assert leaks([str(error), repr(error)], known_secrets(bench, seen)) == [], str(error)
    assert error.__cause__ is None


def check_effect(
    error: ProviderError, bench: Bench, operation: str, seen: Sequence[Seen], script: Sequence[Reply | None]
) -> None:
    """A start, or a switch, that may have happened is never called one that surely did not."""
    changes = [place for place, one in enumerate(seen) if bench.changes(one)]
    assert len(changes) <= 1 or was_refused(script, changes[0], (401,))
    if operation not in ("start", "promote") or not changes or error.effect is Effect.UNKNOWN:
        return
    assert was_refused(script, changes[-1], range(400, 500)) or says_no(script, changes[-1], bench), (error, script)


def reply_to(script: Sequence[Reply | None], place: int) -> Reply | None:
    return script[min(place, len(script) - 1)]


def was_refused(script: Sequence[Reply | None], place: int, statuses: Sequence[int]) -> bool:
    reply = reply_to(script, place)
    return reply is not None and reply.status in statuses


def is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def says_no(script: Sequence[Reply | None], place: int, bench: Bench) -> bool:
    """The refusals that come with a status of success: codes of Decthings and Sony, ABP's message."""
    reply = reply_to(script, place)
    marks = {"decthings": b'"code"', "sony": b'"code"', "sestek": b"still in progress"}
    mark = marks.get(bench.name.split()[0])
    body = reply.body.replace(b"\0", b"") if reply is not None else b""  # it may be UTF-16
    return mark is not None and mark in body and (bench.frame is not None or is_json(reply.body if reply else b""))


def check_result(found: Any, operation: str, asked: Asked, bench: Bench, seen: Sequence[Seen]) -> None:
    match operation:
        case "status":
            check_status(found)
        case "statuses":
            check_statuses(found, asked.watched, bench, seen)
        case "find":
            check_found(found)
        case "start":
            assert found is None or (isinstance(found, str) and found)
        case "reserve" | "survey":
            assert isinstance(found, Mapping)
            assert is_storable(found)
            assert leaks([str(found)], known_secrets(bench, seen)) == []
        case "serving":
            assert isinstance(found, Serving)
            assert leaks([str(found)], known_secrets(bench, seen)) == []
        case "fetch_result":
            assert (found is None) is not asked.target.exists()
            assert found is None or asked.target.stat().st_size == found
        case _:
            assert found is None


def check_status(status: RemoteStatus) -> None:
    assert isinstance(status, RemoteStatus)
    assert status_faults(status) == []


def check_statuses(found: Any, watched: Watched, bench: Bench, seen: Sequence[Seen]) -> None:
    assert set(found) == {watched.job_id, "j9999zz"}
    for one in found.values():
        if isinstance(one, ProviderError):
            check_error(one, bench, seen)
        else:
            check_status(one)


def check_found(found: Found) -> None:
    assert isinstance(found, Found)
    assert found.remote_id is None or found.remote_id
    assert is_storable([found.remote_id, found.word, found.settle_after])


def test_secrets_of_this_module_would_be_seen() -> None:
    """The looks for secrets find them in the spellings in which services and libraries write them."""
    assert leaks(["a canaryKey%2F%2B1 b"], ["canaryKey/+1"])
    assert leaks(['{"x": "canaryKey\\/+1"}'], ["canaryKey/+1"])
    assert all(sentence_faults(said) for said in ("", "a\nb", "\x1b[31m", "x" * 2000))
    assert not is_readable("\u202e")
