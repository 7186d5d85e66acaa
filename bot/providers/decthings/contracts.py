"""The two contracts of Decthings, which exclude each other, and what they call differently.

`states` is that of https://decthings.com/reference/model-train and of the official JavaScript client 0.5.15 (GitHub
decthings/api-client-js at 61d1ca7); `versions` that of its newest commit 5d0361e (2025-04-13). Which of them the
service speaks is not documented: it is a setting.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """`option` is the word that people type for what a training starts from, the rest are fields on the wire."""

    name: str
    option: str
    source: str
    new_name: str
    created: str
    mark: str


STATES = Contract(
    name="states",
    option="state",
    source="stateId",
    new_name="newStateName",
    created="createdStateId",
    mark="trainingSessions",
)
VERSIONS = Contract(
    name="versions",
    option="version",
    source="versionId",
    new_name="newVersionName",
    created="createdVersionId",
    mark="versions",
)

CONTRACTS: Mapping[str, Contract] = {contract.name: contract for contract in (STATES, VERSIONS)}
OTHER: Mapping[str, Contract] = {"states": VERSIONS, "versions": STATES}
