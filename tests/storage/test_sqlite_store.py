from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.store import SqliteStore
from tests.contract.store_contract import StoreContract


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "switchyard.db")
    await opened.open()
    yield opened
    await opened.close()


class TestSqliteStore(StoreContract):
    """The contract, on a file."""
