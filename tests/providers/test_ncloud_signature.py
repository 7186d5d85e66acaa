"""Signature v2 of NAVER Cloud's API gateway, against vectors that were computed elsewhere."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from bot.providers.ncloud_signature import sign, signed_headers

AT = 1700000000000
ACCESS, SECRET = "AK_TEST_0001", "SK_TEST_0001"
TRAINS = "/api/v1/services/svc0000test/trains"

# Computed with another implementation (openssl dgst -sha256 -hmac for the first) from made-up keys.
VECTORS = [
    ("GET", f"{TRAINS}?isRecent=true", "wNRSozMuWzKDtIeTyaXfS8lLakGzwOCRzBq+ath0N/4="),
    ("GET", TRAINS, "QKJwTtzYgXxJ8I+AsPO+RJ7KpDMixjjnShRNafDAtgk="),
    ("POST", "/api/v1/services/svc0000test", "ip+M8DBDJmyZTWamCs9ovCXqZeQOEJS6ZOBVmJAmlJ8="),
    ("GET", f"{TRAINS}/personalRecommend/versions/abc123def45", "ChaT00ggmqwMFuQLMTM8j+CGujTEOoh8YsDttjjz+Bg="),
    ("PUT", "/api/v1/services/svc0000test/schedule?action=stop", "8F0Gi2EwG1JTXqoal/yjfEOPIrDixBmO14iKCPpvFQs="),
    (
        "GET",
        "/api/v1/services/svc0000test/infers/lookup?type=pop&targetId=a%20b",
        "kgIp44uBpkqXUlmTOh1pV99Uu/93mI5MI0vYHJauuGs=",
    ),
    # The sample URI of the vendor's page: empty values of a query stay.
    ("GET", "/photos/puppy.jpg?query1=&query2", "rndetT5Z2jxTEOqo9bI28kBqpVdMJzrZcnN5yWD22aE="),
]

# What the mistakes that are easily made would sign for the first vector (the last: the query of the sixth, decoded).
WRONG = {
    "without the query": "QKJwTtzYgXxJ8I+AsPO+RJ7KpDMixjjnShRNafDAtgk=",
    "the whole address": "uYfmXneSD3TCIQoH6k1z67ElGbgYEkfHMFv4/uxdMc4=",
    "a line feed at the end": "+GSELg6QIsBDsSwgiaLQrkiNYtTB/PoOIr033mTu9SA=",
    "without /api/v1": "IiDmDeBW5WdqdYnJKQYKiNgRyeimyvNwZOJN7LBDSKM=",
    "seconds": "ar2oGlp2kNqNQvz83ojbOthcNfshVq1Jife7+g203GY=",
    "decoded": "ExgKTfe4krRIFt9CH8kfXujyWRviJh+uUdxdWinTvHc=",
}


@pytest.mark.parametrize(("method", "target", "signature"), VECTORS)
def test_signatures_equal_the_vectors(method: str, target: str, signature: str) -> None:
    """Method, encoded target with its query, milliseconds and access key are signed, and nothing else."""
    assert sign(method, target, AT, ACCESS, SECRET) == signature


def test_a_vector_of_a_stranger() -> None:
    """The test of the community's Go SDK (GreedyLabs/ncloud-community-sdk, sdk/auth/hmacv2_test.go) holds here too."""
    signature = sign("POST", "/vserver/v2/createServerInstances?regionCode=KR", AT, "AK_TEST", "SK_TEST")
    assert signature == "xBcE26XFU55BMjppdPT7ZY3oDrqoOedfPyAn3Cq4lUw="


def test_the_usual_mistakes_are_not_made() -> None:
    """None of the known wrong ways leads to one of our signatures of these targets."""
    ours = {sign("GET", target, AT, ACCESS, SECRET) for _, target, _ in (VECTORS[0], VECTORS[5])}
    assert ours.isdisjoint(WRONG.values())


def test_the_wrong_ways_are_recognised() -> None:
    """Each wrong way gives the signature that its name promises, so that one seen in a log tells its cause."""
    assert (
        sign("GET", f"https://aitems.apigw.ntruss.com{TRAINS}?isRecent=true", AT, ACCESS, SECRET)
        == WRONG["the whole address"]
    )
    assert sign("GET", VECTORS[0][1].removeprefix("/api/v1"), AT, ACCESS, SECRET) == WRONG["without /api/v1"]
    assert sign("GET", VECTORS[0][1], AT // 1000, ACCESS, SECRET) == WRONG["seconds"]
    assert sign("GET", VECTORS[0][1], AT, f"{ACCESS}\n", SECRET) == WRONG["a line feed at the end"]
    assert sign("GET", VECTORS[5][1].replace("%20", " "), AT, ACCESS, SECRET) == WRONG["decoded"]


def test_the_method_is_written_large() -> None:
    """A method in small letters is signed as it is sent."""
    assert sign("get", TRAINS, AT, ACCESS, SECRET) == VECTORS[1][2]


def test_headers_carry_what_was_signed() -> None:
    """Timestamp, access key and signature belong together; the secret key is in none of them."""
    headers = signed_headers("GET", TRAINS, datetime.fromtimestamp(AT / 1000, UTC), ACCESS, SECRET)
    assert headers == {
        "x-ncp-apigw-timestamp": str(AT),
        "x-ncp-iam-access-key": ACCESS,
        "x-ncp-apigw-signature-v2": VECTORS[1][2],
    }


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-3, minutes=-30))])
def test_the_timestamp_knows_no_zone(zone: timezone) -> None:
    """The same instant gives the same milliseconds, to the last one, wherever the clock hangs."""
    at = datetime(2026, 3, 1, 12, 30, 15, 999_999, tzinfo=UTC).astimezone(zone)
    assert signed_headers("GET", "/", at, ACCESS, SECRET)["x-ncp-apigw-timestamp"] == "1772368215999"
