"""Sony's retraining: the upload that starts it, its one documented word, the one-way switch, and what is never told."""

import json
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.domain.jobs import Phase, RemoteStatus
from bot.domain.requests import Payload, Plan, TrainRequest
from bot.errors import (
    BrokenError,
    ConfigurationError,
    CredentialsError,
    Effect,
    NotConfiguredError,
    NotFoundError,
    ProviderError,
    RateLimitedError,
    RejectedError,
    UnreachableError,
    UnreadableError,
    UsageError,
)
from bot.ports import Found, Gate, Provider, Watched
from bot.providers.http import Reply, Sessions, Tools, open_sessions
from bot.providers.sony import SETTLE_AFTER, build
from bot.providers.sony_replies import is_switched, judge, read_link, read_published, to_status
from sandbox.clock import Clock
from sandbox.services.sony import Sony as SonyService
from tests.providers.raw_server import Line, RawServer, raw_server, scripted

KEY, DEPLOY_KEY = "retrain-key-0001", "deploy-key-0001"
JOB = "0d3c6f3a-1f7e"
API = "/v1/external"
UPLOAD_URL = f"GET {API}/retrain_jobs/upload_url?filename=churn.csv"
STATUS = f"GET {API}/retrain_jobs/{JOB}"
SWITCH = f"PUT {API}/retrain_jobs/{JOB}/update_model"
CLASSIFIERS = f"GET {API}/classifiers"
SIGNED = "/up/a%2Fb?X-Credential=AK%2F2026%2Fs3&X-Signature=deadbeef%2Bcafe%3D&x=a+b%20c"
SWITCHED = Line(body={"metadata": {"retrain_job_id": JOB}})
CONTENT = b"a,b\n" + b"1,2\n" * 100
PAYLOAD = Payload(name="churn.csv", sha256="0" * 64, size=len(CONTENT), rows=100, columns=2)


def request(model: str = "churn", **data: str) -> TrainRequest:
    return TrainRequest(request_key="k", provider="sony", model=model, params={"model": model}, data=data)


def refused(message: str, code: object = 4001000204) -> dict[str, object]:
    return {"code": code, "error": "PREDA_EXTERNAL_BAD_REQUEST", "message": message}


def clean(text: str) -> str:
    return " ".join(text.split())


def status_of(**reply: object) -> RemoteStatus:
    return to_status({"metadata": {"retrain_job_id": JOB}, **reply}, clean)


@pytest.fixture
async def sessions() -> AsyncIterator[Sessions]:
    async with open_sessions() as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "spooled"
    path.write_bytes(CONTENT)
    return path


def provider_at(url: str, sessions: Sessions, **section: Any) -> Provider:
    models = {
        "churn": {"api_key": KEY, "classifier_id": "cls-1", "deploy_key": DEPLOY_KEY},
        "my_model": {"api_key": "k2"},
    }
    settings = {"base_url": f"{url}{API}", "models": models, "per_second": 1000}
    return build({**settings, **section}, Tools(sessions=sessions, now=Clock().now))


Scene = Callable[..., AbstractAsyncContextManager[tuple[Provider, RawServer]]]


@pytest.fixture
def scene(sessions: Sessions) -> Scene:
    """A provider in front of a scripted service. `{url}` in a body is the service's own address."""

    @asynccontextmanager
    async def play(script: dict[str, Any], **section: Any) -> AsyncIterator[tuple[Provider, RawServer]]:
        async with raw_server(scripted({})) as server:
            filled = json.loads(json.dumps(script, default=_line).replace("{url}", server.url))
            server.answer = scripted({key: _lines(line) for key, line in filled.items()})
            yield provider_at(server.url, sessions, **section), server

    return play


def _line(line: Line) -> dict[str, object]:
    body = line.body.decode() if isinstance(line.body, bytes) else line.body
    return {"status": line.status, "body": body, "raw": isinstance(line.body, bytes), "hangs_up": line.hangs_up}


def _lines(line: Any) -> Line | list[Line]:
    if isinstance(line, list):
        return [one for one in map(_lines, line) if isinstance(one, Line)]
    body = line["body"].encode() if line["raw"] else line["body"]
    return Line(status=line["status"], body=body, hangs_up=line["hangs_up"])


def reserved(url: str = "{url}" + SIGNED) -> Line:
    return Line(body={"retrain_job_id": JOB, "upload_url": url})


def planned(provider: Provider, model: str = "churn") -> Plan:
    return provider.plan(request(model), PAYLOAD)


def watching(model: str = "churn", remote_id: str | None = JOB) -> Watched:
    return Watched(job_id="j1", model=model, remote_id=remote_id)


async def failure(coroutine: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await coroutine
    return caught.value


# Configuration


@pytest.mark.parametrize(
    "section", [{}, {"models": {}}, {"models": {"churn": {"api_key": ""}}}, {"base_url": "https://x.y"}]
)
def test_without_keys_it_is_not_configured(sessions: Sessions, section: dict[str, Any]) -> None:
    """Each model has a key of its own; without any the service is simply not configured."""
    with pytest.raises(NotConfiguredError) as caught:
        build(section, Tools(sessions=sessions, now=Clock().now))
    assert caught.value.keys == ("SWITCHYARD_SONY__MODELS__<NAME>__API_KEY",)


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"models": {"a": {"api_key": KEY}, "b": {"classifier_id": "c", "deploy_key": "d"}}}, "MODELS__B__API_KEY"),
        ({"models": {"a": {"api_key": KEY, "classifier_id": "c"}}}, "MODELS__A: needs CLASSIFIER_ID and DEPLOY_KEY"),
        ({"models": {"a": {"api_key": KEY, "deploy_key": "d"}}}, "together"),
        ({"models": {"a": {"api_key": KEY, "secret": "d"}}}, "MODELS__A__SECRET"),
        ({"models": {"my-model": {"api_key": KEY}, "My_Model": {"api_key": KEY}}}, "two models"),
        ({"models": {"my model": {"api_key": KEY}}}, "letters, digits"),
        ({"models": "churn"}, "MODELS"),
        ({"models": {"a": {"api_key": KEY}}, "link_hosts": '["https://x/y"]'}, "LINK_HOSTS"),
        ({"models": {"a": {"api_key": KEY}}, "link_hosts": "[broken"}, "LINK_HOSTS"),
        ({"models": {"a": {"api_key": KEY}}, "base_url": "x"}, "BASE_URL"),
    ],
)
def test_wrong_settings_are_named(sessions: Sessions, section: dict[str, Any], named: str) -> None:
    """A wrong setting is told by its name and what it needs, and no sentence holds a key."""
    with pytest.raises(ConfigurationError) as caught:
        build(section, Tools(sessions=sessions, now=Clock().now))
    assert named in str(caught.value)
    assert KEY not in str(caught.value)


def test_powers_say_what_the_service_can(sessions: Sessions) -> None:
    """The gate is the switch, nothing can be cancelled, and failed is our reading."""
    powers = provider_at("http://127.0.0.1", sessions).powers
    assert (powers.gate, powers.failed_is_a_reading, powers.cancel, powers.many) == (Gate.AFTER, True, False, False)


def test_it_can_be_seen_only_with_both_settings(sessions: Sessions) -> None:
    """Seeing a switch takes the id of the published model and a key of type deploy."""
    provider = provider_at("http://127.0.0.1", sessions)
    assert [provider.can_see(watching(model)) for model in ("churn", "Churn", "my-model", "gone")] == [
        True,
        True,
        False,
        False,
    ]


# The request


@pytest.mark.parametrize("name", ["my_model", "my-model", "MY-Model", " my_model"])
def test_names_match_without_case_and_hyphens(sessions: Sessions, name: str) -> None:
    """A variable's name holds neither case nor hyphens, so a model is found without them."""
    provider = provider_at("http://127.0.0.1", sessions)
    provider.check(request(name))
    assert planned(provider, name).body == {"model": "my_model", "filename": "churn.csv"}


def test_an_unknown_model_is_refused_with_the_nearest(sessions: Sessions) -> None:
    """The way out is named."""
    with pytest.raises(UsageError) as caught:
        provider_at("http://127.0.0.1", sessions).check(request("chrun"))
    assert caught.value.suggestion == "churn"
    assert "`my_model`" in str(caught.value)


def test_a_zip_and_evaluation_data_exclude_each_other(sessions: Sessions) -> None:
    """It is seen before anything is stored."""
    provider = provider_at("http://127.0.0.1", sessions)
    with pytest.raises(UsageError, match="eval="):
        provider.check(request(data="a.ZIP", eval="b.csv"))
    provider.check(request(data="a.csv", eval="b.csv"))


def test_the_plan_says_that_the_switch_is_one_way(sessions: Sessions) -> None:
    """An approver reads what cannot be taken back."""
    summary = dict(planned(provider_at("http://127.0.0.1", sessions)).summary)
    assert "cannot be taken back" in summary["Goes live"]


def test_references_with_and_without_a_model(sessions: Sessions) -> None:
    """A retrain job id alone is tried with each configured key, in order."""
    provider = provider_at("http://127.0.0.1", sessions)
    assert [one.model for one in provider.references({"job": JOB})] == ["churn", "my_model"]
    (one,) = provider.references({"model": "My-Model", "job": JOB})
    assert (one.model, one.remote_id) == ("my_model", JOB)


@pytest.mark.parametrize("text", ["a/b", "..", "a?x=1", "a b", "", "x" * 129])
def test_ids_that_would_change_the_address_are_refused(sessions: Sessions, text: str) -> None:
    """An id of a command is never more than an id."""
    _, job = provider_at("http://127.0.0.1", sessions).arguments.reference
    assert job.refuse is not None
    assert job.refuse(JOB) is None
    assert job.refuse(text)


# The start


async def test_the_upload_is_bare_and_verbatim(scene: Scene, file: Path) -> None:
    """The key goes to the service alone; the signed address gets the bytes, their length, and nothing else."""
    async with scene({UPLOAD_URL: reserved(), f"PUT {SIGNED}": Line()}) as (provider, server):
        plan = planned(provider)
        claim = await provider.reserve(plan, "j1")
        assert await provider.start(plan, claim, file) == JOB
    asked, put = server.seen
    assert asked.headers["x-api-key"] == KEY
    assert (put.target, put.body) == (SIGNED, CONTENT)
    assert set(put.headers) == {"host", "content-length", "connection"}


async def test_the_claim_holds_the_id_alone(scene: Scene) -> None:
    """The signed address is a secret: it is never stored, and the id is known before the start."""
    async with scene({UPLOAD_URL: reserved()}) as (provider, _):
        plan = planned(provider)
        claim = await provider.reserve(plan, "j1")
    assert claim == {"retrain_job_id": JOB}
    assert provider.known_id(plan, claim) == JOB
    assert "deadbeef" not in repr((plan, claim))


@pytest.mark.parametrize(
    ("name", "written"),
    [("a b.csv", "a%20b.csv"), ("顧客.csv", "%E9%A1%A7%E5%AE%A2.csv"), ("a&b=c+d#.csv", "a%26b%3Dc%2Bd%23.csv")],
)
async def test_names_of_files_go_out_encoded(scene: Scene, name: str, written: str) -> None:
    """The name is a query value in UTF-8, encoded once."""
    async with scene({f"GET {API}/retrain_jobs/upload_url?filename={written}": reserved()}) as (provider, _):
        payload = Payload(name=name, sha256="0" * 64, size=1, rows=100)
        assert await provider.reserve(provider.plan(request(), payload), "j1") == {"retrain_job_id": JOB}


async def test_an_address_is_used_once(scene: Scene, file: Path) -> None:
    """After the upload, or a restart, the address is gone: nothing is sent, and a later try reserves anew."""
    async with scene({UPLOAD_URL: reserved(), f"PUT {SIGNED}": Line()}) as (provider, server):
        plan = planned(provider)
        claim = await provider.reserve(plan, "j1")
        await provider.start(plan, claim, file)
        error = await failure(provider.start(plan, claim, file))
    assert (type(error), error.effect) == (UnreachableError, Effect.NONE)
    assert [seen.method for seen in server.seen] == ["GET", "PUT"]


@pytest.mark.parametrize(
    "body",
    [
        b"<html>", b"{", b"", [], {}, {"retrain_job_id": JOB}, {"retrain_job_id": JOB, "upload_url": None},
        {"retrain_job_id": 7, "upload_url": "{url}/x"}, {"retrain_job_id": "", "upload_url": "{url}/x"},
        {"retrain_job_id": JOB, "upload_url": "not a link"}, {"retrain_job_id": JOB, "upload_url": "ftp://h/x"},
    ],
)  # fmt: skip
async def test_odd_answers_reserve_nothing(scene: Scene, body: object) -> None:
    """Without an id and a link there is nothing to start."""
    async with scene({UPLOAD_URL: Line(body=body)}) as (provider, _):
        assert isinstance(await failure(provider.reserve(planned(provider), "j1")), UnreadableError)


async def test_no_link_is_remembered_that_must_not_be_followed(scene: Scene) -> None:
    """A link to another host than those that are named in the settings is refused before anything is sent."""
    async with scene({UPLOAD_URL: reserved()}, link_hosts='["storage.example"]') as (provider, server):
        error = await failure(provider.reserve(planned(provider), "j1"))
    assert isinstance(error, RejectedError)
    assert "SWITCHYARD_SONY__LINK_HOSTS" in str(error)
    assert "deadbeef" not in str(error)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("line", "kind", "effect"),
    [
        (Line(status=403, body=b"<Error>SignatureDoesNotMatch</Error>"), RejectedError, Effect.REFUSED),
        (Line(status=401, body=b"no"), RejectedError, Effect.REFUSED),
        (Line(status=409), RejectedError, Effect.REFUSED),
        (Line(status=429), RateLimitedError, Effect.NONE),
        (Line(status=500), BrokenError, Effect.UNKNOWN),
        (Line(status=503, body=b"<html>"), BrokenError, Effect.UNKNOWN),
        (Line(status=500, body={"error": {"message": "invalid_api_key"}}), BrokenError, Effect.UNKNOWN),
        (Line(status=302), UnreadableError, Effect.UNKNOWN),
        (Line(hangs_up=True), UnreachableError, Effect.UNKNOWN),
    ],
)
async def test_an_upload_that_fails_is_sent_once(
    scene: Scene, file: Path, line: Line, kind: type[ProviderError], effect: Effect
) -> None:
    """The finished upload is the start: it is never repeated, whatever comes, and no error holds the address."""
    async with scene({UPLOAD_URL: reserved(), f"PUT {SIGNED}": line}) as (provider, server):
        plan = planned(provider)
        error = await failure(provider.start(plan, await provider.reserve(plan, "j1"), file))
    assert (type(error), error.effect) == (kind, effect)
    assert [seen.method for seen in server.seen] == ["GET", "PUT"]
    assert "deadbeef" not in str(error)
    assert "key" not in str(error)


@pytest.mark.parametrize("status", [200, 201, 204])
async def test_any_success_of_the_storage_counts(scene: Scene, file: Path, status: int) -> None:
    """The page does not name the status of the upload."""
    async with scene({UPLOAD_URL: reserved(), f"PUT {SIGNED}": Line(status=status, body=b"")}) as (provider, _):
        plan = planned(provider)
        assert await provider.start(plan, await provider.reserve(plan, "j1"), file) == JOB


async def test_few_addresses_are_held(scene: Scene) -> None:
    """Addresses of starts that never came do not pile up."""
    answers = [Line(body={"retrain_job_id": f"job{number}", "upload_url": "{url}/x"}) for number in range(40)]
    async with scene({UPLOAD_URL: answers}) as (provider, _):
        plan = planned(provider)
        for _ in range(40):
            await provider.reserve(plan, "j1")
    assert len(provider._uploads) == 32  # type: ignore[attr-defined]


# Links


@pytest.mark.parametrize(
    ("link", "plain", "hosts", "kind"),
    [
        ("https://s.example/a?x=%2F", False, (), None),
        ("http://s.example/a", True, (), None),
        ("http://s.example/a", False, (), RejectedError),
        ("https://s.example:8443/a", False, ("s.example",), None),
        ("https://b.s.example/a", False, ("s.example",), None),
        ("https://S.EXAMPLE/a", False, ("s.example",), None),
        ("https://evils.example/a", False, ("s.example",), RejectedError),
        ("https://s.example.evil/a", False, ("s.example",), RejectedError),
        ("https://s.example@evil/a", False, (), RejectedError),
        ("https://user:pw@s.example/a", False, (), RejectedError),
        ("ftp://s.example/a", False, (), UnreadableError),
        ("file:///etc/passwd", False, (), UnreadableError),
        ("https:///a", False, (), UnreadableError),
        ("https://[::1/a", False, (), UnreadableError),
        ("//s.example/a", False, (), UnreadableError),
        ("", False, (), UnreadableError),
        (None, False, (), UnreadableError),
        (["https://s.example"], False, (), UnreadableError),
    ],
)
def test_links_follow_rules(
    link: object, plain: bool, hosts: tuple[str, ...], kind: type[ProviderError] | None
) -> None:
    """Encrypted unless the service is not, without a user, and only where the settings allow."""
    if kind is None:
        assert str(read_link(link, may_be_plain=plain, hosts=hosts)).lower() == str(link).lower()
        return
    with pytest.raises(kind):
        read_link(link, may_be_plain=plain, hosts=hosts)


async def test_a_public_service_cannot_send_us_inside(sessions: Sessions, file: Path) -> None:
    """Where the service is on the open internet, its links to private addresses are not called."""
    async with raw_server(scripted({})) as inside:
        provider = provider_at("http://1.1.1.1", sessions)
        provider._uploads[JOB] = read_link(f"{inside.url}/x", may_be_plain=True, hosts=())  # type: ignore[attr-defined]
        error = await failure(provider.start(planned(provider), {"retrain_job_id": JOB}, file))
    assert isinstance(error, RejectedError)
    assert "private address" in str(error)
    assert inside.seen == []


# Words


def test_the_one_documented_word() -> None:
    """`job_finished` is trained; the id of the model is kept, the link to the result is not."""
    status = status_of(status="job_finished", model_id=12, download_url="https://s.example/r?sig=deadbeef")
    assert (status.phase, status.is_known) == (Phase.TRAINED, True)
    assert status.result == {"model_id": 12, "has_file": True}
    assert "deadbeef" not in repr(status)


@pytest.mark.parametrize(
    "word",
    ["job_failed", "ERROR", "TrainingError", "cancelled", "Canceled", "aborted", "deleted", "timeout", "x_TIMEOUT_y"],
)
def test_words_that_we_read_as_failed(word: str) -> None:
    """They are not documented, so the reading is told as one, with the word as it is."""
    status = status_of(status=word)
    assert (status.phase, status.word, status.is_known) == (Phase.FAILED, word, True)
    assert "our reading" in status.detail


@pytest.mark.parametrize(
    "word",
    [
        "job_running",
        "job_accepted",
        "finished",
        "waiting",
        "not_job_finished",
        "完了",
        "???",
        "JOB_FINISHED_2",
        "x" * 299,
    ],
)
def test_every_other_word_is_running(word: str) -> None:
    """A new word is shown as it is, moves nothing to an end, and is told once."""
    status = status_of(status=word)
    assert (status.phase, status.word, status.is_known) == (Phase.RUNNING, word, False)


@pytest.mark.parametrize("word", ["job_finished", "Job_Finished", " job_finished "])
def test_the_documented_word_in_any_case(word: str) -> None:
    """Case and spaces do not make another word of it."""
    assert status_of(status=word).phase is Phase.TRAINED


@pytest.mark.parametrize("word", [None, 7, "", "  ", [], {}, True])
def test_without_a_word_it_is_unreadable(word: object) -> None:
    """No word, no conclusion."""
    with pytest.raises(UnreadableError):
        status_of(status=word)


def test_a_message_is_shown_and_decides_nothing() -> None:
    """Free text of the service goes to the person; it never fails a job by itself."""
    status = status_of(status="job_running", message="Error: something\n failed?")
    assert (status.phase, status.detail) == (Phase.RUNNING, "Error: something failed?")
    assert status_of(status="job_failed", message="No rows.").detail.endswith("; No rows.")


@pytest.mark.parametrize("model_id", [None, [], {}, True, 1.5])
def test_an_odd_model_id_is_left_out(model_id: object) -> None:
    """It may be absent or of any form."""
    assert status_of(status="job_finished", model_id=model_id).result == {"has_file": False}


async def test_a_message_tells_no_link(scene: Scene) -> None:
    """Were the service to put a link or the key into its message, neither would be shown."""
    body = {"status": "job_running", "message": f"see https://s.example{SIGNED} with {KEY}"}
    async with scene({STATUS: Line(body=body)}) as (provider, _):
        status = await provider.status(watching())
    assert status.detail == "see https://s.example/up/a%2Fb?… with …"


# Errors

SHAPES: list[Callable[[str], object]] = [
    refused,
    lambda message: refused(message, "4001000204"),
    lambda message: {"error": refused(message)},
    lambda message: {"errors": [refused(message), refused("other")]},
    lambda message: {"message": message},
    lambda message: f"4001000204 PREDA_EXTERNAL_BAD_REQUEST {message}".encode(),
]

KNOWN = [
    ("invalid_api_key.", CredentialsError),
    ("Inactive_credential.", CredentialsError),
    ("Not_found_credential.", CredentialsError),
    ("  inactive_CREDENTIAL ", CredentialsError),
    ("Not found retrain job.", NotFoundError),
    ("This job may be deleted.", NotFoundError),
    ("This user may be deleted.", RejectedError),
    ("This model may be deleted.", RejectedError),
    ("Not found classifier.", RejectedError),
    ("Retrain job is not finished.", RejectedError),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("message", "kind"), KNOWN)
@pytest.mark.parametrize("status", [400, 500, 403, 404])
def test_known_messages_decide_in_every_shape(
    shape: Callable[[str], object], message: str, kind: type[ProviderError], status: int
) -> None:
    """All causes share one code, and neither shape nor HTTP status is documented: the message alone tells."""
    body = shape(message)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    error = judge(Reply(status=status, body=raw, headers={}), clean)
    assert type(error) is kind
    assert error is not None
    assert error.effect is Effect.REFUSED


def test_an_error_in_a_200_is_one() -> None:
    """A code of the documented form makes an error of any answer; a status reply is none."""
    reply = Reply(status=200, body=json.dumps(refused("Not found retrain job.")).encode(), headers={})
    assert type(judge(reply, clean)) is NotFoundError
    running = b'{"status": "job_running", "message": "Not found retrain job."}'
    half, page = b'{"code": 4001000204, "mess', b"<html>Call 4155551234: invalid_api_key</html>"
    for body in (running, half, page, b"", b"<html>", b"[]", b"null"):
        assert judge(Reply(status=200, body=body, headers={}), clean) is None


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (400, refused("Something new."), RejectedError, "Something new."),
        (400, b"", RejectedError, "no reason given"),
        (400, b"<html>", RejectedError, "no reason given"),
        (400, [1], RejectedError, "no reason given"),
        (400, {"code": {}, "message": []}, RejectedError, "no reason given"),
        (400, {"errors": [None]}, RejectedError, "no reason given"),
        (401, {"message": "Unauthorized"}, CredentialsError, "Unauthorized"),
        (403, {"message": "Forbidden"}, RejectedError, "Forbidden"),
        (404, {"message": "Not Found"}, RejectedError, "BASE_URL"),
        (404, b"<html>Not found</html>", RejectedError, "BASE_URL"),
        (400, refused("Not found configuration_file.", 5001000201), BrokenError, "configuration_file"),
        (500, refused("Not found configuration_file.", 5001000201), BrokenError, "configuration_file"),
        (502, b"<html>", BrokenError, "502"),
    ],
)
def test_other_errors(status: int, body: object, kind: type[ProviderError], said: str) -> None:
    """An unknown error keeps its own words; a web page or a 404 says nothing of a job."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    error = judge(Reply(status=status, body=raw, headers={}), clean)
    assert type(error) is kind
    assert said in str(error)


async def test_a_refused_key_says_what_to_do(scene: Scene) -> None:
    """A key lasts 30 days; the sentence says so and names the setting of this very model."""
    async with scene({STATUS: Line(status=400, body=refused("Inactive_credential."))}) as (provider, _):
        for model, key in (("churn", "CHURN"), ("My-Model", "MY_MODEL")):
            error = await failure(provider.status(watching(model)))
            assert isinstance(error, CredentialsError)
            assert "30 days" in str(error)
            assert f"SWITCHYARD_SONY__MODELS__{key}__API_KEY" in str(error)
            assert KEY not in str(error)


async def test_a_model_that_is_gone_from_the_settings(scene: Scene) -> None:
    """A job of a model without a key is told so, and nothing is sent."""
    async with scene({}) as (provider, server):
        error = await failure(provider.status(watching("former")))
    assert "SWITCHYARD_SONY__MODELS__FORMER__API_KEY" in str(error)
    assert server.seen == []


# Finding it


async def found(scene: Scene, body: object, last: Found | None = None, status: int = 200) -> Found:
    async with scene({STATUS: Line(status=status, body=body)}) as (provider, _):
        return await provider.find(planned(provider), {"retrain_job_id": JOB}, last)


@pytest.mark.parametrize("word", ["job_finished", "job_failed", "timeout"])
async def test_an_ended_job_is_found(scene: Scene, word: str) -> None:
    """What has ended has run."""
    assert (await found(scene, {"status": word})).remote_id == JOB


async def test_a_constant_word_proves_nothing(scene: Scene) -> None:
    """A job that waits for its data stands still: it is looked at for half an hour before a person is asked."""
    first = await found(scene, {"status": "waiting"})
    again = await found(scene, {"status": "waiting"}, Found(word=first.word))
    assert (first.remote_id, again.remote_id) == (None, None)
    assert again.settle_after == SETTLE_AFTER == 1800
    assert "waiting" in again.word
    assert JOB in again.word


async def test_a_changing_word_is_a_living_job(scene: Scene) -> None:
    """A word that is another one than before shows that the data has arrived."""
    first = await found(scene, {"status": "waiting"})
    assert (await found(scene, {"status": "accepted"}, Found(word=first.word))).remote_id == JOB


async def test_a_word_of_a_former_job_does_not_count(scene: Scene) -> None:
    """After "start again" there is a new retrain job: what its predecessor said is no change of word."""
    former = Found(word="waiting (retrain job another)")
    assert (await found(scene, {"status": "accepted"}, former)).remote_id is None


async def test_an_unknown_job_is_not_found(scene: Scene) -> None:
    """The service denies the job: not found, and no half hour for it; should it know it later, that is no change."""
    denied = await found(scene, refused("Not found retrain job."), status=400)
    assert (denied.remote_id, denied.settle_after) == (None, None)
    assert (await found(scene, {"status": "waiting"}, Found(word=denied.word))).remote_id is None


async def test_a_look_that_fails_finds_nothing(scene: Scene) -> None:
    """An error is an error, and no proof of anything."""
    for body, status in ((b"<html>", 200), (b"", 500), (refused("Inactive_credential."), 400)):
        async with scene({STATUS: Line(status=status, body=body)}) as (provider, _):
            await failure(provider.find(planned(provider), {"retrain_job_id": JOB}, None))


# The result


async def test_the_result_is_fetched_with_a_fresh_link(scene: Scene, tmp_path: Path) -> None:
    """The link is asked for when it is needed, goes out verbatim and without a key."""
    finished = Line(body={"status": "job_finished", "download_url": "{url}" + SIGNED})
    async with scene({STATUS: finished, f"GET {SIGNED}": Line(body=b"PK\x03\x04")}) as (provider, server):
        assert await provider.fetch_result(watching(), tmp_path / "result") == 4
    assert (tmp_path / "result").read_bytes() == b"PK\x03\x04"
    assert "x-api-key" not in server.seen[-1].headers


@pytest.mark.parametrize("link", [None, ""])
async def test_without_a_link_there_is_no_result(scene: Scene, tmp_path: Path, link: object) -> None:
    """Not every finished job has a result."""
    async with scene({STATUS: Line(body={"status": "job_finished", "download_url": link})}) as (provider, _):
        assert await provider.fetch_result(watching(), tmp_path / "result") is None
    assert not (tmp_path / "result").exists()


async def test_results_obey_the_rules_for_links(scene: Scene, tmp_path: Path) -> None:
    """The same rules as for uploads."""
    finished = Line(body={"status": "job_finished", "download_url": "{url}" + SIGNED})
    async with scene({STATUS: finished}, link_hosts=["storage.example"]) as (provider, server):
        assert isinstance(await failure(provider.fetch_result(watching(), tmp_path / "result")), RejectedError)
    assert len(server.seen) == 1


# The switch


async def test_the_switch_is_a_put_with_the_models_key(scene: Scene) -> None:
    """No query, no body, one call."""
    async with scene({SWITCH: SWITCHED}) as (provider, server):
        await provider.promote(watching())
    (put,) = server.seen
    assert (put.method, put.body, put.headers["x-api-key"]) == ("PUT", b"", KEY)


@pytest.mark.parametrize(
    ("line", "kind", "effect"),
    [
        (Line(status=400, body=refused("Retrain job is not finished.")), RejectedError, Effect.REFUSED),
        (Line(status=400, body=refused("Not found classifier.")), RejectedError, Effect.REFUSED),
        (Line(status=400, body=refused("Not found retrain job.")), NotFoundError, Effect.REFUSED),
        (Line(status=400, body=refused("invalid_api_key.")), CredentialsError, Effect.REFUSED),
        (Line(status=200, body=refused("Retrain job is not finished.")), RejectedError, Effect.REFUSED),
        (Line(status=429), RateLimitedError, Effect.NONE),
        (Line(status=500), BrokenError, Effect.UNKNOWN),
        (Line(status=504, body=b"<html>"), BrokenError, Effect.UNKNOWN),
        (Line(status=302), UnreadableError, Effect.UNKNOWN),
        (Line(body=b"<html>OK</html>"), UnreadableError, Effect.UNKNOWN),
        (Line(body=b'{"metadata": {'), UnreadableError, Effect.UNKNOWN),
        (Line(body=b""), UnreadableError, Effect.UNKNOWN),
        (Line(body=[]), UnreadableError, Effect.UNKNOWN),
        (Line(body={"metadata": {"retrain_job_id": "another"}}), UnreadableError, Effect.UNKNOWN),
        (Line(hangs_up=True), UnreachableError, Effect.UNKNOWN),
    ],
)
async def test_a_switch_is_sent_once_whatever_comes(
    scene: Scene, line: Line, kind: type[ProviderError], effect: Effect
) -> None:
    """The switch cannot be taken back: it is never repeated, and an unclear answer leaves open whether it happened."""
    async with scene({SWITCH: line}) as (provider, server):
        error = await failure(provider.promote(watching()))
    assert (type(error), error.effect) == (kind, effect)
    assert len(server.seen) == 1


ROW = {
    "classifier_id": "cls-1", "model_id": 5, "version": "1.0", "status": "running", "api_key": "live-secret",
    "update_datetime": "2026-01-01", "url": "https://x", "active": True, "rules": [{"source": "0.0.0.0/0"}],
}  # fmt: skip


async def test_the_survey_takes_no_secret_out(scene: Scene) -> None:
    """The list of published models holds live keys of all of them; four harmless values of ours are kept."""
    rows = [{**ROW, "classifier_id": "other", "version": "9"}, None, ROW]
    async with scene({CLASSIFIERS: Line(body={"classifiers": rows})}) as (provider, server):
        before = await provider.survey(watching())
    assert before == {"version": "1.0", "model_id": 5, "update_datetime": "2026-01-01", "status": "running"}
    assert server.seen[0].headers["x-api-key"] == DEPLOY_KEY


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_no_error_of_the_survey_tells_a_secret(scene: Scene, status: int) -> None:
    """Even a broken reply with keys in it is not quoted."""
    for body in (b'{"classifiers": [{"api_key": "live-secret"', {"classifiers": {"api_key": "live-secret"}}, [ROW]):
        async with scene({CLASSIFIERS: Line(status=status, body=body)}) as (provider, _):
            assert "live-secret" not in str(await failure(provider.survey(watching())))


async def test_a_refused_deploy_key_is_named(scene: Scene) -> None:
    """It is another key, with another setting."""
    async with scene({CLASSIFIERS: Line(status=400, body=refused("Not_found_credential."))}) as (provider, _):
        assert "SWITCHYARD_SONY__MODELS__CHURN__DEPLOY_KEY" in str(await failure(provider.survey(watching())))


async def test_a_model_that_cannot_be_seen_is_not_surveyed(scene: Scene) -> None:
    """Without the settings nothing is read, and nothing is claimed."""
    async with scene({}) as (provider, server):
        assert await provider.survey(watching("my_model")) == {}
        assert (await provider.serving(watching("my_model"), {})).is_new is False
    assert server.seen == []


BEFORE = {"version": "1", "model_id": 5, "update_datetime": "a", "status": "running"}


@pytest.mark.parametrize(
    ("now", "switched"),
    [
        ({}, False),
        ({"status": "updating"}, False),
        ({"status": "updating", "version": "2"}, False),
        ({"version": "2"}, True),
        ({"model_id": 6}, True),
        ({"update_datetime": "b"}, False),
        ({"status": "failed", "version": "2"}, False),
        ({"status": "Running", "version": "2"}, True),
    ],
)
def test_live_is_another_model_that_runs(now: dict[str, object], switched: bool) -> None:
    """Live is said only when another version or model was seen running; a newer date alone may have other reasons."""
    assert is_switched(BEFORE, {**BEFORE, **now}) is switched


def test_a_date_counts_where_there_is_nothing_better() -> None:
    """Where neither version nor model is told, the time of the update is what there is."""
    assert is_switched({"update_datetime": "a"}, {"update_datetime": "b", "status": "running"})
    assert not is_switched({"update_datetime": "a"}, {"update_datetime": "a", "status": "running"})
    assert not is_switched({}, {"update_datetime": "b", "status": "running"})
    assert not is_switched({"version": "1"}, {"status": "running"})


@pytest.mark.parametrize("reply", [{}, {"classifiers": None}, {"classifiers": {}}])
def test_odd_lists_of_published_models(reply: dict[str, object]) -> None:
    """A reply without a list is unreadable; a list without ours is an answer."""
    with pytest.raises(UnreadableError):
        read_published(reply, "cls-1")
    assert read_published({"classifiers": [{}, 3, {"classifier_id": 1}]}, "cls-1") == {}


# Against the sandbox's service, which was written from the same pages by other hands


@pytest.fixture
async def service() -> AsyncIterator[SonyService]:
    service = SonyService(Clock(), training_seconds=100.0)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
def sony(service: SonyService, sessions: Sessions) -> Provider:
    section: dict[str, Any] = {"per_second": 1000}
    for name, value in service.environment().items():
        *above, key = name.removeprefix("SWITCHYARD_SONY__").lower().split("__")
        place = section
        for part in above:
            place = place.setdefault(part, {})
        place[key] = value
    return build(section, Tools(sessions=sessions, now=service.clock.now))


def act(service: SonyService, action: str, **params: Any) -> None:
    done = service.act(action, **params)
    assert done["ok"], done


def on(model: str, claim: Any) -> Watched:
    return Watched(job_id="j1", model=model, claim=claim, remote_id=claim["retrain_job_id"])


async def test_from_the_upload_to_the_switch(service: SonyService, sony: Provider, file: Path, tmp_path: Path) -> None:
    """Reserved, uploaded once, watched to its end, its result kept, switched once, and seen serving only then."""
    plan = planned(sony)
    claim = await sony.reserve(plan, "j1")
    assert await sony.start(plan, claim, file) == claim["retrain_job_id"]
    watched, phases = on("churn", claim), []
    for _ in range(12):
        phases.append((await sony.status(watched)).phase)
        service.clock.advance(10)
    assert list(dict.fromkeys(phases)) == [Phase.RUNNING, Phase.TRAINED]
    assert await sony.fetch_result(watched, tmp_path / "result.zip") == (tmp_path / "result.zip").stat().st_size
    assert zipfile.is_zipfile(tmp_path / "result.zip")
    before = await sony.survey(watched)
    await sony.promote(watched)
    assert not (await sony.serving(watched, before)).is_new
    service.clock.advance(60)
    assert (await sony.serving(watched, before)).is_new
    assert (len(service.starts), len(service.switches), len(service.arrivals("PUT"))) == (1, 1, 2)


@pytest.mark.parametrize("kind", ["reset", "500", "redirect"])
async def test_an_upload_with_a_lost_answer_is_found(
    service: SonyService, sony: Provider, file: Path, kind: str
) -> None:
    """The upload worked, its answer did not arrive: the job is found as soon as its word changes, without a second."""
    plan = planned(sony)
    claim = await sony.reserve(plan, "j1")
    service.fail_next(kind, method="PUT", after_work=True)
    assert (await failure(sony.start(plan, claim, file))).effect is Effect.UNKNOWN
    first = await sony.find(plan, claim, None)
    assert first.remote_id is None
    service.clock.advance(30)
    assert (await sony.find(plan, claim, Found(word=first.word))).remote_id == claim["retrain_job_id"]
    assert (len(service.starts), len(service.arrivals("PUT"))) == (1, 1)


async def test_an_upload_that_never_arrived_is_not_found(service: SonyService, sony: Provider, file: Path) -> None:
    """A job without data says the same for ever: it is never taken for a training."""
    plan = planned(sony)
    claim = await sony.reserve(plan, "j1")
    service.fail_next("reset", method="PUT")
    assert (await failure(sony.start(plan, claim, file))).effect is Effect.UNKNOWN
    last: Found | None = None
    for _ in range(5):
        last = await sony.find(plan, claim, last)
        assert last.remote_id is None
        service.clock.advance(600)
    assert service.starts == []


@pytest.mark.parametrize("kind", ["reset", "500", "html", "half", "cut", "empty", "redirect"])
async def test_a_switch_with_a_lost_answer_is_seen(service: SonyService, sony: Provider, file: Path, kind: str) -> None:
    """The switch worked, its answer did not arrive: it is not repeated, and a look shows it."""
    plan = planned(sony)
    claim = await sony.reserve(plan, "j1")
    await sony.start(plan, claim, file)
    act(service, "finish", training=claim["retrain_job_id"])
    watched = on("churn", claim)
    before = await sony.survey(watched)
    service.fail_next(kind, method="PUT", after_work=True)
    assert (await failure(sony.promote(watched))).effect is Effect.UNKNOWN
    service.clock.advance(60)
    assert (await sony.serving(watched, before)).is_new
    assert len(service.switches) == 1


@pytest.mark.parametrize("shape", ["plain", "text_code", "nested", "listed", "not_json"])
async def test_each_shape_of_error(service: SonyService, sony: Provider, file: Path, shape: str) -> None:
    """Not finished, not known, key too old: told apart in every shape that an error may have."""
    act(service, "error_shape", shape=shape)
    plan = planned(sony)
    claim = await sony.reserve(plan, "j1")
    await sony.start(plan, claim, file)
    early = await failure(sony.promote(on("churn", claim)))
    assert early.effect is Effect.REFUSED
    assert "not finished" in str(early)
    act(service, "expire_keys", model="churn")
    assert "30 days" in str(await failure(sony.status(on("churn", claim))))
    act(service, "renew_keys", model="churn")
    act(service, "forget", training=claim["retrain_job_id"])
    assert type(await failure(sony.status(on("churn", claim)))) is NotFoundError


async def test_a_training_that_fails(service: SonyService, sony: Provider, file: Path) -> None:
    """The word and the message reach the person, with the reading named as one."""
    plan = planned(sony)
    claim = await sony.reserve(plan, "j1")
    await sony.start(plan, claim, file)
    act(service, "fail", training=claim["retrain_job_id"], message="Too little data.")
    status = await sony.status(on("churn", claim))
    assert status.phase is Phase.FAILED
    assert "our reading" in status.detail
    assert "Too little data." in status.detail


async def test_without_its_prediction_api_nothing_is_switched(service: SonyService, sony: Provider, file: Path) -> None:
    """The model was unpublished in the meantime: the switch is refused, with the reason."""
    plan = planned(sony)
    claim = await sony.reserve(plan, "j1")
    await sony.start(plan, claim, file)
    act(service, "finish", training=claim["retrain_job_id"])
    act(service, "delete_classifier", model="churn")
    error = await failure(sony.promote(on("churn", claim)))
    assert error.effect is Effect.REFUSED
    assert "prediction API" in str(error)
    assert await sony.survey(on("churn", claim)) == {}
