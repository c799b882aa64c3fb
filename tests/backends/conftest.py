"""Lets the contract speak in pytest's own words when an assertion fails."""

import pytest

pytest.register_assert_rewrite("tests.backends.contract")
