"""What holds for every test."""

import gc


def pytest_collection_finish() -> None:
    """Thousands of collected tests stay until the end; looking through them for garbage took a tenth of the time."""
    gc.collect()
    gc.freeze()
