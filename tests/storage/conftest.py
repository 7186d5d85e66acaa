"""Assertions of the contract explain themselves like those of a test module."""

import pytest

pytest.register_assert_rewrite("tests.contract.store_contract")
