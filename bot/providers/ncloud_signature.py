"""NAVER Cloud's API gateway signature, version 2: https://api.ncloud-docs.com/docs/en/common-ncpapi."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def sign(method: str, target: str, timestamp: int, access_key: str, secret_key: str) -> str:
    """The signature of one call.

    `target` is the request target exactly as it goes over the wire, with its query and without scheme and host: the
    page asks for the query, the official Go SDK signs its encoded form. `timestamp` counts milliseconds since 1970.
    """
    text = f"{method.upper()} {target}\n{timestamp}\n{access_key}"
    digest = hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def signed_headers(method: str, target: str, at: datetime, access_key: str, secret_key: str) -> Mapping[str, str]:
    """The three headers of one call at one instant; the gateway refuses them from 5 minutes off its own clock."""
    timestamp = (at - _EPOCH) // timedelta(milliseconds=1)
    return {
        "x-ncp-apigw-timestamp": str(timestamp),
        "x-ncp-iam-access-key": access_key,
        "x-ncp-apigw-signature-v2": sign(method, target, timestamp, access_key, secret_key),
    }
