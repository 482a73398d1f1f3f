"""Programs that tests use and that pip cannot install."""

from __future__ import annotations

import os
import shutil

import pytest

SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def need_tool(name: str, package: str) -> str:
    """The path of the program `name`, or the test is skipped, naming the Debian package that holds it.

    Where TOCSIN_CI is "1" the test fails instead: CI installs what it tests.
    System folders are searched too, as daemons often lie outside a user's PATH.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS])
    found = shutil.which(name, path=path)
    if found:
        return found
    reason = f"{name} is not here: needs the Debian package {package}"
    if os.environ.get("TOCSIN_CI") == "1":
        pytest.fail(f"{reason} (add it to the packages in .ci/run)", pytrace=False)
    pytest.skip(reason)
