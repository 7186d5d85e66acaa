"""DeepOpinion Studio against a scripted service of our own and against the sandbox's."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from bot.domain.arguments import Kind, usage
from bot.domain.jobs import Phase, RemoteStatus
from bot.domain.requests import Plan, TrainRequest
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
from bot.ports import Found, Gate, Provider, Reference, Watched
from bot.providers.deepopinion import ARGUMENTS, WORDS, build, read_created, to_body, to_status
from bot.providers.http import Sessions, Tools, open_sessions
from sandbox.clock import Clock
from sandbox.services.deepopinion import DeepOpinion as SandboxDeepOpinion
from tests.providers.scripted import BROKEN, Answer, Scripted, decoded, hang_up, page, says, scripted

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
KEY = "key-of-the-team"
PASSWORD = "hunter2/ü"
LOGIN = "/auth/login"
MODELS = "/projects/1/models"
# The example of https://docs.deepopinion.ai/api/train-a-new-model, as it stands there.
SAMPLE = {
    "base": "Hotel Pre-Trained",
    "created": "2023-11-02",
    "display_name": "My model 1",
    "uuid": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "id": 0,
    "language": "en",
    "long_description": "My model 1 can predict anything I want",
    "name": "My model 1",
    "owner": "John Doe",
    "progress": 6.78,
    "project_id": 1,
    "score": 0.68,
    "short_description": "This is a very short description of My Model 1",
    "status": "CREATED",
    "type": "ABSA",
}


def model(number: Any = 12, name: str = "reviews", status: Any = "CREATED", **more: Any) -> dict[str, Any]:
    return {**SAMPLE, "id": number, "name": name, "status": status, **more}


def request(name: str = "reviews", **params: Any) -> TrainRequest:
    return TrainRequest(
        request_key="k", provider="deepopinion", model=name, params={"project": 1, "name": name} | params
    )


def watched(remote_id: str | None = "12", name: str = "reviews") -> Watched:
    return Watched(job_id="j", model=name, params={"project": 1}, remote_id=remote_id)


async def failure(coroutine: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await coroutine
    return caught.value


class Time:
    """The bot's clock, moved by hand."""

    def __init__(self) -> None:
        self.now = NOON


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def sessions() -> AsyncIterator[Sessions]:
    async with open_sessions() as opened:
        yield opened


@pytest.fixture
async def service() -> AsyncIterator[Scripted]:
    async with scripted() as service:
        service.on("GET", MODELS, says([]))
        service.on("POST", MODELS, says(model(), 201))
        yield service


@pytest.fixture
def tools(sessions: Sessions, time: Time) -> Tools:
    return Tools(sessions=sessions, now=lambda: time.now)


@pytest.fixture
def provider(service: Scripted, tools: Tools) -> Provider:
    return build({"base_url": service.url, "api_key": KEY}, tools)


@pytest.fixture
def by_login(service: Scripted, tools: Tools) -> Provider:
    section = {"base_url": service.url, "email": "ada@acme.example", "password": PASSWORD}
    return build(section, tools)


def planned(provider: Provider, **params: Any) -> Plan:
    return provider.plan(request(**params), None)


# -- words ------------------------------------------------------------------------------------------------------------


def test_powers_and_usage(provider: Provider) -> None:
    """There is no gate, no cancelling, no file: a card shows no button for what the service lacks."""
    powers = provider.powers
    assert (powers.gate, powers.cancel, powers.many, powers.watches_live, powers.look_publishes) == (
        Gate.NONE,
        False,
        False,
        False,
        False,
    )
    assert provider.data is None
    assert usage("deepopinion", ARGUMENTS) == (
        "/train deepopinion PROJECT-ID NAME [language=en|de|ar] [base=ID] [sessions=1,2] [train=1,2] [test=3]"
        ' [title="…"] [every="mon 09:00"]'
    )


def test_arguments_are_data() -> None:
    """Grammar and form read from the arguments what each of them takes."""
    kinds = {argument.name: argument.kind for argument in (*ARGUMENTS.positionals, *ARGUMENTS.options)}
    assert kinds == {
        "project": Kind.INTEGER,
        "name": Kind.TEXT,
        "language": Kind.TEXT,
        "base": Kind.INTEGER,
        "sessions": Kind.INTEGERS,
        "train": Kind.INTEGERS,
        "test": Kind.INTEGERS,
        "title": Kind.TEXT,
        "every": Kind.EVERY,
    }
    assert ARGUMENTS.options[0].choices == ("en", "de", "ar")


@pytest.mark.parametrize(("name", "is_refused"), [("reviews", False), ("My model 1", False), (" ", True), ("a ", True)])
def test_names_have_no_blanks_around_them(name: str, is_refused: bool) -> None:
    """A name that the service might trim could not be found again."""
    refuse = ARGUMENTS.positionals[1].refuse
    assert refuse is not None
    assert (refuse(name) is not None) is is_refused


def test_what_is_not_given_is_not_sent() -> None:
    """Absent options are absent from the body; the title falls back on the name."""
    assert to_body(request()) == {"display_name": "reviews", "name": "reviews"}
    full = request(language="de", base=7, train=[1, 2], test=[3], title="Reviews 2026")
    assert to_body(full) == {
        "display_name": "Reviews 2026",
        "name": "reviews",
        "language": "de",
        "base_id": 7,
        "trainset_annotation_ids": [1, 2],
        "testset_annotation_ids": [3],
    }
    assert to_body(request(sessions=[1, 2]))["annotation_ids"] == [1, 2]


@pytest.mark.parametrize("others", [{"train": [1]}, {"test": [2]}, {"train": [1], "test": [2]}])
def test_sessions_exclude_the_two_sets(provider: Provider, others: dict[str, Any]) -> None:
    """The service would silently ignore the two sets, so both at once are refused before anything is stored."""
    with pytest.raises(UsageError) as caught:
        provider.check(request(sessions=[1], **others))
    for option in ("sessions", *others):
        assert f"`{option}=`" in str(caught.value)
    provider.check(request(**others))
    provider.check(request(sessions=[1]))
    provider.check(request())


def test_the_plan_says_what_is_sent(provider: Provider) -> None:
    """People read every value that is sent, and are told when a session stands in both sets."""
    plan = planned(provider, base=7, train=[1, 2], test=[2, 3], title="Reviews 2026")
    assert plan.summary == (
        ("Project", "1"),
        ("Name", "reviews"),
        ("Title", "Reviews 2026"),
        ("Base model", "7"),
        ("Training sessions", "1, 2"),
        ("Test sessions", "2, 3"),
        ("Note", "In both sets, which flatters the score: 2"),
    )
    assert plan.digest() != planned(provider, base=7, train=[1, 2], test=[3], title="Reviews 2026").digest()


def test_a_reference_is_project_and_model(provider: Provider) -> None:
    """A model that was made elsewhere is named by its numbers."""
    expected = Reference(model="11", params={"project": 1}, remote_id="11")
    assert provider.references({"project": "1", "id": "11"}) == (expected,)


# -- configuration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ({}, ("SWITCHYARD_DEEPOPINION__API_KEY",)),
        ({"api_key": " ", "email": ""}, ("SWITCHYARD_DEEPOPINION__API_KEY",)),
        ({"email": "ada@acme.example"}, ("SWITCHYARD_DEEPOPINION__PASSWORD",)),
        ({"password": "x"}, ("SWITCHYARD_DEEPOPINION__EMAIL",)),
    ],
)
def test_what_lacks_is_named(tools: Tools, section: dict[str, str], keys: tuple[str, ...]) -> None:
    """Without a key or a whole log-in the provider is not configured, and it is said what would do."""
    with pytest.raises(NotConfiguredError) as caught:
        build(section, tools)
    assert caught.value.keys == keys


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"api_key": "two words"}, "SWITCHYARD_DEEPOPINION__API_KEY: has characters that no key can have"),
        ({"api_key": "k", "base_url": "api"}, "SWITCHYARD_DEEPOPINION__BASE_URL: needs an address"),
        ({"api_key": "k", "key": "k"}, "SWITCHYARD_DEEPOPINION__KEY: there is no such setting"),
    ],
)
def test_what_is_wrong_is_named(tools: Tools, section: dict[str, str], said: str) -> None:
    """A setting that cannot work is told at the start, not at the first call, and without its value."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        build(section, tools)
    assert "two words" not in str(caught.value)


# -- what the service says --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("CREATED", Phase.QUEUED),
        ("QUEUED", Phase.QUEUED),
        ("TRAINING", Phase.RUNNING),
        ("FAILED", Phase.FAILED),
        ("READY", Phase.TRAINED),
        ("ACTIVE", Phase.TRAINED),
        ("PUBLISHED", Phase.TRAINED),
        ("Published", Phase.TRAINED),
    ],
)
def test_documented_words(word: str, phase: Phase) -> None:
    """Each documented word has its phase and stays verbatim; none of them says that anything serves."""
    seen = to_status(model(status=word))
    assert (seen.phase, seen.word, seen.is_known, seen.is_live) == (phase, word, True, None)
    assert len(WORDS) == 7


@pytest.mark.parametrize("word", ["", "CANCELLED", "DELETING", "READY?", "準備", "x" * 1000])
def test_unknown_words_move_nothing(word: str) -> None:
    """A word that no page shows is passed on as it is, without a phase."""
    seen = to_status(model(status=word))
    assert (seen.phase, seen.word, seen.is_known, seen.result) == (None, word, False, {})


@pytest.mark.parametrize("reply", [{}, {"status": None}, {"status": 3}, {"status": ["READY"]}, {"models": []}])
def test_a_model_without_a_status_is_unreadable(reply: Mapping[str, Any]) -> None:
    """A reply of another form is an error of the service, never one of ours."""
    with pytest.raises(UnreadableError):
        to_status(reply)


@pytest.mark.parametrize(
    ("progress", "shown"),
    [(6.78, 6.78), (0.5, 0.5), (0, 0), (-1, 0), (100.1, 100), (10**400, 100), (None, None), ("6", None), (True, None)],
)
def test_progress_is_shown_as_it_is(progress: Any, shown: float | None) -> None:
    """The number is kept within 0 and 100 and not rescaled; anything else is no progress."""
    assert to_status(model(progress=progress)).progress == shown
    assert to_status(model(progress=float("nan"))).progress is None


def test_what_a_training_leaves() -> None:
    """A finished training leaves the model's id, its score and its day; the score stands among the metrics, too."""
    seen = to_status(model(status="READY", metrics={"f1": 0.7, "per label": {"a": 1}, "name": "x", "bad": True}))
    assert seen.metrics == {"f1": 0.7, "score": 0.68}
    assert seen.result == {"model_id": 12, "score": 0.68, "created": "2023-11-02"}
    assert to_status(model(status="TRAINING")).result == {}


@pytest.mark.parametrize("odd", [None, "high", True, float("nan"), [0.5], {}])
def test_odd_numbers_are_left_out(odd: Any) -> None:
    """What is no number is no score, and metrics of another form are none."""
    seen = to_status({"status": "READY", "id": odd, "score": odd, "metrics": odd, "created": odd})
    assert (seen.metrics, seen.result) == ({}, {})


@pytest.mark.parametrize(
    ("text", "created"),
    [
        ("2023-11-02", date(2023, 11, 2)),
        ("2023-11-02T10:20:30", datetime(2023, 11, 2, 10, 20, 30)),  # noqa: DTZ001 - it came without an offset
        ("2023-11-02T10:20:30.123456+00:00", datetime(2023, 11, 2, 10, 20, 30, 123456, tzinfo=UTC)),
        ("2023-11-02T10:20:30Z", datetime(2023, 11, 2, 10, 20, 30, tzinfo=UTC)),
        ("yesterday", None),
        ("02.11.2023", None),
        ("", None),
        (1698912000, None),
        (None, None),
    ],
)
def test_days_and_moments_are_read(text: Any, created: date | None) -> None:
    """The page types a moment and shows a day: both are read, anything else is none."""
    assert read_created(text) == created


# -- before the start -------------------------------------------------------------------------------------------------


async def test_a_free_name_is_claimed(service: Scripted, provider: Provider) -> None:
    """The models of the project are read before the start; others do not matter."""
    service.on("GET", MODELS, says([model(11, "reviews-2025", "READY"), model(9, "Reviews")]))
    assert await provider.reserve(planned(provider), "j1") == {"name": "reviews", "ids": []}
    assert [one.method for one in service.asked] == ["GET"]
    assert service.asked[0].headers["Authorization"] == f"Bearer {KEY}"
    assert service.asked[0].headers["Accept"] == "application/json"


async def test_a_taken_name_is_refused_before_anything_is_sent(service: Scripted, provider: Provider) -> None:
    """A second model of one name could not be told from the first, so the training is refused, naming the first."""
    service.on("GET", MODELS, says([model(12, status="READY"), model(13, status="FAILED")]))
    error = await failure(provider.reserve(planned(provider), "j1"))
    assert (type(error), error.effect) == (RejectedError, Effect.REFUSED)
    assert "The name `reviews` is taken by model 12 (READY), model 13 (FAILED)." in str(error)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (says({"models": [model(12)], "has_more": True}), UnreadableError),
        (says({"message": "?"}), UnreadableError),
        (says([1]), UnreadableError),
        (says("models"), UnreadableError),
        (says(None), UnreadableError),
        (page(), UnreadableError),
        (says({"message": "The project does not exist"}, 404), NotFoundError),
        (page(404), RejectedError),
        (says({"message": "no"}, 403), RejectedError),
        (hang_up, UnreachableError),
    ],
)
async def test_a_list_that_is_not_the_whole_concludes_nothing(
    service: Scripted, provider: Provider, answer: Answer, kind: type[ProviderError]
) -> None:
    """Whether a name is free is only said of a whole list of models."""
    service.on("GET", MODELS, answer)
    assert type(await failure(provider.reserve(planned(provider), "j1"))) is kind


async def test_the_envelope_of_other_lists_is_understood(service: Scripted, provider: Provider) -> None:
    """The list's form is not documented: the sister call's envelope is read too, where it is whole."""
    service.on("GET", MODELS, says({"models": [model(12)], "has_more": False, "offset": 0, "limit": 20, "count": 1}))
    assert isinstance(await failure(provider.reserve(planned(provider), "j1")), RejectedError)


# -- the start --------------------------------------------------------------------------------------------------------


async def test_a_start(service: Scripted, provider: Provider) -> None:
    """One POST with the planned body; the id of the answer is the training's."""
    plan = planned(provider, language="en", sessions=[1, 2])
    assert await provider.start(plan, {}, None) == "12"
    (sent,) = service.asked
    assert (sent.method, sent.path, sent.headers["Content-Type"]) == ("POST", MODELS, "application/json")
    assert decoded(sent) == {"display_name": "reviews", "name": "reviews", "language": "en", "annotation_ids": [1, 2]}


async def test_a_start_has_a_connection_of_its_own(service: Scripted, provider: Provider) -> None:
    """A start never goes out on a used connection, which may be dead by then without a sign."""
    plan = planned(provider)
    await provider.reserve(plan, "j1")
    await provider.start(plan, {}, None)
    await provider.find(plan, {}, None)
    before, start, after = (one.connection for one in service.asked)
    assert before == after
    assert start != before


@pytest.mark.parametrize("number", [0, -1, None, "12", True, 1.5])
async def test_an_id_that_is_none_is_looked_for(service: Scripted, provider: Provider, number: Any) -> None:
    """The page's own sample has the id 0: the training is accepted, and found in the list by its name."""
    service.on("POST", MODELS, says(model(number), 201))
    plan = planned(provider)
    claim = await provider.reserve(plan, "j1")
    assert await provider.start(plan, claim, None) is None
    service.on("GET", MODELS, says([model(11, "other"), model(12, status="QUEUED")]))
    assert await provider.find(plan, claim, None) == Found(remote_id="12", word="QUEUED")


@pytest.mark.parametrize("name", list(BROKEN))
async def test_an_unclear_start_stays_unclear(service: Scripted, provider: Provider, name: str) -> None:
    """Whatever is not the documented answer leaves open what happened, and is never sent again."""
    service.on("POST", MODELS, BROKEN[name])
    error = await failure(provider.start(planned(provider), {}, None))
    assert error.effect is Effect.UNKNOWN
    assert service.count("POST", MODELS) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (
            says({"message": "A model with the name 'reviews' already exists", "status": "ERROR"}, 400),
            RejectedError,
            "DeepOpinion Studio refused: A model with the name 'reviews' already exists",
        ),
        (says({"message": "User is read-only"}, 403), RejectedError, "refused: User is read-only"),
        (says({"message": "The project does not exist"}, 404), NotFoundError, "The project does not exist"),
        (says({"fault": {"name": "taken"}}, 400), RejectedError, 'HTTP 400 ({"fault": {"name": "taken"}})'),
        (web.Response(status=400, text="Bad name"), RejectedError, "HTTP 400 (Bad name)"),
        (page(400), RejectedError, "HTTP 400."),
    ],
)
async def test_refusals_come_in_the_services_words(
    service: Scripted, provider: Provider, answer: Answer, kind: type[ProviderError], said: str
) -> None:
    """A refused start carries what the service says of it, in whatever form, and surely did nothing."""
    service.on("POST", MODELS, answer)
    error = await failure(provider.start(planned(provider), {}, None))
    assert said in str(error)
    assert (type(error), error.effect) == (kind, Effect.REFUSED)


async def test_asking_too_often_did_nothing(service: Scripted, provider: Provider) -> None:
    """A 429 keeps the start for later."""
    service.on("POST", MODELS, says({"message": "Too many requests"}, 429, **{"Retry-After": "7"}))
    error = await failure(provider.start(planned(provider), {}, None))
    assert isinstance(error, RateLimitedError)
    assert (error.effect, error.retry_after) == (Effect.NONE, 7)


async def test_a_start_that_reached_nobody_did_nothing(tools: Tools, unused_tcp_port: int) -> None:
    """A refused connection surely sent nothing, at the log-in as at the start."""
    for access in ({"api_key": KEY}, {"email": "ada@acme.example", "password": PASSWORD}):
        provider = build({"base_url": f"http://127.0.0.1:{unused_tcp_port}", **access}, tools)
        error = await failure(provider.start(planned(provider), {}, None))
        assert (type(error), error.effect) == (UnreachableError, Effect.NONE)


# -- finding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("models", "found"),
    [
        ([], Found()),
        ([model(11, "other")], Found()),
        ([model(12, status="TRAINING")], Found(remote_id="12", word="TRAINING")),
        ([model(12, status="READY"), model(11, "other")], Found(remote_id="12", word="READY")),
        ([model(12), model(13, status="QUEUED")], Found(word="model 12 (CREATED), model 13 (QUEUED)")),
        ([model(0)], Found(word="model without an id (CREATED)")),
        ([{"name": "reviews"}], Found(word="model without an id (no status)")),
        ([{"name": ["reviews"]}, {"id": 3}], Found()),
    ],
)
async def test_exactly_one_new_model_is_ours(
    service: Scripted, provider: Provider, models: list[Any], found: Found
) -> None:
    """The name was free: one model of it is ours, several or a nameless one are for a person to judge."""
    service.on("GET", MODELS, says(models))
    plan = planned(provider)
    assert await provider.find(plan, {"name": "reviews", "ids": []}, None) == found


def test_only_the_answer_names_the_id(provider: Provider) -> None:
    """Before the start's answer nobody knows the id of the new model."""
    assert provider.known_id(planned(provider), {"name": "reviews", "ids": []}) is None


async def test_a_claimed_id_is_not_new(service: Scripted, provider: Provider) -> None:
    """What was there before the start cannot be what the start made."""
    service.on("GET", MODELS, says([model(12), model(13)]))
    claim = {"name": "reviews", "ids": [12]}
    assert await provider.find(planned(provider), claim, None) == Found(remote_id="13", word="CREATED")


# -- looking ----------------------------------------------------------------------------------------------------------


async def test_a_look(service: Scripted, provider: Provider) -> None:
    """The model is asked for on its project's route, whose answer is one model and not an envelope."""
    service.on("GET", f"{MODELS}/12", says(model(status="TRAINING", metrics={})))
    expected = RemoteStatus(phase=Phase.RUNNING, word="TRAINING", progress=6.78, metrics={"score": 0.68})
    assert await provider.status(watched()) == expected


async def test_a_model_of_elsewhere_is_shown_with_its_name(service: Scripted, provider: Provider) -> None:
    """Who asks by number reads which model that is."""
    service.on("GET", f"{MODELS}/11", says(model(11, "reviews-2025", "READY")))
    (reference,) = provider.references({"project": "1", "id": "11"})
    seen = await provider.status(
        Watched(job_id="", model=reference.model, params=reference.params, remote_id=reference.remote_id)
    )
    assert (seen.phase, seen.detail) == (Phase.TRAINED, "reviews-2025")


async def test_a_look_needs_an_id(service: Scripted, provider: Provider) -> None:
    """A training whose id is still to be found cannot be looked at, which loses nothing."""
    assert isinstance(await failure(provider.status(watched(None))), UnreadableError)
    assert service.asked == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (says({"message": "The model does not exist"}, 404), NotFoundError),
        (says({}, 404), NotFoundError),
        (page(404), RejectedError),
        (web.Response(status=404), RejectedError),
        (says([], 404), RejectedError),
        (says({"message": "no"}, 403), RejectedError),
        (says({"message": "Something is wrong with the API."}, 500), BrokenError),
        (page(), UnreadableError),
        (web.Response(), UnreadableError),
        (says({"models": [model()], "has_more": False}), UnreadableError),
        (says(None), UnreadableError),
    ],
)
async def test_only_the_services_own_404_is_a_not_found(
    service: Scripted, provider: Provider, answer: Answer, kind: type[ProviderError]
) -> None:
    """A training is only called lost by an answer in the service's JSON, never by a web page or a proxy."""
    service.on("GET", f"{MODELS}/12", answer)
    assert type(await failure(provider.status(watched()))) is kind


# -- access -----------------------------------------------------------------------------------------------------------


def jwt(expires: Any, serial: int = 1) -> str:
    """A token such as the documented samples: a JWT with `exp`."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expires, "jti": serial}).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJSUzI1NiJ9.{claims}.c2lnbmF0dXJl"


def logged_in(token: Any) -> web.Response:
    return says({"auth_token": token, "message": "Successfully logged in.", "status": "OK"})


async def test_a_refused_key_is_told_at_once(service: Scripted, provider: Provider) -> None:
    """A key cannot be renewed: its setting is named, and the start is not repeated."""
    service.on("POST", MODELS, says({"message": f"{KEY} is not valid"}, 401))
    error = await failure(provider.start(planned(provider), {}, None))
    assert (type(error), error.effect) == (CredentialsError, Effect.REFUSED)
    assert "SWITCHYARD_DEEPOPINION__API_KEY" in str(error)
    assert service.count("POST", MODELS) == 1


async def test_a_log_in_serves_until_shortly_before_its_end(service: Scripted, by_login: Provider, time: Time) -> None:
    """Calls at the same time share one log-in, and its token is used up to a minute before its `exp`."""
    ends = [NOON + timedelta(days=14), NOON + timedelta(days=28)]
    service.on("POST", LOGIN, *(logged_in(jwt(end.timestamp())) for end in ends))
    service.on("GET", f"{MODELS}/12", says(model()))
    await asyncio.gather(*(by_login.status(watched()) for _ in range(3)))
    assert decoded(service.asked[0]) == {"email": "ada@acme.example", "password": PASSWORD}
    time.now = ends[0] - timedelta(seconds=61)
    await by_login.status(watched())
    assert service.count("POST", LOGIN) == 1
    time.now = ends[0] - timedelta(seconds=60)
    await by_login.status(watched())
    assert service.count("POST", LOGIN) == 2
    assert service.asked[-1].headers["Authorization"] == f"Bearer {jwt(ends[1].timestamp())}"


@pytest.mark.parametrize(
    "token",
    ["opaque", "a.b.c", "..", jwt("soon"), jwt(None), jwt(1e300), jwt(NOON.timestamp() - 5), jwt(True), "a.W10.c"],
)
async def test_a_token_whose_end_is_not_readable_is_used_until_refused(
    service: Scripted, by_login: Provider, time: Time, token: str
) -> None:
    """The token is opaque to us where it is no JWT with an end to come; no log-in per call, and no crash."""
    service.on("POST", LOGIN, logged_in(token))
    service.on("GET", f"{MODELS}/12", says(model()))
    for _ in range(3):
        await by_login.status(watched())
        time.now += timedelta(days=400)
    assert service.count("POST", LOGIN) == 1


async def test_a_refused_token_is_renewed_once(service: Scripted, by_login: Provider) -> None:
    """A 401 surely started nothing: the start goes out again with a new token, once."""
    service.on("POST", LOGIN, *(logged_in(jwt((NOON + timedelta(days=14)).timestamp(), n)) for n in (1, 2, 3)))
    service.on("POST", MODELS, says({"message": "no"}, 401), says(model(), 201))
    assert await by_login.start(planned(by_login), {}, None) == "12"
    assert (service.count("POST", LOGIN), service.count("POST", MODELS)) == (2, 2)
    service.on("POST", MODELS, says({"message": "no"}, 401))
    error = await failure(by_login.start(planned(by_login), {}, None))
    assert (type(error), error.effect) == (CredentialsError, Effect.REFUSED)
    assert service.count("POST", MODELS) == 4


async def test_a_wrong_password_names_its_settings(service: Scripted, by_login: Provider) -> None:
    """What the log-in refuses names the settings and never the password; nothing was started."""
    service.on("POST", LOGIN, says({"message": f"Wrong password {PASSWORD}", "status": "ERROR"}, 401))
    error = await failure(by_login.start(planned(by_login), {}, None))
    assert (type(error), error.effect) == (CredentialsError, Effect.REFUSED)
    assert "SWITCHYARD_DEEPOPINION__EMAIL with SWITCHYARD_DEEPOPINION__PASSWORD" in str(error)
    assert PASSWORD not in str(error)
    assert service.count("POST", MODELS) == 0


@pytest.mark.parametrize(
    ("answer", "kind", "effect"),
    [
        (page(), UnreadableError, Effect.NONE),
        (says({"status": "OK"}), UnreadableError, Effect.NONE),
        (says({"auth_token": "two words"}), UnreadableError, Effect.NONE),
        (says({"message": "down"}, 500), BrokenError, Effect.NONE),
        (says({"message": "slow"}, 429), RateLimitedError, Effect.NONE),
        (says({"message": f"bad {PASSWORD}"}, 400), RejectedError, Effect.REFUSED),
        (hang_up, UnreachableError, Effect.NONE),
    ],
)
async def test_a_start_without_a_token_surely_did_nothing(
    service: Scripted, by_login: Provider, answer: Answer, kind: type[ProviderError], effect: Effect
) -> None:
    """However the log-in fails, the training was surely not started, and the password is not told."""
    service.on("POST", LOGIN, answer)
    error = await failure(by_login.start(planned(by_login), {}, None))
    assert (type(error), error.effect, service.count("POST", MODELS)) == (kind, effect, 0)
    assert "hunter2" not in str(error)


async def test_keys_and_tokens_in_a_reply_go_nowhere(service: Scripted, provider: Provider, by_login: Provider) -> None:
    """A service that repeats what we authenticate with does not get it into a message."""
    token = jwt((NOON + timedelta(days=14)).timestamp())
    service.on("POST", LOGIN, logged_in(token))
    service.on("GET", f"{MODELS}/12", says({"message": f"{token} or {KEY} may not"}, 403))
    assert KEY not in str(await failure(provider.status(watched())))
    assert token not in str(await failure(by_login.status(watched())))


# -- the sandbox's service --------------------------------------------------------------------------------------------


@pytest.fixture
async def sandbox() -> AsyncIterator[SandboxDeepOpinion]:
    service = SandboxDeepOpinion(Clock(NOON, speed=0), training_seconds=100)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
def there(sandbox: SandboxDeepOpinion, sessions: Sessions) -> Provider:
    prefix = "SWITCHYARD_DEEPOPINION__"
    section = {key.removeprefix(prefix).lower(): value for key, value in sandbox.environment().items()}
    return build(section, Tools(sessions=sessions, now=sandbox.clock.now))


async def test_a_training_from_start_to_end(sandbox: SandboxDeepOpinion, there: Provider) -> None:
    """Reserve, start, watch to the end: each step is seen as the service has it, with one start."""
    plan = planned(there, language="en", base=7, train=[1, 2], test=[3], title="Reviews")
    remote_id = await there.start(plan, await there.reserve(plan, "j1"), None)
    assert remote_id == "12"
    seen = [await there.status(watched(remote_id))]
    for seconds in (10, 20, 70):
        sandbox.clock.advance(seconds)
        seen.append(await there.status(watched(remote_id)))
    assert [(one.word, one.phase, one.progress) for one in seen] == [
        ("CREATED", Phase.QUEUED, 0.0),
        ("QUEUED", Phase.QUEUED, 10.0),
        ("TRAINING", Phase.RUNNING, 30.0),
        ("READY", Phase.TRAINED, 100.0),
    ]
    assert seen[-1].result == {"model_id": 12, "score": 0.68, "created": "2026-05-04"}
    assert [(one.id, one.model) for one in sandbox.starts] == [("12", "reviews")]


async def test_the_sandbox_refuses_what_is_not_there(sandbox: SandboxDeepOpinion, there: Provider) -> None:
    """Unknown sessions, bases and projects are refused in the service's words, taken names before the start."""
    for params, said in (({"sessions": [9]}, "session 9"), ({"base": 8}, "base model 8")):
        assert said in str(await failure(there.start(planned(there, **params), {}, None)))
    taken = there.plan(request("reviews-2025"), None)
    assert "model 11 (READY)" in str(await failure(there.reserve(taken, "j1")))
    elsewhere = there.plan(
        TrainRequest(request_key="k", provider="deepopinion", model="x", params={"project": 9}), None
    )
    assert isinstance(await failure(there.reserve(elsewhere, "j1")), RejectedError)
    assert sandbox.starts == []


async def test_the_sandbox_refuses_a_key_that_may_only_read(sandbox: SandboxDeepOpinion, tools: Tools) -> None:
    """A key without the role is told so in the service's words."""
    reader = build({"base_url": sandbox.base_url, "api_key": sandbox.read_only_key}, tools)
    plan = planned(reader)
    await reader.reserve(plan, "j1")
    error = await failure(reader.start(plan, {}, None))
    assert "MANAGER" in str(error)
    assert type(error) is RejectedError


@pytest.mark.parametrize("kind", ["reset", "html", "half", "cut", "empty", "500", "redirect"])
async def test_a_start_whose_answer_is_lost_is_found(sandbox: SandboxDeepOpinion, there: Provider, kind: str) -> None:
    """The training runs although the answer was lost: the start is not repeated, the list tells its id."""
    plan = planned(there)
    claim = await there.reserve(plan, "j1")
    sandbox.fail_next(kind, method="POST", after_work=True)
    assert (await failure(there.start(plan, claim, None))).effect is Effect.UNKNOWN
    assert await there.find(plan, claim, None) == Found(remote_id="12", word="CREATED")
    assert len(sandbox.starts) == 1


async def test_a_start_that_never_arrived_is_not_found(sandbox: SandboxDeepOpinion, there: Provider) -> None:
    """The request was lost before it did anything: nothing is found, nothing is claimed."""
    plan = planned(there)
    claim = await there.reserve(plan, "j1")
    sandbox.fail_next("reset", method="POST")
    assert (await failure(there.start(plan, claim, None))).effect is Effect.UNKNOWN
    assert await there.find(plan, claim, None) == Found()
    assert sandbox.starts == []


async def test_a_person_can_log_in(sandbox: SandboxDeepOpinion, sessions: Sessions) -> None:
    """E-mail and password do as well as a key, also after the token's 14 days and after the service dropped it."""
    section = {"base_url": sandbox.base_url, "email": sandbox.email, "password": sandbox.password}
    provider = build(section, Tools(sessions=sessions, now=sandbox.clock.now))
    assert (await provider.status(watched("11"))).word == "READY"
    sandbox.clock.advance(14 * 86_400 - 60)
    assert (await provider.status(watched("11"))).word == "READY"
    sandbox.act_expire_tokens()
    assert (await provider.status(watched("11"))).word == "READY"
    assert [one.path for one in sandbox.requests].count(LOGIN) == 3


async def test_failed_and_forgotten(sandbox: SandboxDeepOpinion, there: Provider) -> None:
    """A failed training says so; a model that the service no longer knows is not found."""
    plan = planned(there)
    remote_id = await there.start(plan, await there.reserve(plan, "j1"), None)
    sandbox.act_fail("12")
    assert (await there.status(watched(remote_id))).phase is Phase.FAILED
    sandbox.act_forget("12")
    assert isinstance(await failure(there.status(watched(remote_id))), NotFoundError)


async def test_a_new_word_moves_nothing(sandbox: SandboxDeepOpinion, there: Provider) -> None:
    """A word that the service has learnt since is shown and waited out."""
    sandbox.act_word("11", "ARCHIVED")
    seen = await there.status(watched("11"))
    assert (seen.phase, seen.word, seen.is_known) == (None, "ARCHIVED", False)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("refused", UnreachableError),
        ("reset", UnreachableError),
        ("503", BrokenError),
        ("html", UnreadableError),
        ("half", UnreadableError),
        ("cut", UnreachableError),
        ("empty", UnreadableError),
        ("redirect", UnreadableError),
    ],
)
async def test_an_outage_is_an_error_and_nothing_else(
    sandbox: SandboxDeepOpinion, there: Provider, kind: str, error: type[ProviderError]
) -> None:
    """Each kind of outage has its error, nothing is followed elsewhere, and afterwards looks work again."""
    sandbox.act_outage(kind)
    assert type(await failure(there.status(watched("11")))) is error
    sandbox.act_outage(None)
    assert (await there.status(watched("11"))).word == "READY"
    assert "/elsewhere" not in [one.path for one in sandbox.requests]
