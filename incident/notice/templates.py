"""Templates: looked up in a list of folders (the workspace's own copies first) and rendered in a sandbox.

What comes from alerts and people is only ever a value here, never compiled. A name that a template uses and nobody
gave is an error, so that no notice goes out with a hole in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incident.errors import BadInput, NotFound

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment


def render_template(name: str, values: dict[str, Any], *, templates: Sequence[Path]) -> str:
    """The template `name` (relative, with `/`) filled with `values`; names ending in `.html.j2` are escaped.

    Raises `NotFound` naming every folder searched, `BadInput` naming the file and line of a template that is wrong.
    """
    import jinja2

    environment = _environment(tuple(templates))
    try:
        return environment.get_template(name).render(values)
    except jinja2.TemplateNotFound as error:
        raise _not_found(str(error.name), templates) from error
    except jinja2.TemplateSyntaxError as error:
        raise BadInput(
            f"the template cannot be read: {error.message}",
            where=f"{error.filename or name}, line {error.lineno}",
        ) from error
    except (jinja2.TemplateError, TypeError, ValueError) as error:
        raise BadInput(
            f"the template does not fit what it is given: {error}",
            where=_place_of(error, name),
            next_step="compare it with the shipped template of the same name",
        ) from error


def first_template(names: Sequence[str], *, templates: Sequence[Path]) -> str:
    """The first of these names for which there is a template; the last where there is none, which is then not found."""
    return next((name for name in names if has_template(name, templates=templates)), names[-1])


def has_template(name: str, *, templates: Sequence[Path]) -> bool:
    """Whether one of the folders holds the template `name`."""
    return _find(name, tuple(templates)) is not None


def template_text(name: str, *, templates: Sequence[Path]) -> str:
    """The text of the template `name` as it stands in the first folder that has it.

    Raises `NotFound` naming every folder searched, `BadInput` for a file that is no UTF-8 text.
    """
    found = _find(name, tuple(templates))
    if found is None:
        raise _not_found(name, templates)
    try:
        return found.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(
            "the template is no text in UTF-8", where=str(found), next_step="save it as UTF-8"
        ) from error


def _not_found(name: str, templates: Sequence[Path]) -> NotFound:
    return NotFound(
        f"there is no template {name}",
        where=" or ".join(str(place) for place in templates) or "no folder of templates",
        next_step=f"put one into {templates[0] / name}" if templates else "name a folder of templates",
    )


@lru_cache(maxsize=16)
def _environment(templates: tuple[Path, ...]) -> SandboxedEnvironment:
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment

    def load(name: str) -> tuple[str, str, Callable[[], bool]] | None:
        found = _find(name, templates)
        if found is None:
            return None
        text, changed_at = found.read_text(encoding="utf-8"), found.stat().st_mtime_ns

        def is_current() -> bool:
            # A copy of the workspace's own may have come, changed or gone while a worker lives.
            return _find(name, templates) == found and found.stat().st_mtime_ns == changed_at

        return text, str(found), is_current

    return SandboxedEnvironment(
        loader=jinja2.FunctionLoader(load),
        undefined=jinja2.StrictUndefined,
        autoescape=lambda name: name is None or not name.endswith(".txt.j2"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _find(name: str, templates: tuple[Path, ...]) -> Path | None:
    if ".." in name.split("/"):
        return None
    return next((place / name for place in templates if (place / name).is_file()), None)


def _place_of(error: BaseException, name: str) -> str:
    """File and line of the innermost template in a traceback."""
    place, step = name, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename.endswith(".j2"):
            place = f"{step.tb_frame.f_code.co_filename}, line {step.tb_lineno}"
        step = step.tb_next
    return place
