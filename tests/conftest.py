"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

from tests.support.postgres import own_postgres, postgres, store_on

__all__ = ["own_postgres", "postgres", "store_on"]

# How long an example takes says more about what else the machine is doing than about our code.
settings.register_profile("tocsin", deadline=None, print_blob=True)
settings.load_profile("tocsin")
