"""Files of other tools, damaged and hostile: import, lint and export answer with findings, never with a traceback."""

import base64
import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.response.exporting import NotExported, export_playbook
from incident.response.form import check, load
from incident.response.importing import import_playbook
from tests.support.cacao_files import random_playbook
from tests.support.shared import shared_folder

NOW = datetime(2026, 11, 29, 8, 0, tzinfo=UTC)
_FOLDER = shared_folder("samples/cacao")
SOURCES = [json.loads(path.read_text()) for path in sorted(_FOLDER.glob("*.json"))] if _FOLDER else []
SOURCES += [random_playbook(seed, "x") for seed in range(5)]
ODD: list[Any] = [
    *(None, True, 0, -1, 1.5, 10**30, "", " ", "x", "\x00", "\u202e", "__x__:value", "$$x$$", "{{ x }}", "action--x"),
    *("9" * 400, "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", [], {}, [[]], [None], ["x", "x"]),
    *({"": None}, {"type": "action"}, {"type": 5}, {"__x__": {"type": "string"}}, {"a/b": ["c"]}, "[" * 500),
]  # fmt: skip


def damaged(data: Any, rng: random.Random) -> Any:
    """One to four values become something else, go, or move."""
    data = json.loads(json.dumps(data))
    for _ in range(rng.randint(1, 4)):
        holder = data
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                break
            key = rng.choice(keys)
            if isinstance(holder[key], dict | list) and holder[key] and rng.random() < 0.8:
                holder = holder[key]
                continue
            kind = rng.random()
            if kind < 0.2:
                del holder[key]
            elif kind < 0.3 and isinstance(holder, dict):
                holder[rng.choice(["type", "id", "x--y", "__proto__", "commands", "workflow"])] = holder.pop(
                    key
                )
            elif kind < 0.4:
                holder[key] = json.loads(json.dumps(rng.choice(list(SOURCES[0].values()))))
            else:
                holder[key] = json.loads(json.dumps(rng.choice(ODD)))
            break
    return data


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**9))
def test_a_damaged_playbook_is_taken_in_or_refused_and_never_breaks_anything(seed: int) -> None:
    rng = random.Random(seed)
    raw = json.dumps(damaged(rng.choice(SOURCES), rng)).encode()
    for each in check(raw.decode(), name="x"):
        assert each.message
    try:
        found = import_playbook(raw, name="x", title="x", now=NOW)
    except BadInput as error:
        assert error.what
        return
    assert load(found.text, name="x").playbook == found.playbook
    try:
        export_playbook(found.playbook, name="x")
    except NotExported as error:
        assert error.findings


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_refused_with_a_reason(raw: bytes) -> None:
    with pytest.raises(BadInput):
        import_playbook(raw, name="x", title="x", now=NOW)


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 200_000,
        b'{"workflow":' * 100_000,
        b'{"type":"playbook","type":"playbook"}',
        b'{"type":"playbook","priority":NaN}',
        b"a: " + b"[" * 50_000,
        b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: &d [*c, *c, *c, *c]\n" + b"".join(b"e%d: [*d, *d, *d, *d, *d, *d, *d]\n" % n for n in range(300)),
        b'{"type": "playbook", "x": "' + b"a" * 50_000_000 + b'"}',
        b"name: " + b"a" * 50_000_000,
        b"\xff\xfe{\x00",
        b"!!python/object/apply:os.system [id]",
    ],
    ids=range(10),
)  # fmt: skip
def test_what_is_too_deep_too_large_or_twice_is_refused(raw: bytes) -> None:
    with pytest.raises(BadInput):
        import_playbook(raw, name="x", title="x", now=NOW)


def test_a_chain_of_four_hundred_steps_without_ids_is_repaired() -> None:
    steps: dict[str, Any] = {
        f"s{n}": {
            "type": "action",
            "commands": [{"type": "manual", "command": "x"}],
            "on_completion": f"s{n + 1}",
        }
        for n in range(400)
    }
    steps["s400"] = {"type": "end"}
    raw = json.dumps({"name": "long", "type": "playbook", "workflow_start": "s0", "workflow": steps}).encode()
    found = import_playbook(raw, name="x", title="x", now=NOW)
    assert len(found.playbook.workflow) == 402


def test_a_command_in_base64_that_is_a_script_stays_what_it_was() -> None:
    data = random_playbook(1, "x")
    step = next(each for each in data["workflow"].values() if each["type"] == "action")
    script = base64.b64encode(b"echo $(id) {{x}}").decode()
    step["commands"] = [{"type": "bash", "command_b64": script}]
    found = import_playbook(json.dumps(data).encode(), name="x", title="x", now=NOW)
    assert script in found.text
