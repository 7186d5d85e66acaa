"""The sandbox's Sony: the upload is the start, links take nothing but themselves, a switch shows later."""

import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from sandbox.clock import Clock
from sandbox.services import Sony

CSV = (Path(__file__).parents[2] / "sandbox" / "data" / "churn.csv").read_bytes()


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock(speed=0)


@pytest.fixture
async def sony(clock: Clock) -> AsyncIterator[Sony]:
    """A running service whose trainings take 100 seconds."""
    service = Sony(clock, training_seconds=100)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that adds no Content-Type of its own."""
    async with aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as session:
        yield session


def key_of(sony: Sony, model: str = "churn") -> str:
    """A model's retrain key."""
    return sony.accounts[model].api_key


async def call(
    http: aiohttp.ClientSession, sony: Sony, method: str, path: str, *, key: str | None = None
) -> tuple[int, Any]:
    """A call with churn's key, unless another is given; status and JSON."""
    headers = {"x-api-key": key_of(sony) if key is None else key}
    async with http.request(method, sony.base_url + path, headers=headers) as reply:
        return reply.status, await reply.json()


async def put(http: aiohttp.ClientSession, url: str, data: Any = CSV, headers: dict[str, str] | None = None) -> int:
    """Put bytes to a link as it is; the status."""
    async with http.put(URL(url, encoded=True), data=data, headers=headers) as reply:
        return reply.status


async def reserve(http: aiohttp.ClientSession, sony: Sony, filename: str = "churn.csv") -> dict[str, str]:
    """A retrain job with its upload link."""
    _, body = await call(http, sony, "GET", f"/retrain_jobs/upload_url?filename={filename}")
    return {"id": body["retrain_job_id"], "url": body["upload_url"]}


async def begin(http: aiohttp.ClientSession, sony: Sony) -> str:
    """A job under training."""
    job = await reserve(http, sony)
    assert await put(http, job["url"]) == 200
    return job["id"]


async def classifier(http: aiohttp.ClientSession, sony: Sony) -> Any:
    """What a deploy key shows of churn."""
    _, body = await call(http, sony, "GET", "/classifiers", key="sandbox-sony-deploy-key")
    return body["classifiers"][0]


async def test_a_job_has_its_id_before_the_data(http: aiohttp.ClientSession, sony: Sony) -> None:
    """The first reply has no `metadata`, all others have; nothing is started."""
    _, body = await call(http, sony, "GET", "/retrain_jobs/upload_url?filename=churn.csv")
    _, status = await call(http, sony, "GET", f"/retrain_jobs/{body['retrain_job_id']}")

    assert set(body) == {"retrain_job_id", "upload_url"}
    assert status["metadata"] == {"retrain_job_id": body["retrain_job_id"]}
    assert "download_url" not in status
    assert not sony.starts


async def test_the_finished_upload_is_the_start(http: aiohttp.ClientSession, sony: Sony) -> None:
    """One PUT, one training; the same link takes no second one."""
    job = await reserve(http, sony)

    assert await put(http, job["url"]) == 200
    assert await put(http, job["url"]) == 409
    assert [(entry.id, entry.model) for entry in sony.starts] == [(job["id"], "churn")]
    assert sony.jobs[job["id"]].data == CSV


@pytest.mark.parametrize("header", ["x-api-key", "Content-Type", "Authorization"])
async def test_a_link_takes_no_header_that_was_not_signed(http: aiohttp.ClientSession, sony: Sony, header: str) -> None:
    """Neither the key nor a Content-Type."""
    job = await reserve(http, sony)

    assert await put(http, job["url"], headers={header: "text/csv"}) == 403
    assert not sony.starts


async def test_a_link_takes_no_chunked_body(http: aiohttp.ClientSession, sony: Sony) -> None:
    """A length is needed."""

    async def chunks() -> AsyncIterator[bytes]:
        yield CSV

    job = await reserve(http, sony)

    assert await put(http, job["url"], chunks()) == 501
    assert not sony.starts


async def test_a_link_must_come_back_as_it_was_given(http: aiohttp.ClientSession, sony: Sony) -> None:
    """A client that turns %2F in the query into a slash has another signature."""
    job = await reserve(http, sony)

    assert "%2F" in job["url"].partition("?")[2]
    async with http.put(job["url"], data=CSV) as reply:
        assert reply.status == 403
    assert await put(http, job["url"].replace("%2F", "/")) == 403
    assert await put(http, job["url"]) == 200


async def test_an_upload_that_breaks_off_starts_nothing(http: aiohttp.ClientSession, sony: Sony) -> None:
    """Fewer bytes than announced are no upload, and the link is still good."""
    job = await reserve(http, sony)
    cut = CSV[:-100]
    with pytest.raises((aiohttp.ClientError, TimeoutError)):
        async with http.put(
            URL(job["url"], encoded=True),
            data=cut,
            headers={"Content-Length": str(len(CSV))},
            timeout=aiohttp.ClientTimeout(total=0.1),
        ):
            pass

    assert not sony.starts
    assert await put(http, job["url"]) == 200


async def test_a_link_ends(http: aiohttp.ClientSession, sony: Sony, clock: Clock) -> None:
    """After an hour; how long real ones live is not documented."""
    job = await reserve(http, sony)
    clock.advance(3600)

    assert await put(http, job["url"]) == 403


async def test_one_word_is_known_and_the_others_are_not(http: aiohttp.ClientSession, sony: Sony, clock: Clock) -> None:
    """Only `job_finished` is published; with it comes the result's link."""
    job = await begin(http, sony)
    _, during = await call(http, sony, "GET", f"/retrain_jobs/{job}")
    clock.advance(100)
    _, after = await call(http, sony, "GET", f"/retrain_jobs/{job}")

    assert during["status"] not in {"job_finished", "finished"}
    assert (after["status"], after["model_id"]) == ("job_finished", 201)
    assert "download_url" in after


async def test_the_result_is_fetched_without_a_key(http: aiohttp.ClientSession, sony: Sony, clock: Clock) -> None:
    """A small ZIP behind a signed link."""
    job = await begin(http, sony)
    clock.advance(100)
    _, status = await call(http, sony, "GET", f"/retrain_jobs/{job}")
    link = URL(status["download_url"], encoded=True)

    async with http.get(link) as reply:
        assert reply.status == 200
        assert zipfile.ZipFile(io.BytesIO(await reply.read())).namelist() == ["result.csv"]
    async with http.get(link, headers={"x-api-key": key_of(sony)}) as reply:
        assert reply.status == 403
    async with http.get(str(status["download_url"])) as reply:
        assert reply.status == 403


async def test_a_switch_before_the_end_is_refused_by_its_message(http: aiohttp.ClientSession, sony: Sony) -> None:
    """One code for everything: only the message tells."""
    status, error = await call(http, sony, "PUT", f"/retrain_jobs/{await begin(http, sony)}/update_model")

    assert (status, error["code"], error["message"]) == (400, 4001000204, "Retrain job is not finished.")
    assert not sony.switches


async def test_a_switch_shows_in_the_classifier_some_time_later(
    http: aiohttp.ClientSession, sony: Sony, clock: Clock
) -> None:
    """`running` with the old version, `updating`, `running` with a new one."""
    job = await begin(http, sony)
    clock.advance(100)
    before = await classifier(http, sony)
    status, reply = await call(http, sony, "PUT", f"/retrain_jobs/{job}/update_model")
    during = await classifier(http, sony)
    clock.advance(30)
    after = await classifier(http, sony)

    assert (status, reply) == (200, {"metadata": {"retrain_job_id": job}})
    assert [(seen["status"], seen["version"]) for seen in (before, during, after)] == [
        ("running", "1.0.0"),
        ("updating", "1.0.0"),
        ("running", "2.0.0"),
    ]
    assert after["model_id"] == 201
    assert after["update_datetime"] != before["update_datetime"]
    assert [entry.id for entry in sony.switches] == [job]


async def test_the_classifiers_hold_a_live_secret(http: aiohttp.ClientSession, sony: Sony) -> None:
    """Documented: the reply names the prediction API's key, which must appear nowhere else."""
    assert (await classifier(http, sony))["api_key"] == "sandbox-sony-churn-prediction-key"


async def test_each_key_opens_its_own_door(http: aiohttp.ClientSession, sony: Sony) -> None:
    """A retrain key sees only its model's jobs; a deploy key only the classifiers."""
    job = await begin(http, sony)
    other, deploy = key_of(sony, "demand"), "sandbox-sony-deploy-key"

    for path, key, message in (
        (f"/retrain_jobs/{job}", other, "Not found retrain job."),
        (f"/retrain_jobs/{job}", deploy, "invalid_api_key."),
        ("/classifiers", key_of(sony), "Not_found_credential."),
        ("/retrain_jobs/upload_url?filename=a.csv", "", "Not_found_credential."),
    ):
        status, error = await call(http, sony, "GET", path, key=key)
        assert (status, error["message"]) == (400, message)


async def test_an_old_key_is_a_bad_request(http: aiohttp.ClientSession, sony: Sony, clock: Clock) -> None:
    """400, not 401; a key is good for 30 days."""
    job = await reserve(http, sony)
    sony.act("expire_keys", model="churn")
    status, error = await call(http, sony, "GET", f"/retrain_jobs/{job['id']}")
    assert (status, error["message"]) == (400, "Inactive_credential.")

    sony.act("renew_keys")
    assert (await call(http, sony, "GET", f"/retrain_jobs/{job['id']}"))[0] == 200
    clock.advance(30 * 86_400)
    assert (await call(http, sony, "GET", f"/retrain_jobs/{job['id']}"))[0] == 400


async def test_a_model_without_its_prediction_api_cannot_be_switched(
    http: aiohttp.ClientSession, sony: Sony, clock: Clock
) -> None:
    """Nor retrained."""
    job = await begin(http, sony)
    clock.advance(100)
    sony.act("delete_classifier", model="churn")

    _, switch = await call(http, sony, "PUT", f"/retrain_jobs/{job}/update_model")
    _, again = await call(http, sony, "GET", "/retrain_jobs/upload_url?filename=churn.csv")
    assert (switch["message"], again["message"]) == ("Not found classifier.", "This model may be deleted.")


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ("text_code", lambda body: body["code"] == "4001000204"),
        ("nested", lambda body: body["error"]["code"] == 4001000204),
        ("listed", lambda body: body["errors"][0]["code"] == 4001000204),
    ],
)
async def test_errors_come_in_several_shapes(http: aiohttp.ClientSession, sony: Sony, shape: str, found: Any) -> None:
    """The manual shows no error body, so a reader must be ready for each."""
    sony.act("error_shape", shape=shape)

    assert found((await call(http, sony, "GET", "/retrain_jobs/nothing"))[1])


async def test_an_error_may_be_no_json(http: aiohttp.ClientSession, sony: Sony) -> None:
    """Plain text with the message in it."""
    sony.act("error_shape", shape="not_json")
    async with http.get(f"{sony.base_url}/retrain_jobs/x", headers={"x-api-key": key_of(sony)}) as reply:
        assert (reply.status, reply.content_type) == (400, "text/plain")
        assert "Not found retrain job." in await reply.text()


@pytest.mark.parametrize(
    ("filename", "data"),
    [("few.csv", b"a,b\n1,2\n"), ("churn.zip", b"no zip"), ("empty.csv", b"")],
)
async def test_data_that_cannot_be_trained_on_fails_the_job(
    http: aiohttp.ClientSession, sony: Sony, filename: str, data: bytes
) -> None:
    """The upload is taken; the job has a failing word and a message."""
    job = await reserve(http, sony, filename)
    assert await put(http, job["url"], data) == 200
    _, status = await call(http, sony, "GET", f"/retrain_jobs/{job['id']}")

    assert "fail" in status["status"]
    assert status["message"]


async def test_a_zip_holds_training_and_evaluation(http: aiohttp.ClientSession, sony: Sony) -> None:
    """Folders train_src and eval_src."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train_src/churn.csv", CSV)
        archive.writestr("eval_src/churn.csv", CSV)
    job = await reserve(http, sony, "churn.zip")

    assert await put(http, job["url"], packed.getvalue()) == 200
    assert "message" not in (await call(http, sony, "GET", f"/retrain_jobs/{job['id']}"))[1]


async def test_any_word_can_be_put_into_its_mouth(http: aiohttp.ClientSession, sony: Sony) -> None:
    """Also for a job without data, and a failure with any word."""
    job = (await reserve(http, sony))["id"]
    sony.act("word", training=job, word="warming_up")
    assert (await call(http, sony, "GET", f"/retrain_jobs/{job}"))[1]["status"] == "warming_up"

    other = await begin(http, sony)
    sony.act("fail", training=other, word="Aborted", message="quota")
    _, status = await call(http, sony, "GET", f"/retrain_jobs/{other}")
    assert (status["status"], status["message"]) == ("Aborted", "quota")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/retrain_jobs", 404),
        ("POST", "/retrain_jobs/x/update_model", 405),
        ("GET", "/retrain_jobs/upload_url", 400),
    ],
)
async def test_what_is_no_call_is_refused(
    http: aiohttp.ClientSession, sony: Sony, method: str, path: str, status: int
) -> None:
    """Wrong path, wrong method, and the missing filename."""
    assert (await call(http, sony, method, path))[0] == status
