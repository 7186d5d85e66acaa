"""The sandbox's DeepOpinion: what is trained on, what clashes, and which route tells what."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from sandbox.clock import Clock
from sandbox.services import DeepOpinion

BODY = {"name": "hotel-1", "display_name": "Hotel 1", "language": "de", "base_id": 7, "annotation_ids": [1, 2]}


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock(speed=0)


@pytest.fixture
async def studio(clock: Clock) -> AsyncIterator[DeepOpinion]:
    """A running service whose trainings take 100 seconds."""
    service = DeepOpinion(clock, training_seconds=100)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


async def call(
    http: aiohttp.ClientSession, studio: DeepOpinion, method: str, path: str, *, body: Any = None, key: str = ""
) -> tuple[int, Any]:
    """One call with the key that may write, unless another is given; status and JSON."""
    headers = {"Authorization": f"Bearer {key or studio.api_key}"}
    async with http.request(method, studio.base_url + path, json=body, headers=headers) as reply:
        return reply.status, json.loads(await reply.read() or b"null")


async def test_a_training_is_a_new_model_of_the_project(http: aiohttp.ClientSession, studio: DeepOpinion) -> None:
    """201 with the documented fields; `created` is a bare date although it is typed as a time."""
    status, model = await call(http, studio, "POST", "/projects/1/models", body=BODY)

    assert status == 201
    assert {"id", "uuid", "name", "display_name", "status", "progress", "score", "base", "type"} <= set(model)
    assert (model["status"], model["base"], model["project_id"]) == ("CREATED", "Hotel Pre-Trained", 1)
    assert len(model["created"]) == len("2026-11-21")
    assert [entry.model for entry in studio.starts] == ["hotel-1"]


@pytest.mark.parametrize(
    "change",
    [
        {"language": "fr"},
        {"base_id": 8},
        {"base_id": "7"},
        {"annotation_ids": [0]},
        {"annotation_ids": [9]},
        {"annotation_ids": "1,2"},
        {"trainset_annotation_ids": [True]},
        {"display_name": None},
        {"data": "x"},
    ],
)
async def test_a_wrong_body_is_refused_with_a_message(
    http: aiohttp.ClientSession, studio: DeepOpinion, change: dict[str, Any]
) -> None:
    """400 with a sentence, and nothing is trained."""
    status, error = await call(http, studio, "POST", "/projects/1/models", body=BODY | change)

    assert status == 400
    assert error["message"]
    assert not studio.starts


async def test_a_body_that_is_no_json_object_is_refused(http: aiohttp.ClientSession, studio: DeepOpinion) -> None:
    """Neither a list nor a form is taken."""
    assert (await call(http, studio, "POST", "/projects/1/models", body=[BODY]))[0] == 400
    headers = {"Authorization": f"Bearer {studio.api_key}"}
    async with http.post(f"{studio.base_url}/projects/1/models", data={"name": "x"}, headers=headers) as reply:
        assert reply.status == 400


async def test_annotation_ids_win_over_the_two_sets(http: aiohttp.ClientSession, studio: DeepOpinion) -> None:
    """Documented: with annotation_ids the train and test sets are ignored, without a word."""
    body = BODY | {"trainset_annotation_ids": [3], "testset_annotation_ids": [3]}
    _, model = await call(http, studio, "POST", "/projects/1/models", body=body)

    assert studio.projects[1].models[model["id"]].sessions == {"annotation_ids": [1, 2]}


async def test_a_name_is_taken_once_in_a_workspace(http: aiohttp.ClientSession, studio: DeepOpinion) -> None:
    """The clash is named, and starts nothing."""
    await call(http, studio, "POST", "/projects/1/models", body=BODY)
    status, error = await call(http, studio, "POST", "/projects/1/models", body=BODY)

    assert (status, "hotel-1" in error["message"]) == (400, True)
    assert len(studio.starts) == 1


async def test_a_model_goes_from_created_to_ready(
    http: aiohttp.ClientSession, studio: DeepOpinion, clock: Clock
) -> None:
    """Progress looks like percent; the score comes at the end; the project's route tells the details."""
    _, model = await call(http, studio, "POST", "/projects/1/models", body=BODY)
    seen = []
    for pause in (0, 15, 35, 50):
        clock.advance(pause)
        seen.append((await call(http, studio, "GET", f"/projects/1/models/{model['id']}"))[1])

    assert [now["status"] for now in seen] == ["CREATED", "QUEUED", "TRAINING", "READY"]
    assert [now["progress"] for now in seen] == [0, 15, 50, 100]
    assert [now["score"] for now in seen] == [None, None, None, 0.68]
    assert {"classes", "labels", "demoset", "metrics"} <= set(seen[0])


async def test_three_routes_answer_in_three_shapes(http: aiohttp.ClientSession, studio: DeepOpinion) -> None:
    """The project's list is an array; /models and even /models/{id} answer an envelope."""
    _, model = await call(http, studio, "POST", "/projects/1/models", body=BODY)
    _, project = await call(http, studio, "GET", "/projects/1/models")
    _, one = await call(http, studio, "GET", f"/models/{model['id']}")
    _, page = await call(http, studio, "GET", "/models?offset=0&limit=1")

    assert [found["id"] for found in project] == [11, model["id"]]
    assert [found["id"] for found in one["models"]] == [model["id"]]
    assert (page["has_more"], page["count"], len(page["models"])) == (True, 2, 1)


async def test_who_may_not_write_is_told_403(http: aiohttp.ClientSession, studio: DeepOpinion) -> None:
    """A read-only key reads, but does not train."""
    key = studio.read_only_key

    assert (await call(http, studio, "POST", "/projects/1/models", body=BODY, key=key))[0] == 403
    assert (await call(http, studio, "GET", "/projects/1/models", key=key))[0] == 200


async def test_a_log_in_gives_a_token_of_fourteen_days(
    http: aiohttp.ClientSession, studio: DeepOpinion, clock: Clock
) -> None:
    """The token tells its end by itself, and then is refused."""
    login = {"email": studio.email, "password": studio.password}
    _, reply = await call(http, studio, "POST", "/auth/login", body=login)
    claims = json.loads(base64.urlsafe_b64decode(reply["auth_token"].split(".")[1] + "=="))

    assert reply["status"] == "OK"
    assert claims["exp"] - claims["iat"] == 14 * 86_400
    assert (await call(http, studio, "GET", "/projects/1/models", key=reply["auth_token"]))[0] == 200
    clock.advance(14 * 86_400)
    assert (await call(http, studio, "GET", "/projects/1/models", key=reply["auth_token"]))[0] == 401


async def test_an_act_expires_tokens_but_no_keys(http: aiohttp.ClientSession, studio: DeepOpinion) -> None:
    """Renewal can be tried without waiting two weeks."""
    _, reply = await call(
        http, studio, "POST", "/auth/login", body={"email": studio.email, "password": studio.password}
    )

    assert studio.act("expire_tokens") == {"ok": True, "expired": 1}
    assert (await call(http, studio, "GET", "/models", key=reply["auth_token"]))[0] == 401
    assert (await call(http, studio, "GET", "/models"))[0] == 200


async def test_keys_are_made_and_taken_back(http: aiohttp.ClientSession, studio: DeepOpinion) -> None:
    """A key's token works like one from a log-in, until the key is deleted."""
    _, key = await call(http, studio, "POST", "/users/1/keys", body={"name": "bot"})

    assert (await call(http, studio, "GET", "/models", key=key["token"]))[0] == 200
    assert (await call(http, studio, "GET", "/users/1/keys"))[1][0]["name"] == "bot"
    assert (await call(http, studio, "DELETE", f"/users/1/keys/{key['id']}"))[0] == 200
    assert (await call(http, studio, "GET", "/models", key=key["token"]))[0] == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/projects/9/models", 404),
        ("GET", "/projects/1/models/99", 404),
        ("GET", "/models/99", 404),
        ("GET", "/nothing", 404),
        ("PATCH", "/projects/1/models", 405),
        ("GET", "/v1/projects/1/models", 404),
    ],
)
async def test_what_does_not_exist_is_said_in_the_same_shape(
    http: aiohttp.ClientSession, studio: DeepOpinion, method: str, path: str, status: int
) -> None:
    """A message, whatever was wrong with the address."""
    got, error = await call(http, studio, method, path)

    assert got == status
    assert error["message"]


async def test_the_sessions_of_a_project_are_listed(http: aiohttp.ClientSession, studio: DeepOpinion) -> None:
    """Their ids are what a training takes."""
    _, sessions = await call(http, studio, "GET", "/projects/1/annotations?mode=ANNOTATION")

    assert [(session["id"], session["status"]) for session in sessions] == [
        (1, "FINISHED"), (2, "FINISHED"), (3, "FINISHED"),
    ]  # fmt: skip


async def test_wrong_credentials_are_401(http: aiohttp.ClientSession, studio: DeepOpinion) -> None:
    """A wrong key and a wrong password."""
    assert (await call(http, studio, "GET", "/models", key="wrong"))[0] == 401
    assert (await call(http, studio, "POST", "/auth/login", body={"email": "a", "password": "b"}))[0] == 401
