"""The sandbox's Sestek: it takes only what the pages describe, and looking publishes."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from sandbox.clock import Clock
from sandbox.services import Sestek

API = "/sestekai-api/api/external/trainings"
ROWS = b'{"Label": "greeting", "Text": "Hello"}\n{"Label": "complaint", "Text": "It broke"}\n'
GOOD = {"modelId": "my-model", "productName": "CA", "languageCode": "en-US", "dataSchema": "utterance"}


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock(speed=0)


@pytest.fixture
async def sestek(clock: Clock) -> AsyncIterator[Sestek]:
    """A running service whose trainings take 100 seconds."""
    service = Sestek(clock, training_seconds=100)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


def credentials(sestek: Sestek, **more: str) -> dict[str, str]:
    """The form of a token request."""
    return {
        "client_id": sestek.client_id,
        "client_secret": sestek.client_secret,
        "grant_type": "client_credentials",
        **more,
    }


async def token(http: aiohttp.ClientSession, sestek: Sestek) -> dict[str, str]:
    """A header with a fresh token."""
    async with http.post(f"{sestek.identity_url}/connect/token", data=credentials(sestek)) as reply:
        return {"Authorization": f"Bearer {(await reply.json())['access_token']}"}


async def train(
    http: aiohttp.ClientSession,
    sestek: Sestek,
    headers: dict[str, str],
    *,
    data: bytes = ROWS,
    fields: dict[str, str] | None = None,
) -> tuple[int, Any]:
    """Post a training; status and JSON."""
    form = aiohttp.FormData()
    for name, value in (GOOD | (fields or {})).items():
        form.add_field(name, value)
    form.add_field("dataFile", data, filename="my-model.jsonl", content_type="application/octet-stream")
    async with http.post(f"{sestek.base_url}{API}/train", data=form, headers=headers) as reply:
        return reply.status, await reply.json(content_type=None)


async def look(
    http: aiohttp.ClientSession, sestek: Sestek, headers: dict[str, str], model: str = "my-model"
) -> tuple[int, Any]:
    """Get the progress; status and JSON."""
    async with http.get(f"{sestek.base_url}{API}/{model}/progress", headers=headers) as reply:
        return reply.status, json.loads(await reply.read() or b"null")


async def test_a_token_is_given_for_the_form_that_the_page_shows(http: aiohttp.ClientSession, sestek: Sestek) -> None:
    """The reply has the four documented fields; a token lives a day."""
    async with http.post(f"{sestek.identity_url}/connect/token", data=credentials(sestek)) as reply:
        body = await reply.json()

    assert reply.status == 200
    assert set(body) == {"access_token", "expires_in", "token_type", "scope"}
    assert (body["expires_in"], body["token_type"], body["scope"]) == (86_400, "Bearer", "SestekAI_External")


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"scope": "AIModule"}, 400, "invalid_scope"),
    ],
)
async def test_a_wrong_token_request_gets_an_oauth_error(
    http: aiohttp.ClientSession, sestek: Sestek, change: dict[str, str], status: int, error: str
) -> None:
    """Errors of the identity server have OAuth's two fields."""
    async with http.post(f"{sestek.identity_url}/connect/token", data=credentials(sestek, **change)) as reply:
        body = await reply.json()

    assert (reply.status, body["error"]) == (status, error)
    assert body["error_description"]


async def test_a_token_request_in_json_is_refused(http: aiohttp.ClientSession, sestek: Sestek) -> None:
    """OAuth's token endpoint takes a form only."""
    async with http.post(f"{sestek.identity_url}/connect/token", json=credentials(sestek)) as reply:
        assert (reply.status, (await reply.json())["error"]) == (400, "invalid_request")


async def test_the_identity_server_and_the_api_are_two_hosts(http: aiohttp.ClientSession, sestek: Sestek) -> None:
    """Whoever asks the wrong one for a token gets nothing."""
    async with http.post(f"{sestek.base_url}/connect/token", data=credentials(sestek)) as reply:
        assert reply.status == 404


async def test_a_good_request_starts_one_training(http: aiohttp.ClientSession, sestek: Sestek) -> None:
    """The reply is the experiment object."""
    status, body = await train(http, sestek, await token(http, sestek))

    assert (status, body["name"], body["statusMessage"], body["status"]) == (200, "my-model", "Initialized", 0)
    assert [entry.model for entry in sestek.starts] == ["my-model"]
    assert sestek.experiments["my-model"].rows == 2


@pytest.mark.parametrize(
    ("fields", "member"),
    [
        ({"modelId": '"my-model"'}, "modelId"),
        ({"modelId": "My-Model"}, "modelId"),
        ({"modelId": "-model"}, "modelId"),
        ({"modelId": "model-"}, "modelId"),
        ({"modelId": "m" * 64}, "modelId"),
        ({"modelId": "türkçe"}, "modelId"),
        ({"languageCode": '"en-US"'}, "languageCode"),
        ({"languageCode": "en-EN"}, "languageCode"),
        ({"dataSchema": "dialogue"}, "dataSchema"),
        ({"productName": ""}, "productName"),
    ],
)
async def test_a_wrong_value_is_refused_with_its_field(
    http: aiohttp.ClientSession, sestek: Sestek, fields: dict[str, str], member: str
) -> None:
    """The quotes around values in the page's own sample break the rule of the model id."""
    status, body = await train(http, sestek, await token(http, sestek), fields=fields)

    assert status == 400
    assert body["error"]["validationErrors"][0]["members"] == [member]
    assert not sestek.starts


@pytest.mark.parametrize(
    "data",
    [b"", b'[{"Label": "a", "Text": "b"}]', b'{"Label": "a"}\n', b"Label,Text\n", b"\xef\xbb\xbf" + ROWS],
)
async def test_data_that_is_no_json_lines_is_refused(http: aiohttp.ClientSession, sestek: Sestek, data: bytes) -> None:
    """One object with exactly Label and Text a line; a byte order mark is no JSON either."""
    status, body = await train(http, sestek, await token(http, sestek), data=data)

    assert (status, body["error"]["validationErrors"][0]["members"]) == (400, ["dataFile"])


async def test_a_body_that_is_no_form_is_refused(http: aiohttp.ClientSession, sestek: Sestek) -> None:
    """The training request is multipart/form-data, nothing else."""
    url, headers = f"{sestek.base_url}{API}/train", await token(http, sestek)
    async with (
        http.post(url, headers=headers, json=GOOD) as as_json,
        http.post(url, headers=headers, data=GOOD) as form,
    ):
        assert (as_json.status, form.status) == (400, 400)
    assert not sestek.starts


async def test_a_second_training_of_a_model_id_is_refused_by_its_message(
    http: aiohttp.ClientSession, sestek: Sestek, clock: Clock
) -> None:
    """Since v1.70; afterwards the same id may be trained again."""
    headers = await token(http, sestek)
    await train(http, sestek, headers)
    status, body = await train(http, sestek, headers)

    assert status == 403
    assert body["error"]["message"] == "The training is still in progress for the same model ID: my-model"
    clock.advance(100)
    assert (await train(http, sestek, headers))[0] == 200
    assert len(sestek.starts) == 2


async def test_the_words_follow_one_another_by_the_clock(
    http: aiohttp.ClientSession, sestek: Sestek, clock: Clock
) -> None:
    """All documented words come, in their order, with a percent that only grows."""
    headers = await token(http, sestek)
    await train(http, sestek, headers)
    words, percents = [], []
    for _ in range(41):
        _, body = await look(http, sestek, headers)
        words.append(body["trainingStatus"])
        percents.append(body["percent"])
        clock.advance(2.5)

    assert list(dict.fromkeys(words)) == [
        "Initialized", "PendingTraining", "DatasetUploading", "DataProcessing", "TrainingStarted", "Training",
        "Trained", "ModelUploading", "Completed",
    ]  # fmt: skip
    assert percents == sorted(percents)
    assert percents[-1] == 100


async def test_looking_at_a_finished_training_publishes_it(
    http: aiohttp.ClientSession, sestek: Sestek, clock: Clock
) -> None:
    """Nothing is published by time alone; the first look sets it off, later ones see Pending and Running."""
    headers = await token(http, sestek)
    await train(http, sestek, headers)
    clock.advance(1000)
    assert sestek.live() == []

    seen = []
    for pause in (0, 1, 30):
        clock.advance(pause)
        seen.append((await look(http, sestek, headers))[1]["inferenceStatus"])

    assert seen == [None, "Pending", "Running"]
    assert len(sestek.switches) == 1
    assert [model["id"] for model in sestek.live()] == ["my-model"]


async def test_a_failed_training_is_never_published(http: aiohttp.ClientSession, sestek: Sestek) -> None:
    """The act "fail" ends a training; looking at it does nothing."""
    headers = await token(http, sestek)
    await train(http, sestek, headers)

    assert sestek.act("fail", training="my-model") == {"ok": True, "training": "my-model"}
    assert (await look(http, sestek, headers))[1]["trainingStatus"] == "Failed"
    assert not sestek.switches


async def test_an_unknown_model_is_an_abp_error(http: aiohttp.ClientSession, sestek: Sestek) -> None:
    """404 with the message inside `error`."""
    status, body = await look(http, sestek, await token(http, sestek), model="other")

    assert status == 404
    assert "other" in body["error"]["message"]


async def test_tokens_expire_by_the_clock_and_by_act(http: aiohttp.ClientSession, sestek: Sestek, clock: Clock) -> None:
    """Without a good token every call is a 401 with no body."""
    headers = await token(http, sestek)
    await train(http, sestek, headers)
    sestek.act("expire_tokens")
    assert (await look(http, sestek, headers))[0] == 401

    headers = await token(http, sestek)
    assert (await look(http, sestek, headers))[0] == 200
    clock.advance(86_400)
    assert await look(http, sestek, headers) == (401, None)
    assert (await look(http, sestek, {}))[0] == 401


@pytest.mark.parametrize(("method", "path"), [("POST", "/train"), ("GET", "/my-model/progress")])
async def test_the_former_path_is_gone(http: aiohttp.ClientSession, sestek: Sestek, method: str, path: str) -> None:
    """Deprecated since 2025: the sandbox no longer answers there."""
    url = f"{sestek.base_url}/sestekai-api/api/app/external-trainings{path}"
    async with http.request(method, url, headers=await token(http, sestek)) as reply:
        assert reply.status == 404
        assert "deprecated" in (await reply.json())["error"]["message"]


async def test_a_wrong_method_is_refused(http: aiohttp.ClientSession, sestek: Sestek) -> None:
    """The paths take one method each."""
    async with http.put(f"{sestek.base_url}{API}/train", headers=await token(http, sestek)) as reply:
        assert reply.status == 405
