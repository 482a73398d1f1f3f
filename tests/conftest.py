"""What holds for all tests."""

from __future__ import annotations

import atexit
import gc
import itertools
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.compiled_templates import compile_templates_once
from tests.support.postgres import own_postgres, postgres, store_killed_on, store_on
from tests.support.quick_disk import quick_folder
from tests.support.told import pytest_terminal_summary

__all__ = ["own_postgres", "postgres", "pytest_terminal_summary", "store_killed_on", "store_on"]

# How long an example takes says more about what else the machine is doing than about our code.
settings.register_profile("tocsin", deadline=None, print_blob=True)
settings.load_profile("tocsin")

_TESTS_BETWEEN_COLLECTIONS = 100

# Where pytest makes the folders of `tmp_path`.
_ROOT = "PYTEST_DEBUG_TEMPROOT"
# Who wants no compiled modules beside the sources gets them elsewhere.
_NO_COMPILED, _COMPILED = "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"


def pytest_configure(config: pytest.Config) -> None:
    # A process of tests holds some million objects for long; Python's own figures have it look through them all the time.
    gc.set_threshold(20_000, 10, 10)
    compile_templates_once()
    quick = quick_folder()
    if quick is not None and config.option.basetemp is None:
        os.environ.setdefault(_ROOT, str(quick))
    if os.environ.pop(_NO_COMPILED, None):
        # Hundreds of commands are started, and each would compile all that it loads.
        compiled = tempfile.mkdtemp(prefix="tocsin-compiled-", dir=quick)
        os.environ[_COMPILED] = compiled
        atexit.register(shutil.rmtree, compiled, ignore_errors=True)


_torn_down = itertools.count(1)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Stores that tests left open hold their files until they are found unused; there may be too many by then."""
    if next(_torn_down) % _TESTS_BETWEEN_COLLECTIONS == 0:
        gc.collect()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Give the memory back; what a failed test wrote stays to be looked at."""
    made: Path | None = getattr(session.config, "_tmp_path_factory")._basetemp  # noqa: B009 - pytest says it nowhere else
    is_ours = session.config.option.basetemp is None
    if made is not None and is_ours and exitstatus == pytest.ExitCode.OK and made.is_relative_to("/dev/shm"):
        shutil.rmtree(made, ignore_errors=True)
