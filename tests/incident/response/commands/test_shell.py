"""No value is ever run or parsed by a shell: by real shells, with values that try to be."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.response.commands.shell import problem_of, script_of, shell_text
from incident.response.commands.shell_places import places
from incident.response.model import Command, Variable

SHELLS = [path for path in ("/bin/bash", "/bin/dash", "/bin/sh") if Path(path).exists()]
TEXT = {"__v__": Variable(type="string")}
NUMBER = {"__v__": Variable(type="integer")}
# Each would leave PWNED behind where a shell parsed or ran it. `pwn` is a program in PATH that does so, too.
ATTACKS = [
    "$(:>PWNED)",
    "`:>PWNED`",
    ";:>PWNED;",
    "\n:>PWNED\n",
    "&& :>PWNED #",
    "| :>PWNED",
    "'$(:>PWNED)'",
    '";:>PWNED;"',
    "'\n:>PWNED\n'",
    "a[$(:>PWNED)]",
    "x=a[$(:>PWNED)]",
    "a[$(:>PWNED)]=1",
    "${x:=$(:>PWNED)}",
    "pwn",
    "EOF\n:>PWNED\nEOF",
    "\\",
    "-c",
    "--",
    "*",
    "()",
    "{ :>PWNED;}",
    "$'\\n'",
    "#",
    "!!",
    "~",
]
VALUES = st.lists(st.sampled_from(ATTACKS) | st.text(max_size=4), min_size=1, max_size=3).map("".join)
# What each prints is the value itself, or the value between marks.
POSITIONS = [
    ("printf '%s.' __v__:value", "{}."),
    ('printf "%s." "a __v__:value b"', "a {} b."),
    ("x=__v__:value; printf '%s.' \"$x\"", "{}."),
    ("x=a__v__:value:b y=c\nprintf '%s.' \"$x$y\"", "a{}:bc."),
    ("printf '%s.' \"$(printf '%s.' __v__:value)\"", "{}.."),
    ("printf '%s.' \"$(printf '%s.' \"a __v__:value\")\"", "a {}.."),
    ("# it's a comment about __v__:value\nprintf '%s.' __v__:value", "{}."),
    ("if [ __v__:value = x ]; then :; fi; printf '%s.' __v__:value", "{}."),
    ("case __v__:value in '') ;; *) printf '%s.' __v__:value ;; esac", "{}."),
    ("f() { printf '%s.' \"$1\"; }; f __v__:value", "{}."),
    ("for x in a __v__:value; do :; done; printf '%s.' \"$x\"", "{}."),
    ('/bin/sh -c \'printf "%s." "$1"\' sh __v__:value', "{}."),
    (
        "while read -r x; do printf '%s' \"$x\"; done <<'EOF'\nit's \"$x\nEOF\nprintf '%s.' __v__:value",
        "it's \"$x{}.",
    ),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which nothing can be run but by the shell itself, and by the program `pwn`."""
    folder = tmp_path_factory.mktemp("shell")
    (folder / "bin").mkdir()
    (folder / "bin" / "pwn").write_text(f"#!/bin/sh\n:>{folder}/PWNED\n")
    (folder / "bin" / "pwn").chmod(0o755)
    return folder


def run(shell: str, text: str, place: Path) -> bytes:
    """What a shell prints. Asserts that no value was run by it."""
    script = place / "script"
    script.write_bytes(text.encode())
    done = subprocess.run(
        [shell, script],
        cwd=place,
        env={"PATH": str(place / "bin")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
    )
    pwned = place / "PWNED"
    if pwned.exists():
        pwned.unlink()
        raise AssertionError(f"{shell} ran a value in: {text!r}")
    return done.stdout


def text_for(script: str, value: str, declared: dict[str, Variable]) -> str | None:
    """None where it is refused."""
    try:
        return shell_text(script, {"__v__": value}, declared)
    except BadInput:
        return None


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(value=VALUES.filter(lambda value: "\x00" not in value and not value.startswith("-") and value != ""))
def test_a_value_arrives_as_it_is_wherever_it_stands(shell: str, place: Path, value: str) -> None:
    value = value.encode(errors="replace").decode()
    # One shell for all positions: `( … )` keeps them apart.
    texts = [text_for(script, value, TEXT) for script, _ in POSITIONS]
    assert None not in texts
    found = run(shell, "".join(f"(\n{text}\n)\nprintf '\\000'\n" for text in texts), place)
    wanted = [shape.format(value) for _, shape in POSITIONS]
    assert found.decode().split("\x00")[:-1] == wanted


PIECES = st.sampled_from(
    [
        *["__v__:value"] * 6,
        *[
            " ",
            "\n",
            ";",
            "'",
            '"',
            "$(",
            ")",
            "(",
            "`",
            "{ ",
            " }",
            "${",
            "}",
            "$((",
            "))",
            "((",
            "[[ ",
            " ]]",
            "\\",
        ],
        *[
            "printf %s ",
            "printf -v ",
            "eval ",
            "exec ",
            "command ",
            "declare ",
            "export ",
            "local ",
            "let ",
            "test -v ",
        ],
        *[
            "[ ",
            " ]",
            " -eq ",
            " = ",
            "a=",
            "a[",
            "]",
            "]=",
            "<<EOF\n",
            "\nEOF\n",
            "<<'EOF'\n",
            "<<<",
            "#",
            "$",
            "&",
            "|",
        ],
        *[
            "if ",
            "then ",
            "fi",
            "case ",
            " in ",
            "*) ",
            "esac",
            "f() ",
            "x",
            "unset ",
            "read ",
            "trap ",
            ". ",
            "time ",
        ],
        *[
            " EXIT",
            ">",
            "<",
            "!",
            "sh -c ",
            "/bin/sh -c ",
            "-n ",
            "sudo ",
            "env ",
            ":-",
            "wait ",
            "$'",
            '$"',
            "let x=",
        ],
    ]
)


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(pieces=st.lists(PIECES, min_size=2, max_size=14), value=st.sampled_from(ATTACKS), data=st.data())
def test_no_command_that_is_accepted_lets_a_value_be_run(
    place: Path, pieces: list[str], value: str, data: st.DataObject
) -> None:
    script = "".join(pieces)
    text = text_for(script, value, TEXT)
    if text is None or "__v__:value" not in script:
        return
    for shell in SHELLS:
        run(shell, text, place)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo '__v__:value'", "single quotes"),
        ("echo $'__v__:value'", "filled in here"),
        ("echo `echo __v__:value`", "filled in here"),
        ("cat <<EOF\n__v__:value\nEOF", "filled in here"),
        ("cat <<-'E'\n\t__v__:value\n\tE\n", "filled in here"),
        ("__v__:value", "name of a command"),
        ('"__v__:value" -x', "name of a command"),
        ("true; __v__:value", "name of a command"),
        ("A=b __v__:value", "name of a command"),
        ("sudo __v__:value", "name of a command"),
        ("sudo -u root __v__:value", "name of a command"),
        ("timeout 5 __v__:value", "name of a command"),
        ("nice -n 5 __v__:value x", "name of a command"),
        ("if __v__:value; then x; fi", "name of a command"),
        ("x=$(__v__:value)", "name of a command"),
        ("eval __v__:value", "takes code or names"),
        ("f() { eval echo __v__:value; }", "takes code or names"),
        ("time -p eval __v__:value", "name of a command"),
        ("f () { eval __v__:value; }", "takes code or names"),
        ("function f { eval __v__:value; }", "takes code or names"),
        (". __v__:value", "takes code or names"),
        ("trap __v__:value EXIT", "takes code or names"),
        ("export __v__:value", "takes code or names"),
        ("unset __v__:value", "takes code or names"),
        ("ssh other rm __v__:value", "takes code or names"),
        ("xargs kill __v__:value", "takes code or names"),
        ("sh -c __v__:value", "code of “sh”"),
        ('bash -c "echo __v__:value"', "code of “bash”"),
        ('psql app -c "DROP ROLE __v__:value"', "code of “psql”"),
        ("psql --command=__v__:value", "code of “psql”"),
        ("awk __v__:value file", "code of “awk”"),
        ('sed -i "/__v__:value/d" file', "code of “sed”"),
        ("find / -name __v__:value -o -exec rm {} +", "code of “find”"),
        ("printf -v __v__:value x", "takes the name of a variable"),
        ("[ -v __v__:value ]", "takes the name of a variable"),
        ("a[__v__:value]=1", "subscript"),
        ("echo ${x:__v__:value}", "taken for a name or a number"),
        ('echo "${x:-__v__:value}"', "taken for a name or a number"),
        ("echo $((1 + __v__:value))", "evaluates"),
        ("(( __v__:value > 1 ))", "evaluates"),
        ("[[ __v__:value -eq 1 ]]", "evaluates"),
        ("echo $[__v__:value]", "evaluates"),
        ("echo \\__v__:value", "cannot be told"),
        ('echo "__v__:value', "not closed"),
        ("echo $(echo __v__:value", "not closed"),
    ],
)
def test_a_place_where_a_value_would_be_parsed_is_refused_with_a_cure(script: str, why: str) -> None:
    problem = problem_of(script, TEXT)
    assert problem is not None and (why in problem.what or why in (problem.next_step or "")), problem


@pytest.mark.parametrize(
    "script",
    [
        "sudo usermod -L __v__:value",
        "sudo -n usermod -L -- __v__:value",
        "psql -d app -v role=__v__:value <<'SQL'\nALTER ROLE :\"role\" NOLOGIN;\nSQL\necho it is __v__:value",
        "awk -v key=__v__:value '$0 != key' file",
        "grep -vF -- __v__:value /root/.ssh/authorized_keys > new 2>&1 && mv new old",
        "nft add element inet filter blocked { __v__:value }",
        'role=__v__:value\nset -eu\nexport PGDATABASE="$role"\nn=$((1 + 1))\n[[ $role == x ]] || true',
        'case __v__:value in a|b) echo yes ;; *) echo "no: __v__:value" ;; esac',
    ],
)
def test_what_people_write_is_taken(script: str) -> None:
    assert problem_of(script, TEXT) is None
    assert len(places(script)) == script.count(":value")


def test_a_number_may_be_reckoned_with(place: Path) -> None:
    script = "printf '%s.' $((1 + __v__:value)); [ __v__:value -lt 0 ] && printf '%s' __v__:value"
    for shell in SHELLS:
        assert run(shell, shell_text(script, {"__v__": "-7"}, NUMBER), place) == b"-6.-7"
    assert text_for(script, "a[0]", NUMBER) is None


def test_a_value_that_begins_like_an_option_is_refused_where_it_would_be_one() -> None:
    for script in ("rm __v__:value", 'rm "__v__:value"', "rm -- x __v__:value"):
        assert text_for(script, "-rf", TEXT) is None
    assert text_for("x=__v__:value", "-rf", TEXT) is not None
    assert text_for("rm ./__v__:value", "-rf", TEXT) is not None


def test_a_shell_takes_no_nul() -> None:
    assert text_for("echo __v__:value", "a\x00b", TEXT) is None


def test_two_variables_never_share_a_name_in_the_shell() -> None:
    with pytest.raises(BadInput, match="one name in a shell"):
        shell_text("echo __a-b__:value __a_b__:value", {"__a-b__": "1", "__a_b__": "2"}, {})


def test_a_command_in_base64_is_read_as_text() -> None:
    assert script_of(Command(type="bash", command_b64="ZWNobyBoaQ==")) == "echo hi"
    for wrong in ("%%%", "/w=="):
        with pytest.raises(BadInput):
            script_of(Command(type="bash", command_b64=wrong))


@pytest.mark.parametrize("line", ['eval "$v"', "$v", "[[ $v -eq 1 ]]"])
def test_a_value_that_is_run_would_be_noticed(place: Path, line: str) -> None:
    attack = {"$v": "pwn", 'eval "$v"': "$(:>PWNED)"}.get(line, "a[$(:>PWNED)]")
    with pytest.raises(AssertionError, match="ran a value"):
        run("/bin/bash", f"v='{attack}'\n{line}", place)
