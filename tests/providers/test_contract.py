"""All five providers on the one contract."""

from collections.abc import Mapping
from typing import Any, ClassVar

from tests.contract.provider_contract import ProviderContract


class TestSestek(ProviderContract):
    name = "sestek"
    start_path = "trainings/train"


class TestDeepOpinion(ProviderContract):
    name = "deepopinion"


class TestDecthings(ProviderContract):
    name = "decthings"


class TestAitems(ProviderContract):
    name = "aitems"
    settings: ClassVar[Mapping[str, Any]] = {"per_second": "1000"}


class TestSony(ProviderContract):
    name = "sony"
    start_method = "PUT"
