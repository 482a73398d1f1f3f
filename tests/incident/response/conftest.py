from collections.abc import Callable
from typing import Any

import pytest

from incident.response.compile import compile_form
from incident.response.model import Playbook
from tests.support.playbooks import Builder, form_of


@pytest.fixture
def form() -> Callable[..., dict[str, Any]]:
    return form_of


@pytest.fixture
def build() -> Builder:
    return lambda workflow, **more: Playbook.model_validate(compile_form(form_of(workflow, **more)))
