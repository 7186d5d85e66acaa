"""Checksums over wishes and plans: equal exactly where the same thing is meant."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.domain.requests import Actor, Payload, Plan, Run, TrainRequest, digest

ADA = Actor(team="T0YARD", user="U0ADA")
WISH = TrainRequest(
    request_key="k1",
    provider="sestek",
    model="my-model",
    params={"language": "en-US", "product": "Knovvu"},
    data={"data": "my-model.jsonl"},
    actor=ADA,
    channel="C0TRAIN",
)
PAYLOAD = Payload(name="my-model.jsonl", sha256="ab" * 32, size=10, rows=3, columns=2)
PLAN = Plan(provider="sony", model="churn", body={"a": 1, "b": [1, 2]}, summary=(("Model", "churn"),), payload=PAYLOAD)

WORDS = st.text(st.characters(codec="utf-8"))
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


def turned(value: Any) -> Any:
    """The same value with every mapping written backwards."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(one) for one in value] if isinstance(value, list) else value


@settings(deadline=None)
@given(JSON)
def test_a_digest_does_not_see_the_order_of_keys(value: Any) -> None:
    """What is read back from a database or a message in another order is still the same thing."""
    assert digest(turned(value)) == digest(value)


@settings(deadline=None)
@given(JSON, JSON)
def test_different_values_have_different_digests(one: Any, other: Any) -> None:
    """A digest is over everything: nothing that was approved can be swapped for something else."""
    assume(one != other)
    assert digest(one) != digest(other)


@pytest.mark.parametrize(
    ("one", "other"), [([1, 2], [2, 1]), (1, "1"), (1, 1.0), (True, 1), (None, ""), ({}, []), ("ß", "ss")]
)
def test_a_digest_sees_order_of_lists_and_kinds_of_values(one: object, other: object) -> None:
    """`1`, `"1"` and `1.0` are three different things to a service."""
    assert digest(one) != digest(other)


def test_a_digest_is_sha_256_over_canonical_json() -> None:
    """Digests are kept for good, so their making may never change (checked with sha256sum)."""
    assert digest({"b": [1, "ü"], "a": None}) == "6bafd57c7869b3aca54e576a5157b40cc195c8486124cab93d52f1b59556838e"


OTHER: dict[str, Any] = {
    "provider": "aitems",
    "model": "other",
    "params": {"language": "tr-TR", "product": "Knovvu"},
    "data": {"data": "other.jsonl"},
    "actor": Actor(team="T0YARD", user="U0BORA"),
    "channel": "C0OTHER",
    "kept": {"data": "ef" * 32},
}


@pytest.mark.parametrize("name", sorted(OTHER))
def test_wishes_that_differ_anywhere_have_different_fingerprints(name: str) -> None:
    """Only an equal wish of the same person in the same place is taken for the same."""
    assert replace(WISH, **{name: OTHER[name]}).fingerprint() != WISH.fingerprint()


def test_every_field_but_the_key_of_the_delivery_counts() -> None:
    """A field that is added to the wish has to be thought of here."""
    assert {field.name for field in fields(TrainRequest)} == {*OTHER, "request_key", "kept_from", "run"}
    run = Run(schedule="r234567", number=1, planned_at=datetime(2026, 11, 23, tzinfo=UTC))
    assert replace(WISH, request_key="k2", kept_from="j234567", run=run).fingerprint() == WISH.fingerprint()


def test_training_again_with_kept_data_is_one_wish_whoever_presses() -> None:
    """The way back is the same for everybody in a workspace; another file is another wish."""
    again = replace(WISH, kept={"data": "ab" * 32})
    elsewhere = replace(again, actor=Actor(team=WISH.actor.team, user="U0DAN"), channel="C0OTHER")
    assert elsewhere.fingerprint() == again.fingerprint()
    assert replace(again, kept={"data": "cd" * 32}).fingerprint() != again.fingerprint()
    assert replace(again, actor=Actor(team="T0OTHER", user=WISH.actor.user)).fingerprint() != again.fingerprint()


def test_people_of_two_workspaces_do_not_share_a_wish() -> None:
    """The team counts with the person."""
    assert replace(WISH, actor=Actor(team="T0OTHER", user="U0ADA")).fingerprint() != WISH.fingerprint()


def test_options_in_another_order_are_the_same_wish() -> None:
    """`language=… product=…` typed the other way round is no second training."""
    turned_ = replace(WISH, params={"product": "Knovvu", "language": "en-US"})
    assert turned_.fingerprint() == WISH.fingerprint()


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAN, provider="sestek"),
        replace(PLAN, model="upsell"),
        replace(PLAN, body={"a": 1, "b": [2, 1]}),
        replace(PLAN, payload=replace(PAYLOAD, sha256="cd" * 32)),
        replace(PLAN, payload=replace(PAYLOAD, name="other.jsonl")),
        replace(PLAN, payload=None),
    ],
)
def test_plans_that_send_something_else_have_different_digests(other: Plan) -> None:
    """Model, body, file and the file's name are sent, so they are what is approved."""
    assert other.digest() != PLAN.digest()


def test_how_a_plan_is_described_is_not_what_is_sent() -> None:
    """A better wording of the summary is no other plan."""
    assert replace(PLAN, summary=()).digest() == PLAN.digest()
