"""Where in a shell command values stand, and whether a value may stand there. Pure.

A value is only ever the content of a shell variable, which no shell parses again by itself. What is refused here is
what does parse or run it: a place as a command's name, arithmetic (bash evaluates array subscripts in it), expansions
that take names, builtins that take code or names of variables, and interpreters' code. What is refused can be written
with a shell variable of one's own: `who=__who__:value` at the beginning, then `"$who"` where it is known to be safe.
What other programs make of their arguments is theirs; `--` and the refusal of a value that begins with “-” help.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from incident.errors import BadInput
from incident.response.variables import REFERENCE

_KEYWORDS = frozenset(["then", "do", "else", "elif", "if", "while", "until", "!", "}", "fi", "done", "esac"])
_WRAPPERS = frozenset(
    [
        "sudo",
        "doas",
        "env",
        "nohup",
        "nice",
        "ionice",
        "timeout",
        "setsid",
        "stdbuf",
        "command",
        "exec",
        "builtin",
        "time",
    ]
)
_TAKE_CODE_OR_NAMES = frozenset(
    [
        "eval",
        "source",
        ".",
        "trap",
        "let",
        "declare",
        "typeset",
        "local",
        "export",
        "readonly",
        "alias",
        "unset",
        "read",
        "mapfile",
        "readarray",
        "getopts",
        "enable",
        "bind",
        "complete",
        "coproc",
        "chroot",
        "xargs",
        "parallel",
        "watch",
        "ssh",
        "su",
        "runuser",
    ]
)
_INTERPRETERS = frozenset(
    [
        "sh",
        "bash",
        "dash",
        "ash",
        "ksh",
        "mksh",
        "zsh",
        "fish",
        "awk",
        "gawk",
        "mawk",
        "sed",
        "perl",
        "python",
        "python3",
        "ruby",
        "php",
        "node",
        "lua",
        "tclsh",
        "expect",
        "psql",
        "mysql",
        "mariadb",
        "sqlite3",
        "find",
    ]
)
_CODE_SETTINGS = frozenset(
    ["c", "e", "f", "r", "command", "eval", "exec", "execute", "expression", "program", "file"]
)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_SETTING = re.compile(r"(?:--?)?([A-Za-z][A-Za-z0-9_.-]*)=")
_HEREDOC = re.compile(r"<<(-?)[ \t]*(?:'([^'\n]+)'|\"([^\"\n]+)\"|\\?([A-Za-z0-9_.-]+))")
_CURE = 'set a shell variable to it at the beginning, NAME={name}:value, and use "$NAME"'


@dataclass(frozen=True)
class Place:
    """One reference. `quoted`: within double quotes. `number`: where only a number is safe. `first`: its word begins
    with it."""

    name: str
    start: int
    end: int
    quoted: bool
    number: bool
    first: bool


@dataclass
class _Frame:
    """What is open: code, `"`, arithmetic or an expansion. `words` are those of the simple command so far."""

    kind: str
    close: str
    words: list[str] = field(default_factory=list)
    word: str = ""
    test: bool = False
    depth: int = 0

    def end_word(self) -> None:
        if self.word:
            self.words.append(self.word)
            before = self.words[-2:-1]
            if self.word == "{" and (not before or before[0].endswith("()") or self.words[0] == "function"):
                self.words.clear()  # what follows is a command of its own
            self.test = (self.test or self.word == "[[") and self.word != "]]"
        self.word = ""

    def end_command(self) -> None:
        self.end_word()
        self.words.clear()
        self.test = False


def places(script: str) -> list[Place]:
    """Every reference, in order. Raises `BadInput` where a value must not stand, or it cannot be told where it does."""
    found = {match.start(): match for match in REFERENCE.finditer(script)}
    if not found:
        return []
    reader = _Reader(script, found)
    reader.read()
    for start, match in found.items():
        if start not in reader.seen:
            raise _refused(match[1], "it cannot be told where this value would stand", cure=_CURE)
    if len(reader.stack) > 1:
        raise BadInput("quotes or brackets are not closed", where=reader.stack[-1].close)
    return [reader.seen[start] for start in found]


def _refused(name: str, why: str, *, cure: str) -> BadInput:
    return BadInput(why, where=name, next_step=cure.format(name=name))


class _Reader:
    def __init__(self, script: str, found: dict[int, re.Match[str]]) -> None:
        self.script = script
        self.found = found
        self.seen: dict[int, Place] = {}
        self.stack = [_Frame("code", "")]
        self.at = 0
        self.heredocs: list[tuple[str, bool]] = []

    def read(self) -> None:
        while self.at < len(self.script):
            match = self.found.get(self.at)
            if match is not None:
                self._take(match)
            elif not self._opens():
                self._plain()

    # -- a reference -------------------------------------------------------------------------------------

    def _take(self, match: re.Match[str]) -> None:
        name, open_ = match[1], self._inner()
        if "expansion" in open_:
            raise _refused(name, "within ${…} a value would be taken for a name or a number", cure=_CURE)
        code = self._code()
        first = not code.word or code.word == '"'
        number = "arithmetic" in open_ or code.test
        if not number:
            self._must_be_safe(name, code)
        self.seen[match.start()] = Place(name, match.start(), match.end(), '"' in open_, number, first)
        code.word += "x"
        self.at = match.end()

    def _inner(self) -> list[str]:
        """What is open within the innermost code."""
        kinds = [frame.kind for frame in self.stack]
        return kinds[len(kinds) - kinds[::-1].index("code") :]

    def _code(self) -> _Frame:
        return next(frame for frame in reversed(self.stack) if frame.kind == "code")

    def _must_be_safe(self, name: str, code: _Frame) -> None:
        if re.match(r"[A-Za-z_][A-Za-z0-9_]*\[", code.word):
            raise _refused(name, "a subscript of an array is evaluated", cure=_CURE)
        words = list(_command(code.words))
        if not words:
            if _ASSIGNMENT.match(code.word):
                return
            raise _refused(name, "a value would be the name of a command", cure="name the command itself")
        command = words[0].rpartition("/")[2]
        if command in _TAKE_CODE_OR_NAMES:
            raise _refused(name, f"“{command}” takes code or names, never values", cure=_CURE)
        if command in {"printf", "test", "["} and {"-v", "-R"} & set(words):
            raise _refused(name, f"“{command} -v” takes the name of a variable", cure=_CURE)
        if command in _INTERPRETERS and not _is_an_argument(words, code.word):
            raise _refused(name, f"a value would be code of “{command}”", cure=_CURE)
        if command == "find" and any(each.startswith(("-exec", "-ok")) for each in words):
            raise _refused(name, "“find -exec” runs its arguments", cure=_CURE)

    # -- what opens and closes ---------------------------------------------------------------------------

    def _opens(self) -> bool:
        """Take what opens a frame, or a piece in which nothing is filled in; False for anything else."""
        rest, top = self.script[self.at : self.at + 3], self.stack[-1]
        if rest[0] == "\\":
            self._code().word += rest[:2]
            self.at += 2
        elif rest[0] == "`":
            self._skip_to("`", "write $( ) in place of the old quotes", escapes=True)
        elif rest == "$((":
            self._push("arithmetic", "))", 3)
        elif rest.startswith("$["):
            self._push("arithmetic", "]", 2)
        elif rest.startswith("$("):
            self._push("code", ")", 2)
        elif rest.startswith("${"):
            self._push("expansion", "}", 2)
        elif rest[0] == '"' and top.kind != '"':
            self._code().word += '"'
            self._push('"', '"', 1)
        elif rest[0] == "'" and top.kind != '"':
            ansi = self.script[max(self.at - 1, 0) : self.at] == "$"
            cure = 'the shell fills nothing in between single quotes; write it without, or in double ones: "{name}:value"'
            self._skip_to("'", cure, escapes=ansi)
        else:
            return top.kind == "code" and self._opens_in_code(top)
        return True

    def _opens_in_code(self, top: _Frame) -> bool:
        rest = self.script[self.at : self.at + 3]
        if rest[0] == "#" and not top.word:
            self._skip_comment()
        elif rest == "<<<":
            top.end_word()
            self.at += 3
        elif rest.startswith("<<"):
            self._note_heredoc()
        elif rest.startswith("((") and not list(_command(top.words)) and not top.word:
            self._push("arithmetic", "))", 2)
        elif rest[0] == "(":
            self._push("code", ")", 1)
        else:
            return False
        return True

    def _push(self, kind: str, close: str, length: int) -> None:
        self.stack.append(_Frame(kind, close))
        self.at += length

    def _plain(self) -> None:
        top, ch = self.stack[-1], self.script[self.at]
        if top.close and self.script.startswith(top.close, self.at) and top.depth == 0:
            self.stack.pop()
            is_empty = top.kind == "code" and not top.words and not top.word
            self._code().word += '"' if top.kind == '"' else "()" if is_empty else "x"
            self.at += len(top.close)
            return
        if top.kind == "arithmetic":
            top.depth += (ch == "(") - (ch == ")")
        elif top.kind == "code":
            self._character_of_code(top, ch)
            return
        elif top.kind == '"':
            self._code().word += ch
        self.at += 1

    def _character_of_code(self, top: _Frame, ch: str) -> None:
        beside = self.script[self.at - 1 : self.at] + self.script[self.at + 1 : self.at + 2]
        self.at += 1
        if ch == "\n":
            top.end_command()
            self._skip_heredocs()
        elif ch == ";" or ch == ")" or (ch in "&|" and ">" not in beside):
            top.end_command()
        elif ch in " \t":
            top.end_word()
        elif ch in "<>":
            top.end_word()
            top.word = ">"  # a file, which is neither a command nor an argument
        else:
            top.word += ch

    # -- what is left as it is ---------------------------------------------------------------------------

    def _skip_to(self, close: str, cure: str, *, escapes: bool) -> None:
        end = self.at + 1
        while end < len(self.script) and self.script[end] != close:
            end += 2 if escapes and self.script[end] == "\\" else 1
        self._must_hold_none(self.at, end, cure)
        self._code().word += self.script[self.at : end + 1]
        self.at = end + 1

    def _skip_comment(self) -> None:
        end = self.script.find("\n", self.at)
        end = len(self.script) if end < 0 else end
        for start, match in self.found.items():
            if self.at <= start < end:
                self.seen[start] = Place(match[1], start, match.end(), True, False, False)
        self.at = end

    def _note_heredoc(self) -> None:
        match = _HEREDOC.match(self.script, self.at)
        if match is None:
            raise BadInput("the end of a here-document is not to be found", where=self.script[self.at :][:20])
        self.heredocs.append((match[2] or match[3] or match[4], bool(match[1])))
        self.stack[-1].end_word()
        self.at = match.end()

    def _skip_heredocs(self) -> None:
        for end_word, tabs in self.heredocs:
            start = self.at
            while self.at < len(self.script):
                line, _, _ = self.script[self.at :].partition("\n")
                self.at = min(self.at + len(line) + 1, len(self.script))
                if (line.lstrip("\t") if tabs else line) == end_word:
                    break
            self._must_hold_none(start, self.at, _CURE)
        self.heredocs.clear()

    def _must_hold_none(self, start: int, end: int, cure: str) -> None:
        for where, match in self.found.items():
            if start <= where < end:
                raise _refused(match[1], "no value is filled in here", cure=cure)


def _command(words: list[str]) -> Iterator[str]:
    """The words of the command that is run, from its name on, without what stands before it."""
    rest = [each for each in words if not each.startswith(">")]
    while rest and (rest[0] in _KEYWORDS or _ASSIGNMENT.match(rest[0])):
        rest.pop(0)
    while rest and _bare(rest[0]) in _WRAPPERS:
        rest = list(_after_wrapper(rest))
    for each in rest:
        yield _bare(each)


def _after_wrapper(words: list[str]) -> Iterator[str]:
    """What a `sudo` or the like runs: it begins with the first word that can only be its name."""
    for number, word in enumerate(words[1:], start=1):
        of_option = words[number - 1].startswith("-") and words[number - 1] not in {"-n", "-E", "-H", "--"}
        if word.startswith("-") or of_option or not re.match(r"[A-Za-z_/.]", word) or _ASSIGNMENT.match(word):
            continue
        yield from words[number:]
        return


def _bare(word: str) -> str:
    return re.sub(r"[\"'\\]", "", word.replace("\\\n", ""))


def _is_an_argument(words: list[str], word: str) -> bool:
    """Whether a value at the end of `word` is an argument of an interpreter: NAME=VALUE, or a word after its code."""
    setting = _SETTING.match(word.replace('"', ""))
    if setting is not None:
        return setting[1] not in _CODE_SETTINGS and not re.search(r"\s", word)
    code_is_given = any(
        not each.startswith("-") and not before.startswith("-") for before, each in pairwise(words)
    )
    return code_is_given and not re.search(r"\s", word) and not words[-1].startswith("-")
