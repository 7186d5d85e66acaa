"""Sestek Knovvu ML against a scripted service of our own and against the sandbox's."""

import asyncio
import hashlib
import json
import re
import unicodedata
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.domain.arguments import usage
from bot.domain.balances import Balance
from bot.domain.jobs import Phase, RemoteStatus
from bot.domain.requests import Payload, Plan, SourceFile, TrainRequest
from bot.errors import (
    BrokenError,
    ConfigurationError,
    CredentialsError,
    DataError,
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
from bot.providers.http import Sessions, Tools, open_sessions
from bot.providers.sestek import ARGUMENTS, LANGUAGES, WORDS, build, refuse_model_id, to_body, to_status
from bot.providers.sestek_rows import MOST_IN_LINE, Tally, count_rows
from sandbox.clock import Clock
from sandbox.services.multipart import read_parts
from sandbox.services.sestek import Sestek as SandboxSestek
from tests.providers.scripted import BROKEN, Answer, Scripted, hang_up, page, says, scripted

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SECRET = "s3cret/+ value"
SECTION = {
    "base_url": "https://ml.example",
    "identity_url": "https://id.example",
    "client_id": "switch",
    "client_secret": SECRET,
}
TRAIN = "/sestekai-api/api/external/trainings/train"
PROGRESS = "/sestekai-api/api/external/trainings/my-model/progress"
TOKEN = "/connect/token"
# The "Experiment Object" as shown on https://docs.knovvu.com/docs/external-training-for-generative-qa, as far as it is.
EXPERIMENT = {"name": "my-model", "description": "CA", "status": 0, "statusMessage": "Initialized", "percent": 0}
ROWS = (
    b'{"Label": "label1", "Text": "text for the first entry."}\n'
    b'{"Label": "label2", "Text": "g\xc3\xbcle g\xc3\xbcle"}\r\n'
)


def request(**params: Any) -> TrainRequest:
    return TrainRequest(request_key="k", provider="sestek", model="my-model", params={"language": "en-US", **params})


def abp(message: str | None, **more: Any) -> dict[str, Any]:
    """ABP's error object."""
    return {"error": {"code": None, "message": message, "details": None, "validationErrors": None, **more}}


BUSY = abp("The training is still in progress for the same model ID: my-model")


@pytest.fixture
async def sessions() -> AsyncIterator[Sessions]:
    async with open_sessions() as opened:
        yield opened


class Time:
    """The bot's clock, moved by hand."""

    def __init__(self) -> None:
        self.now = NOON


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def service() -> AsyncIterator[Scripted]:
    async with scripted() as service:
        service.on("POST", TOKEN, *(says({"access_token": f"t{n}", "expires_in": 86400}) for n in range(1, 9)))
        service.on("POST", TRAIN, says(EXPERIMENT))
        yield service


@pytest.fixture
def provider(service: Scripted, sessions: Sessions, time: Time) -> Provider:
    section = {
        "base_url": service.url + "/",
        "identity_url": service.url,
        "client_id": "switch",
        "client_secret": SECRET,
        "product": "CA",
    }
    return build(section, Tools(sessions=sessions, now=lambda: time.now))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "spooled"
    path.write_bytes(ROWS)
    return path


def source(path: Path, name: str = "my-model.jsonl") -> SourceFile:
    content = path.read_bytes()
    return SourceFile(role="data", name=name, path=path, size=len(content), sha256=hashlib.sha256(content).hexdigest())


def planned(provider: Provider, data: Path, name: str = "my-model.jsonl") -> Plan:
    payload = provider.prepare(request(), {"data": source(data, name)}, data.parent)
    return provider.plan(request(), payload)


async def failure(coroutine: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await coroutine
    return caught.value


# -- words ------------------------------------------------------------------------------------------------------------


def test_powers_and_usage() -> None:
    """The gate is before the start, looking publishes and sees it serve, and nothing else is offered."""
    provider = build(SECTION, Tools(sessions=None, now=lambda: NOON))  # type: ignore[arg-type] # nothing is called
    powers = provider.powers
    assert (powers.gate, powers.watches_live, powers.one_at_a_time, powers.look_publishes) == (
        Gate.BEFORE,
        True,
        True,
        True,
    )
    assert (powers.cancel, powers.many, powers.failed_is_a_reading) == (False, False, False)
    typed = '/train sestek MODEL-ID LANGUAGE [product=NAME] [data=SOURCE] [every="mon 09:00"]'
    assert usage("sestek", ARGUMENTS) == typed
    assert provider.data is not None
    assert (provider.data.roles, provider.data.suffixes) == (("data",), (".jsonl", ".json"))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("My-Model", "has capital letters"),
        ("-my-model", "begins with a hyphen"),
        ("my-model-", "ends with a hyphen"),
        ("-", "begins and ends with a hyphen"),
        ("m" * 64, "has 64 characters; Sestek's model ids have 63 at most"),
        ("müşteri", "has Turkish letters (`ü`, `ş`)"),
        ("mu\u0308steri", "has Turkish letters (`ü`)"),
        ("İstanbul", "has Turkish letters (`İ`)"),
        ("my_model", "has `_` in it"),
        ("my model", "has ` ` in it"),
        ("модель", "has `м`, `о`, `д`, `е`, `л` and 1 more in it"),
        ('"my-model"', 'has `"` in it'),
        ("", "is empty"),
    ],
)
def test_each_rule_of_model_ids_has_its_sentence(model: str, said: str) -> None:
    """A model id that breaks a rule is refused with the rule, before anything is sent."""
    sentence = refuse_model_id(model)
    assert sentence is not None
    assert said in sentence


@pytest.mark.parametrize("model", ["a", "7", "my-model", "my--model", "m" * 63])
def test_good_model_ids_pass(model: str) -> None:
    """What the rules allow is not refused."""
    assert refuse_model_id(model) is None


@pytest.mark.parametrize(
    ("model", "better"),
    [
        ("My Model", "my-model"),
        ("Müşteri_Kaydı-", "musteri-kaydi"),
        ("İSTANBUL", "istanbul"),
        ("a" * 80, "a" * 63),
        ("x" * 62 + "-y-z", "x" * 62),
    ],
)
def test_a_better_model_id_is_offered_and_passes(model: str, better: str) -> None:
    """Who is refused is shown the way out, and the way out is open."""
    assert (refuse_model_id(model) or "").endswith(f" Try `{better}`.")
    assert refuse_model_id(better) is None


def test_languages_are_those_of_the_page() -> None:
    """The languages are choices, so that grammar and form know them."""
    language = ARGUMENTS.positionals[1]
    assert language.choices == LANGUAGES
    assert len(LANGUAGES) == 11


def test_a_product_is_needed_from_somewhere(provider: Provider) -> None:
    """The configured product is the default; without either there is nothing to send."""
    assert to_body(request(), "CA")["productName"] == "CA"
    assert to_body(request(product="QA"), "CA")["productName"] == "QA"
    provider.check(request())
    bare = build(SECTION, Tools(sessions=None, now=lambda: NOON))  # type: ignore[arg-type] # nothing is called
    bare.check(request(product="QA"))
    with pytest.raises(UsageError, match=r"product=NAME.*SWITCHYARD_SESTEK__PRODUCT"):
        bare.check(request())


def test_a_reference_is_the_model_id(provider: Provider) -> None:
    """The model id is all that the service knows a training by."""
    assert provider.references({"model": "my-model"}) == (Reference(model="my-model", params={}, remote_id="my-model"),)


# -- configuration ----------------------------------------------------------------------------------------------------


def test_missing_settings_are_all_named() -> None:
    """An operator reads at once everything that lacks; blank counts as lacking."""
    tools = Tools(sessions=None, now=lambda: NOON)  # type: ignore[arg-type] # nothing is called
    with pytest.raises(NotConfiguredError) as caught:
        build({"base_url": "https://ml.example", "client_id": " ", "product": "CA"}, tools)
    assert caught.value.keys == (
        "SWITCHYARD_SESTEK__IDENTITY_URL",
        "SWITCHYARD_SESTEK__CLIENT_ID",
        "SWITCHYARD_SESTEK__CLIENT_SECRET",
    )


def test_wrong_settings_are_told_without_their_values() -> None:
    """A wrong setting is named; what was written there is not repeated."""
    tools = Tools(sessions=None, now=lambda: NOON)  # type: ignore[arg-type] # nothing is called
    with pytest.raises(ConfigurationError) as caught:
        build({**SECTION, "base_url": "ml.example/hunter2", "secret": "hunter2"}, tools)
    assert "SWITCHYARD_SESTEK__BASE_URL" in str(caught.value)
    assert "SWITCHYARD_SESTEK__SECRET: there is no such setting." in str(caught.value)
    assert "hunter2" not in str(caught.value)


# -- the data file ----------------------------------------------------------------------------------------------------


def row(label: str = "a", text: str = "b") -> bytes:
    return json.dumps({"Label": label, "Text": text}).encode() + b"\n"


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"", None, "The file is empty"),
        (b" \n\r\n\n", None, "The file is empty"),
        (row() + b'{"Label": "a"}\n', 2, "Line 2 has no `Text`."),
        (row() + row() + b'{"text": "b", "Label": "a"}', 3, "Line 3 has no `Text`. It has `text`: the key is written"),
        (b'{"Text": "b"}\n', 1, "Line 1 has no `Label`."),
        (row() + b'{"Label": "a", "Text": "b"\n', 2, "Line 2 is not JSON."),
        (row().rstrip() + b",\n", 1, "It ends in a comma"),
        (b'{\n"Label": "a", "Text": "b"}\n', 1, "The object must stand on one line."),
        (b'[{"Label": "a", "Text": "b"}]', 1, "The file is one JSON list."),
        (b"\n  [\n" + row(), 1, "The file is one JSON list."),
        (row() + b"[]\n", 2, "Line 2 is a list, not an object"),
        (row() + b'"a"\n', 2, "Line 2 is a text, not an object"),
        (row() + b"12\n", 2, "Line 2 is a number, not an object"),
        (row() + b"null\n", 2, "Line 2 is null, not an object"),
        (row() + b'{"Label": 7, "Text": "b"}\n', 2, "`Label` on line 2 is a number, not a text in quotes."),
        (row() + b'{"Label": true, "Text": "b"}\n', 2, "`Label` on line 2 is true, not a text in quotes."),
        (row() + b'{"Label": "a", "Text": null}\n', 2, "`Text` on line 2 is null, not a text in quotes."),
        (row() + b'{"Label": "a", "Text": ["b"]}\n', 2, "`Text` on line 2 is a list, not a text in quotes."),
        (row() + row(text=" \t"), 2, "`Text` on line 2 is empty."),
        (row() + row(label=""), 2, "`Label` on line 2 is empty."),
        (row() + b'{"Label": "\\ud800", "Text": "b"}', 2, "`Label` on line 2 holds half a character"),
        (row() + '{"Label": "ş", "Text": "b"}'.encode("iso8859-9"), 2, "Line 2 is not UTF-8."),
        (b"\xef\xbb\xbf" + row(), 1, "byte order mark"),
        (row().decode().encode("utf-16"), 1, "Line 1 is not UTF-8."),
        (row() + b'{"Label": "a", "Text": "b", "x": NaN}', 2, "Line 2 is not JSON."),
        (row() + b'{"x": ' + b"[" * 100_000, 2, "Line 2 is not JSON."),
        (row() + row(text="b" * MOST_IN_LINE), 2, "Line 2 is longer than"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(tmp_path: Path, content: bytes, line: int | None, said: str) -> None:
    """What the service could not train on is found before it is sent, with the line and what is wrong there."""
    path = tmp_path / "data"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        count_rows(path)
    assert said in str(caught.value)
    assert caught.value.line == line


def labelled(*counts: tuple[str, int]) -> bytes:
    """So many rows of each label, none like another."""
    return b"".join(row(label, f"{label}.{number}") for label, count in counts for number in range(count))


def checked(tmp_path: Path, content: bytes) -> Tally:
    path = tmp_path / "data"
    path.write_bytes(content)
    return count_rows(path)


def refused(tmp_path: Path, content: bytes) -> DataError:
    with pytest.raises(DataError) as caught:
        checked(tmp_path, content)
    return caught.value


def test_a_good_file_is_counted(provider: Provider, tmp_path: Path) -> None:
    """Rows, labels and their balance go with the plan; blank lines are no rows."""
    path = tmp_path / "data"
    path.write_bytes(labelled(("refund", 5)) + b"\n" + labelled(("order", 6)) + b"\r\n")
    payload = provider.prepare(request(), {"data": source(path)}, tmp_path)
    assert payload == Payload(
        name="my-model.jsonl",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        size=path.stat().st_size,
        rows=11,
        facts={"Encoding": "ASCII"},
        balances=(Balance(column="Label", counts=(("order", 6), ("refund", 5)), least=("refund", 5), is_label=True),),
    )


def test_every_fault_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    """One answer shows all there is to mend: each kind once, with its first lines and how many there are."""
    broken = row() + row(text=" ") * 6 + b"{\n" + b"[]\n" * 2 + row(label="")
    error = refused(tmp_path, broken)
    assert str(error) == (
        "`Text` on line 2 is empty. The same on lines 3, 4, 5 and 2 more. "
        "Line 8 is not JSON. The object must stand on one line. "
        "Line 9 is a list, not an object with Label and Text. The same on line 10. "
        "`Label` on line 11 is empty."
    )
    assert error.line == 2


def test_a_file_of_nothing_but_faults_gets_a_short_answer(tmp_path: Path) -> None:
    """However much is wrong, the answer stays a few sentences long."""
    kinds = [
        b"x",
        b"[]",
        b"\xff",
        b"{}",
        b'{"Label": 1}',
        b'{"Label": ""}',
        b'{"Label": "a"}',
        b'{"Label": "a", "Text": 1}',
    ]
    error = refused(tmp_path, b"\n".join(kinds * 2000))
    assert "and 1,996 more" in str(error)
    assert "There are 3 more kinds of faults." in str(error)
    assert len(str(error)) < 800


FIVE = labelled(("a", 5), ("b", 5))


@pytest.mark.parametrize(
    ("content", "warnings"),
    [
        (FIVE + row("b", "b.0") * 2, ("Rows that repeat an earlier one: 2, on lines 11 (as on 6) and 12 (as on 6).",)),
        (
            FIVE + row("b", "a.0") + row("a", "b.1") + row("b", "a.0"),
            (
                "Rows that repeat an earlier one: 1, on line 13.",
                "Rows whose text stands under another label too: 2, on lines 11 (as on 1) and 12 (as on 7).",
            ),
        ),
        (FIVE + labelled(("c", 4)), ("Labels with fewer than 5 examples: `c` 4 (line 11).",)),
        (
            labelled(*((f"l{number}", 1) for number in range(7))),
            (
                (
                    "Labels with fewer than 5 examples: `l0` 1 (line 1), `l1` 1 (line 2), `l2` 1 (line 3), "
                    "`l3` 1 (line 4), `l4` 1 (line 5) and 2 more."
                ),
            ),
        ),
        (labelled(("a", 9)), ("All rows have the label `a`: there is nothing to tell apart.",)),
        (
            labelled(("a", 5), ("A ", 5), ("환불", 5), (unicodedata.normalize("NFD", "환불"), 5), ("b", 5)),
            (
                (
                    "Labels that differ only in capitals, spaces or composed letters: `a` (line 1), `A ` (line 6), "
                    f"`환불` (line 11), `{unicodedata.normalize('NFD', '환불')}` (line 16)."
                ),
            ),
        ),
        (
            FIVE + b'{"Label": "a", "Text": "1", "Id": 7}\n',
            ("Sent along, though only Label and Text are documented: `Id`.",),
        ),
        (FIVE, ()),
    ],
)
def test_what_makes_a_training_worse_is_warned_of(tmp_path: Path, content: bytes, warnings: tuple[str, ...]) -> None:
    """Warnings do not stop a training, name the lines, and nothing is warned of in a good file."""
    tally = checked(tmp_path, content)
    assert tally.warnings() == warnings
    assert tally.facts() == {"Encoding": "ASCII" if content.isascii() else "UTF-8"}


# -- what the service says --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("Initialized", Phase.QUEUED),
        ("PendingTraining", Phase.QUEUED),
        ("DatasetUploading", Phase.RUNNING),
        ("DataProcessing", Phase.RUNNING),
        ("TrainingStarted", Phase.RUNNING),
        ("Training", Phase.RUNNING),
        ("Trained", Phase.RUNNING),
        ("ModelUploading", Phase.RUNNING),
        ("Completed", Phase.TRAINED),
        ("completed", Phase.TRAINED),
        ("Failed", Phase.FAILED),
        ("FAILED", Phase.FAILED),
    ],
)
def test_documented_words(word: str, phase: Phase) -> None:
    """Each documented word has its phase, in any case, and stays verbatim."""
    seen = to_status({"trainingStatus": word, "inferenceStatus": None, "percent": 40})
    assert (seen.phase, seen.word, seen.is_known, seen.progress) == (phase, word, True, 40.0)
    assert len(WORDS) == 10


@pytest.mark.parametrize("word", ["", "Cancelled", "Uploading", "Train ed", "完了", "x" * 1000])
def test_unknown_words_move_nothing(word: str) -> None:
    """A word that no page shows is passed on as it is, without a phase."""
    seen = to_status({"trainingStatus": word})
    assert (seen.phase, seen.word, seen.is_known, seen.is_live) == (None, word, False, None)


@pytest.mark.parametrize(
    ("training", "inference", "detail", "is_live"),
    [
        ("Completed", "Running", "", True),
        ("completed", "running", "", True),
        ("Completed", "Pending", "publishing", False),
        ("Completed", None, "publishing", False),
        ("Completed", "Sleeping", "publishing: Sleeping", False),
        # While a training goes on, what runs is the former model.
        ("Training", "Running", "", None),
        ("Failed", "Running", "", None),
    ],
)
def test_live_is_completed_and_running(training: str, inference: str | None, detail: str, is_live: bool | None) -> None:
    """Live is only said of a completed training whose inference runs."""
    seen = to_status({"trainingStatus": training, "inferenceStatus": inference})
    assert (seen.detail, seen.is_live) == (detail, is_live)


@pytest.mark.parametrize(
    ("percent", "progress"),
    [(0, 0), (45.5, 45.5), (100, 100), (-3, 0), (250, 100), (10**400, 100), (None, None), ("45", None), (True, None)],
)
def test_percent_is_progress(percent: Any, progress: float | None) -> None:
    """A number is kept within 0 and 100, anything else is no progress."""
    assert to_status({"trainingStatus": "Training", "percent": percent}).progress == progress
    assert to_status({"trainingStatus": "Training", "percent": float("nan")}).progress is None


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"percent": 100},
        {"trainingStatus": None},
        {"trainingStatus": 8, "inferenceStatus": 2},
        {"trainingStatus": ["Completed"]},
        {"trainingStatus": "Completed", "inferenceStatus": 2},
        {"trainingStatus": "Completed", "inferenceStatus": {"a": 1}},
    ],
)
def test_statuses_that_are_no_words_are_unreadable(reply: Mapping[str, Any]) -> None:
    """A reply of another form is an error of the service, never one of ours."""
    with pytest.raises(UnreadableError):
        to_status(reply)


# -- the start --------------------------------------------------------------------------------------------------------


async def test_the_form_goes_out_as_documented(service: Scripted, provider: Provider, data: Path) -> None:
    """The values are unquoted and in the page's order; the file follows unchanged, with a name and a length."""
    plan = planned(provider, data, "müşteri\r\n.jsonl")
    assert await provider.start(plan, await provider.reserve(plan, "j1"), data) == "my-model"
    token, start = service.asked
    assert token.body.decode() == "client_id=switch&client_secret=s3cret%2F%2B+value&grant_type=client_credentials"
    assert token.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert {one.headers["Accept"] for one in (token, start)} == {"application/json"}
    assert start.headers["Authorization"] == "Bearer t1"
    assert start.headers["Content-Length"] == str(len(start.body))
    assert "Transfer-Encoding" not in start.headers
    boundary = re.fullmatch(r"multipart/form-data; boundary=(\w+)", start.headers["Content-Type"])
    assert boundary is not None
    assert start.body.replace(boundary[1].encode(), b"B") == _form(
        ("modelId", b"my-model"), ("productName", b"CA"), ("languageCode", b"en-US"), ("dataSchema", b"utterance")
    )


def _form(*fields: tuple[str, bytes]) -> bytes:
    text = b'Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    parts = [text % (name.encode(), value) for name, value in fields]
    file = (
        b"Content-Type: application/octet-stream\r\n"
        b'Content-Disposition: form-data; name="dataFile"; filename="%s"\r\n\r\n%s\r\n'
    )
    parts.append(file % ("müşteri__.jsonl".encode(), ROWS))
    return b"".join(b"--B\r\n" + part for part in parts) + b"--B--\r\n"


async def test_reserving_looks_at_nothing(service: Scripted, provider: Provider, data: Path) -> None:
    """A look at a finished training would publish it, so nothing is asked before the start."""
    assert await provider.reserve(planned(provider, data), "j1") == {}
    assert service.asked == []


async def test_the_plan_is_what_is_sent(provider: Provider, data: Path) -> None:
    """What approvers read and sign holds the language, the product and the bytes of the file."""
    plan = planned(provider, data)
    assert plan.summary == (("Language", "en-US"), ("Product", "CA"))
    other = provider.plan(request(product="QA"), plan.payload)
    assert len({plan.digest(), other.digest(), provider.plan(request(), None).digest()}) == 3


@pytest.mark.parametrize(
    "answer",
    [
        says(BUSY, 403),
        says(BUSY, 400),
        says(BUSY, 409),
        says(BUSY, 500),
        says(BUSY, 200),
        web.Response(status=403, text="The training is STILL IN PROGRESS for the same model ID: my-model"),
    ],
)
async def test_a_training_that_goes_on_refuses_another(
    service: Scripted, provider: Provider, data: Path, answer: Answer
) -> None:
    """The documented message tells it, whatever the undocumented status is; the model is named."""
    service.on("POST", TRAIN, answer)
    error = await failure(provider.start(planned(provider, data), {}, data))
    assert type(error) is RejectedError
    assert error.effect is Effect.REFUSED
    assert str(error).startswith("Sestek Knovvu ML still trains `my-model`.")
    assert service.count("POST", TRAIN) == 1


@pytest.mark.parametrize("name", list(BROKEN))
async def test_an_unclear_start_stays_unclear(service: Scripted, provider: Provider, data: Path, name: str) -> None:
    """Whatever is not the documented answer leaves open what happened, and is never sent again."""
    service.on("POST", TRAIN, BROKEN[name])
    error = await failure(provider.start(planned(provider, data), {}, data))
    assert error.effect is Effect.UNKNOWN
    assert service.count("POST", TRAIN) == 1


async def test_a_start_has_a_connection_of_its_own(service: Scripted, provider: Provider, data: Path) -> None:
    """A start never goes out on a used connection, which may be dead by then without a sign."""
    service.on("GET", PROGRESS, says({"trainingStatus": "Failed"}))
    await look(provider)
    await provider.start(planned(provider, data), {}, data)
    await look(provider)
    before, start, after = (one.connection for one in service.asked if one.path != TOKEN)
    assert before == after
    assert start != before


async def test_the_message_counts_in_errors_only(service: Scripted, provider: Provider, data: Path) -> None:
    """An accepted start is accepted, whatever words its reply has."""
    service.on("POST", TRAIN, says({**EXPERIMENT, "description": "still in progress"}))
    assert await provider.start(planned(provider, data), {}, data) == "my-model"


async def test_refusals_come_in_the_services_words(service: Scripted, provider: Provider, data: Path) -> None:
    """A refused start carries what the service says of it, its findings included, and surely did nothing."""
    findings = [{"message": "The productName field is required.", "members": ["productName"]}, {"odd": 1}, 7]
    service.on("POST", TRAIN, says(abp("Your request is not valid!", validationErrors=findings), 400))
    error = await failure(provider.start(planned(provider, data), {}, data))
    assert str(error) == "Sestek Knovvu ML refused: Your request is not valid! The productName field is required."
    assert (type(error), error.effect) == (RejectedError, Effect.REFUSED)


@pytest.mark.parametrize(
    ("answer", "kind", "effect"),
    [
        (says(abp(None), 403), RejectedError, Effect.REFUSED),
        (says({"error": "odd"}, 400), RejectedError, Effect.REFUSED),
        (page(413), RejectedError, Effect.REFUSED),
        (says(abp("Slow down"), 429), RateLimitedError, Effect.NONE),
        (says(abp("Boom"), 500), BrokenError, Effect.UNKNOWN),
    ],
)
async def test_other_refusals(
    service: Scripted, provider: Provider, data: Path, answer: Answer, kind: type[ProviderError], effect: Effect
) -> None:
    """Refusals of any other form have their usual meaning."""
    service.on("POST", TRAIN, answer)
    error = await failure(provider.start(planned(provider, data), {}, data))
    assert (type(error), error.effect) == (kind, effect)


async def test_a_start_that_reached_nobody_did_nothing(
    sessions: Sessions, service: Scripted, data: Path, unused_tcp_port: int
) -> None:
    """A refused connection surely sent nothing, at the API as at the identity server."""
    for key in ("base_url", "identity_url"):
        section = {**SECTION, "product": "CA", "base_url": service.url, "identity_url": service.url}
        section[key] = f"http://127.0.0.1:{unused_tcp_port}"
        provider = build(section, Tools(sessions=sessions, now=lambda: NOON))
        error = await failure(provider.start(planned(provider, data), {}, data))
        assert (type(error), error.effect) == (UnreachableError, Effect.NONE)


@pytest.mark.parametrize("is_gone", [True, False])
async def test_a_lost_file_is_told(service: Scripted, provider: Provider, data: Path, is_gone: bool) -> None:
    """Without the checked copy nothing is sent, and the job ends with a sentence instead of a crash."""
    plan = planned(provider, data)
    data.unlink()
    error = await failure(provider.start(plan, {}, data if is_gone else None))
    assert (error.effect, service.count("POST", TRAIN)) == (Effect.REFUSED, 0)


# -- tokens -----------------------------------------------------------------------------------------------------------


async def test_one_token_serves_until_shortly_before_its_end(service: Scripted, provider: Provider, time: Time) -> None:
    """A token is fetched once a day, not once a look."""
    service.on("GET", PROGRESS, says({"trainingStatus": "Training"}))
    await asyncio.gather(*(provider.status(Watched(job_id="j", model="my-model")) for _ in range(3)))
    assert service.count("POST", TOKEN) == 1
    time.now += timedelta(seconds=86_339)
    await provider.status(Watched(job_id="j", model="my-model"))
    assert service.count("POST", TOKEN) == 1
    time.now += timedelta(seconds=1)
    await provider.status(Watched(job_id="j", model="my-model"))
    assert service.count("POST", TOKEN) == 2
    assert service.asked[-1].headers["Authorization"] == "Bearer t2"


async def test_a_refused_token_is_renewed_once_and_the_start_is_complete(
    service: Scripted, provider: Provider, data: Path
) -> None:
    """A 401 surely started nothing: the whole form, file included, goes out again with a new token, once."""
    service.on("POST", TRAIN, web.Response(status=401), says(EXPERIMENT))
    assert await provider.start(planned(provider, data), {}, data) == "my-model"
    first, second = (one for one in service.asked if one.path == TRAIN)
    assert [one.headers["Authorization"] for one in (first, second)] == ["Bearer t1", "Bearer t2"]
    assert ROWS in first.body
    assert ROWS in second.body


async def test_a_token_that_is_never_taken(service: Scripted, provider: Provider, data: Path) -> None:
    """A second refusal is told, naming the setting; there is no third call."""
    service.on("POST", TRAIN, web.Response(status=401))
    error = await failure(provider.start(planned(provider, data), {}, data))
    assert (type(error), error.effect) == (CredentialsError, Effect.REFUSED)
    assert "SWITCHYARD_SESTEK__CLIENT_ID" in str(error)
    assert service.count("POST", TRAIN) == 2


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize("code", ["invalid_client", "unauthorized_client"])
async def test_wrong_credentials_name_their_settings(
    service: Scripted, provider: Provider, data: Path, status: int, code: str
) -> None:
    """What the identity server refuses names the settings and never the secret; nothing was started."""
    echo = {"error": code, "error_description": f"The secret {SECRET} of switch is wrong."}
    service.on("POST", TOKEN, says(echo, status))
    error = await failure(provider.start(planned(provider, data), {}, data))
    assert (type(error), error.effect) == (CredentialsError, Effect.REFUSED)
    assert "SWITCHYARD_SESTEK__CLIENT_ID with SWITCHYARD_SESTEK__CLIENT_SECRET" in str(error)
    assert SECRET not in str(error)
    assert service.count("POST", TRAIN) == 0


@pytest.mark.parametrize(
    ("answer", "kind", "effect"),
    [
        (says({"error": "invalid_scope"}, 400), RejectedError, Effect.REFUSED),
        (page(404), RejectedError, Effect.REFUSED),
        (page(), UnreadableError, Effect.NONE),
        (web.Response(), UnreadableError, Effect.NONE),
        (says(["t1"]), UnreadableError, Effect.NONE),
        (says({"access_token": None}), UnreadableError, Effect.NONE),
        (says({"access_token": "two\nlines"}), UnreadableError, Effect.NONE),
        (says({"error": "server_error"}, 500), BrokenError, Effect.NONE),
        (says({"error": "slow_down"}, 429), RateLimitedError, Effect.NONE),
        (web.Response(status=302, headers={"Location": "/"}), UnreadableError, Effect.NONE),
        (hang_up, UnreachableError, Effect.NONE),
    ],
)
async def test_a_start_without_a_token_surely_did_nothing(
    service: Scripted, provider: Provider, data: Path, answer: Answer, kind: type[ProviderError], effect: Effect
) -> None:
    """However the identity server fails, the training was surely not started."""
    service.on("POST", TOKEN, answer)
    error = await failure(provider.start(planned(provider, data), {}, data))
    assert (type(error), error.effect, service.count("POST", TRAIN)) == (kind, effect, 0)


async def test_a_token_in_a_reply_goes_nowhere(service: Scripted, provider: Provider) -> None:
    """A service that repeats our token in its error does not get it into a message, not even the former one."""
    service.on("GET", PROGRESS, web.Response(status=401), says(abp("Bearer t2 is bad, Bearer t1 was"), 403))
    service.on("POST", TOKEN, *(says({"access_token": f"t{n}"}) for n in (1, 2)))
    error = await failure(provider.status(Watched(job_id="j", model="my-model")))
    assert str(error) == "Sestek Knovvu ML refused: Bearer … is bad, Bearer … was"


# -- looking ----------------------------------------------------------------------------------------------------------


async def look(provider: Provider) -> RemoteStatus:
    return await provider.status(Watched(job_id="j", model="my-model", remote_id="my-model"))


async def test_a_look(service: Scripted, provider: Provider) -> None:
    """One GET, keyed by the model id, is one look."""
    service.on("GET", PROGRESS, says({"percent": 100, "trainingStatus": "Completed", "inferenceStatus": "Running"}))
    assert await look(provider) == RemoteStatus(phase=Phase.TRAINED, word="Completed", progress=100.0, is_live=True)
    assert service.asked[-1].headers["Accept"] == "application/json"


async def test_the_printed_sample_is_not_json(service: Scripted, provider: Provider) -> None:
    """The page prints its sample without commas; a reply of that form is not guessed at."""
    sample = '{\n  "percent": 100\n  "trainingStatus": "Completed"\n  "inferenceStatus": "Running"\n}'
    service.on("GET", PROGRESS, web.Response(text=sample, content_type="application/json"))
    assert isinstance(await failure(look(provider)), UnreadableError)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (says(abp("There is no entity Experiment"), 404), NotFoundError),
        (page(404), RejectedError),
        (web.Response(status=404), RejectedError),
        (says({"message": "no route"}, 404), RejectedError),
        (says(abp("Forbidden"), 403), RejectedError),
        (says(abp(None), 500), BrokenError),
        (page(), UnreadableError),
        (web.Response(), UnreadableError),
        (says([]), UnreadableError),
        (says(None), UnreadableError),
    ],
)
async def test_only_the_services_own_404_is_a_not_found(
    service: Scripted, provider: Provider, answer: Answer, kind: type[ProviderError]
) -> None:
    """A training is only called lost by an answer of the service's own form, never by a web page or a proxy."""
    service.on("GET", PROGRESS, answer)
    assert type(await failure(look(provider))) is kind


@pytest.mark.parametrize("word", ["Initialized", "PendingTraining", "Training", "Trained", "ModelUploading"])
async def test_a_training_that_goes_on_is_ours(service: Scripted, provider: Provider, data: Path, word: str) -> None:
    """After an unclear start, a training under way can only be the one that was started: one look tells."""
    service.on("GET", PROGRESS, says({"trainingStatus": word}))
    assert await provider.find(planned(provider, data), {}, None) == Found(remote_id="my-model", word=word)
    assert service.count("GET", PROGRESS) == 1


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("Completed", "Completed (may belong to the former training)"),
        ("Failed", "Failed (may belong to the former training)"),
        ("Cancelled", "Cancelled"),
    ],
)
async def test_an_ended_training_may_be_the_former(
    service: Scripted, provider: Provider, data: Path, word: str, shown: str
) -> None:
    """An ended training, or an unknown word, does not say whose it is: a person is asked, with the word."""
    service.on("GET", PROGRESS, says({"trainingStatus": word}))
    assert await provider.find(planned(provider, data), {}, None) == Found(word=shown)


def test_the_id_is_known_before_the_answer(provider: Provider, data: Path) -> None:
    """The model id is the training's id, also where the start's answer was lost."""
    assert provider.known_id(planned(provider, data), {}) == "my-model"


async def test_no_training_is_none(service: Scripted, provider: Provider, data: Path) -> None:
    """A model id that the service does not know holds no training of ours."""
    service.on("GET", PROGRESS, says(abp("There is no entity Experiment"), 404))
    assert await provider.find(planned(provider, data), {}, None) == Found()


# -- the sandbox's service --------------------------------------------------------------------------------------------


@pytest.fixture
async def sandbox() -> AsyncIterator[SandboxSestek]:
    service = SandboxSestek(Clock(NOON, speed=0), training_seconds=100)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
def there(sandbox: SandboxSestek, sessions: Sessions) -> Provider:
    prefix = "SWITCHYARD_SESTEK__"
    section = {key.removeprefix(prefix).lower(): value for key, value in sandbox.environment().items()}
    return build(section, Tools(sessions=sessions, now=sandbox.clock.now))


def count(sandbox: SandboxSestek, path: str) -> int:
    return sum(one.path == path for one in sandbox.requests)


async def test_a_training_from_start_to_live(sandbox: SandboxSestek, there: Provider, data: Path) -> None:
    """Start, watch, publish by looking, live: each step is seen as the service has it, with one start and one token."""
    plan = planned(there, data)
    assert await there.start(plan, {}, data) == "my-model"
    seen = [await look(there)]
    for seconds in (10, 40, 51, 10, 20):
        sandbox.clock.advance(seconds)
        seen.append(await look(there))
    assert [(one.word, one.phase, one.detail, one.is_live) for one in seen] == [
        ("Initialized", Phase.QUEUED, "", None),
        ("DatasetUploading", Phase.RUNNING, "", None),
        ("Training", Phase.RUNNING, "", None),
        ("Completed", Phase.TRAINED, "publishing", False),
        ("Completed", Phase.TRAINED, "publishing", False),
        ("Completed", Phase.TRAINED, "", True),
    ]
    assert seen[2].progress == 50
    assert (len(sandbox.starts), len(sandbox.switches), count(sandbox, TOKEN)) == (1, 1, 1)


async def test_the_sandbox_receives_the_bytes(sandbox: SandboxSestek, there: Provider, tmp_path: Path) -> None:
    """A large file arrives as it is on the disk."""
    path = tmp_path / "large"
    path.write_bytes(b"".join(row(f"l{n % 3}", f"{n} " + "ş" * 90) for n in range(20_000)))
    await there.start(planned(there, path), {}, path)
    arrived = next(one for one in sandbox.requests if one.path == TRAIN)
    parts = read_parts(arrived, arrived.body)  # type: ignore[arg-type] # it reads only the headers
    assert [part.name for part in parts] == ["modelId", "productName", "languageCode", "dataSchema", "dataFile"]
    assert parts[-1].content == path.read_bytes()


async def test_the_sandbox_refuses_a_second_training(sandbox: SandboxSestek, there: Provider, data: Path) -> None:
    """One training per model id at a time; afterwards the same id can be trained again."""
    plan = planned(there, data)
    await there.start(plan, {}, data)
    error = await failure(there.start(plan, {}, data))
    assert (type(error), len(sandbox.starts)) == (RejectedError, 1)
    sandbox.act_finish("my-model")
    await there.start(plan, {}, data)
    assert len(sandbox.starts) == 2


@pytest.mark.parametrize("kind", ["reset", "html", "half", "cut", "empty", "500", "redirect"])
async def test_a_start_whose_answer_is_lost_is_found(
    sandbox: SandboxSestek, there: Provider, data: Path, kind: str
) -> None:
    """The training runs although the answer was lost: the start is not repeated, the look finds it."""
    plan = planned(there, data)
    sandbox.fail_next(kind, path_contains="/train", after_work=True)
    assert (await failure(there.start(plan, {}, data))).effect is Effect.UNKNOWN
    assert await there.find(plan, {}, None) == Found(remote_id="my-model", word="Initialized")
    assert len(sandbox.starts) == 1


async def test_a_start_that_never_arrived_is_not_found(sandbox: SandboxSestek, there: Provider, data: Path) -> None:
    """The request was lost before it did anything: nothing is found, nothing is claimed."""
    plan = planned(there, data)
    sandbox.fail_next("reset", path_contains="/train")
    assert (await failure(there.start(plan, {}, data))).effect is Effect.UNKNOWN
    assert await there.find(plan, {}, None) == Found()
    assert sandbox.starts == []


async def test_expired_tokens_are_renewed(sandbox: SandboxSestek, there: Provider, data: Path) -> None:
    """A token that the service no longer takes is renewed in the middle of a training, unnoticed."""
    await there.start(planned(there, data), {}, data)
    sandbox.act_expire_tokens()
    assert (await look(there)).word == "Initialized"
    assert count(sandbox, TOKEN) == 2


async def test_failed_and_forgotten(sandbox: SandboxSestek, there: Provider, data: Path) -> None:
    """A failed training says so; one that the service no longer knows is not found."""
    await there.start(planned(there, data), {}, data)
    sandbox.act_fail("my-model")
    assert (await look(there)).phase is Phase.FAILED
    sandbox.act_forget("my-model")
    assert isinstance(await failure(look(there)), NotFoundError)


def test_what_the_sandbox_will_not_train_is_refused_here_first() -> None:
    """The sample files that are broken for Sestek are refused with their line, the good one is not."""
    folder = Path(__file__).parents[2] / "sandbox" / "data"
    found = {path.name: _finding(path) for path in sorted(folder.glob("*.json*"))}
    assert found.pop("my-model.jsonl") == "66 rows"
    assert {name: found[name] for name in ("array.json", "empty.jsonl", "missing-text.jsonl", "not-json.jsonl")} == {
        "array.json": "line 1",
        "empty.jsonl": "line None",
        "missing-text.jsonl": "line 3",
        "not-json.jsonl": "line 3",
    }


def _finding(path: Path) -> str:
    try:
        return f"{count_rows(path).rows} rows"
    except DataError as error:
        return f"line {error.line}"


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("refused", UnreachableError),
        ("reset", UnreachableError),
        ("500", BrokenError),
        ("html", UnreadableError),
        ("half", UnreadableError),
        ("cut", UnreachableError),
        ("empty", UnreadableError),
        ("redirect", UnreadableError),
    ],
)
async def test_an_outage_is_an_error_and_nothing_else(
    sandbox: SandboxSestek, there: Provider, data: Path, kind: str, error: type[ProviderError]
) -> None:
    """Each kind of outage has its error, nothing is followed elsewhere, and afterwards looks work again."""
    await there.start(planned(there, data), {}, data)
    sandbox.act_outage(kind)
    assert type(await failure(look(there))) is error
    sandbox.act_outage(None)
    assert (await look(there)).word == "Initialized"
    assert count(sandbox, "/elsewhere") == 0
