"""Who of a large directory stands in a log of what was taken: one pass over each, with only the log's keys in memory.

A key is what people are looked up by: a reference without blanks around it, an e-mail address in small letters, or a
phone number as E.164 by the rule of the import; a person may bear several numbers. What the log says was taken is
joined over all its rows of one key. Pure: rows come in, rows go out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from incident.errors import BadInput, Refused
from incident.record.people_file import (
    HEADERS,
    PHONES,
    Defaults,
    Problem,
    ReadRow,
    Reason,
    categories_in,
    columns_of,
    country_code,
    is_clean,
    must_identify,
    numbers_in,
    read_people,
)
from incident.record.quantities import Interval
from incident.record.row_files import Rows
from incident.record.showing import as_written

# With what the rest of a process takes this stays below 2 GiB: room for four million phone numbers.
MOST_KEY_BYTES = 1_280 * 2**20
# Beside the key itself: its places in two tables just after they grew, and a number of 64 bits.
_BYTES_BESIDE_A_KEY = 232
MOST_FAULTY_ROWS = 100_000
TELL_EVERY = 1000
_MOST_REMEMBERED_TEXTS = 10_000


class LookUp(StrEnum):
    """What people are looked up by."""

    REFERENCE = "reference"
    EMAIL = "email"
    PHONE = "phone"


_FAULTS = {LookUp.REFERENCE: Reason.CONTROL, LookUp.EMAIL: Reason.EMAIL, LookUp.PHONE: Reason.PHONE}


def keys_in(on: LookUp, text: str, country: str) -> tuple[Sequence[str], bool]:
    """The keys that a cell holds, and whether it holds nothing else. `country` is for phone numbers without one.

    Only its own server knows whether the case of a mailbox matters, and hardly any says so: it is left out of account,
    and where that brings two people together they are told as such.
    """
    text = as_written(text.strip())
    if not text:
        return (), True
    if not is_clean(on, text):
        return (), False
    if on is LookUp.PHONE:
        return numbers_in(text, country)
    if on is LookUp.REFERENCE:
        return (text,), True
    mailbox, _, domain = text.rpartition("@")
    if not mailbox or not domain or any(map(str.isspace, text)):
        return (), False
    return (text.casefold(),), True


@dataclass(frozen=True)
class FaultyRow:
    """A row of the log that could not be used as it is."""

    problem: Problem
    cells: tuple[str, ...]

    @property
    def names_nobody(self) -> bool:
        return self.problem.reason is not Reason.CATEGORY


class Affected:
    """What a log says: distinct keys, what was taken of each, and later whom each hit.

    Kinds of data are kept as the number of their combination, of which there are few.
    """

    def __init__(self, *, most_bytes: int = MOST_KEY_BYTES) -> None:
        self.rows = 0
        self.faulty: list[FaultyRow] = []
        self.ambiguous: set[str] = set()
        self._room = self._most_bytes = most_bytes
        self._taken: dict[str, int] = {}
        self._hit: dict[str, int] = {}
        self._combinations: list[tuple[str, ...]] = []
        self._numbers: dict[tuple[str, ...], int] = {}

    def __len__(self) -> int:
        return len(self._taken)

    def __contains__(self, key: str) -> bool:
        return key in self._taken

    def add(self, key: str, categories: tuple[str, ...]) -> None:
        """Join a row of the log. Raises `Refused` when the keys no longer fit into memory."""
        known = self._taken.get(key)
        if known is None:
            self._room -= sys.getsizeof(key) + _BYTES_BESIDE_A_KEY
            if self._room < 0:
                raise self._too_many()
            self._taken[key] = self._number_of(categories)
        elif categories != (before := self._combinations[known]):
            self._taken[key] = self._number_of(tuple(dict.fromkeys((*before, *categories))))

    def categories_of(self, key: str) -> tuple[str, ...]:
        return self._combinations[self._taken[key]]

    def hit(self, key: str, identity: str) -> None:
        """A row of the directory bears this key; one of another identity makes it ambiguous."""
        # The hash alone takes no memory for the text; two identities share one once in 2^64.
        hashed = hash(identity)
        if self._hit.setdefault(key, hashed) != hashed:
            self.ambiguous.add(key)

    def certain(self, keys: Sequence[str]) -> list[str]:
        """Those of these keys that hit one person alone."""
        return [key for key in keys if key not in self.ambiguous]

    @property
    def hits(self) -> int:
        """How many keys hit somebody, the ambiguous ones too."""
        return len(self._hit)

    @property
    def people(self) -> int:
        """How many different people the keys hit that are not ambiguous."""
        return len({person for key, person in self._hit.items() if key not in self.ambiguous})

    def unmatched(self) -> Iterator[str]:
        """The keys that hit nobody, in the log's order."""
        return (key for key in self._taken if key not in self._hit)

    def _number_of(self, categories: tuple[str, ...]) -> int:
        number = self._numbers.setdefault(categories, len(self._combinations))
        if number == len(self._combinations):
            self._combinations.append(categories)
        return number

    def _too_many(self) -> Refused:
        return Refused(
            f"more people are named than fit into {self._most_bytes // 2**20:,} MiB of memory: "
            f"{len(self):,} fit, at row {self.rows:,}",
            next_step="split the log and match its parts one after the other; people found twice are joined",
        )


def read_affected(
    rows: Rows,
    *,
    on: LookUp,
    mapping: Mapping[str, str],
    defaults: Defaults,
    affected: Affected,
    progress: Callable[[int], None] = lambda rows: None,
) -> None:
    """Read the log into `affected`. A row that names nobody is among its faulty ones; an unknown kind of data too.

    Raises `BadInput` for a header without the column to look people up by and for too many faulty rows, `Refused` for
    too many keys, and as the rows do.
    """
    wanted = {name: HEADERS[name] for name in (on.value, "data_categories", "country")}
    columns = columns_of(rows, mapping, wanted, option="--map-affected")
    _must_have(on, columns, rows, option="--map-affected")
    kinds, countries = _Kinds(defaults), _Countries(columns, defaults)
    for number, cells in rows.numbered:
        affected.rows += 1
        if affected.rows % TELL_EVERY == 0:
            progress(affected.rows)
        if len(cells) != len(rows.header):
            _set_aside(affected, rows, Problem(number, "", Reason.COLUMNS), cells)
            continue
        keys, all_valid = keys_in(on, cells[columns[on]], countries.of(cells))
        if not keys or not all_valid:
            reason = Reason.NO_KEY if all_valid else _FAULTS[on]
            _set_aside(affected, rows, Problem(number, on, reason), cells)
        if not keys:
            continue
        said = cells[columns["data_categories"]] if "data_categories" in columns else ""
        categories, all_known = kinds.named_in(said)
        if not all_known and all_valid:
            _set_aside(affected, rows, Problem(number, "data_categories", Reason.CATEGORY), cells)
        for key in keys:
            affected.add(key, categories)


def _set_aside(affected: Affected, rows: Rows, problem: Problem, cells: list[str]) -> None:
    affected.faulty.append(FaultyRow(problem, tuple(cells)))
    if len(affected.faulty) > MOST_FAULTY_ROWS:
        raise BadInput(
            f"more than {MOST_FAULTY_ROWS:,} rows have problems, the last one: {problem.reason.value}",
            where=f"{rows.name}, row {problem.row}",
            next_step="check which column is looked up (--on, --map-affected) and the country (--country)",
        )


class _Kinds:
    """The kinds of data that cells name; a log says the same few texts over and over."""

    def __init__(self, defaults: Defaults) -> None:
        self._defaults = defaults
        self._known: dict[str, tuple[tuple[str, ...], bool]] = {}

    def named_in(self, text: str) -> tuple[tuple[str, ...], bool]:
        found = self._known.get(text)
        if found is None:
            found = categories_in(text, self._defaults)
            if len(self._known) < _MOST_REMEMBERED_TEXTS:
                self._known[text] = found
        return found


@dataclass(frozen=True)
class Hit:
    """A row of the directory, and those of its keys that the log names."""

    number: int
    keys: list[str]
    cells: list[str]


@dataclass
class Searched:
    """What was seen of the directory: its rows, those that hit, and those that are no rows of it, a few by number.

    What a faulty row holds is not kept: it may be anybody's.
    """

    rows: int = 0
    hits: int = 0
    faulty: int = 0
    first_faulty: list[Problem] = field(default_factory=list)


def find_hits(
    rows: Rows,
    affected: Affected,
    *,
    on: LookUp,
    defaults: Defaults,
    searched: Searched,
    shown_problems: int,
    progress: Callable[[int], None] = lambda rows: None,
) -> Iterator[Hit]:
    """The rows that the log's keys hit, in order; `affected` and `searched` are counted on as they are read.

    A cell that holds no valid key hits nobody. Raises `BadInput` for a header that cannot be used, and as the rows do.
    """
    columns = columns_of(rows, defaults.mapping, HEADERS)
    must_identify(columns, rows)
    _must_have(on, columns, rows, option="--map")
    # A person may have been taken under any of their numbers.
    places = [columns[name] for name in (PHONES if on is LookUp.PHONE else (on.value,)) if name in columns]
    width, countries = len(rows.header), _Countries(columns, defaults)
    for number, cells in rows.numbered:
        searched.rows += 1
        if searched.rows % TELL_EVERY == 0:
            progress(searched.rows)
        if len(cells) != width:
            searched.faulty += 1
            if len(searched.first_faulty) < shown_problems:
                searched.first_faulty.append(Problem(number, "", Reason.COLUMNS))
            continue
        country = countries.of(cells)
        keys = [key for at in places for key in keys_in(on, cells[at], country)[0]]
        named = [key for key in dict.fromkeys(keys) if key in affected]
        if named:
            searched.hits += 1
            identity = _identity(keys[0], cells, columns)
            for key in named:
                affected.hit(key, identity)
            yield Hit(number, named, cells)


def people_hit(
    hits: Callable[[], Iterator[Hit]], rows: Rows, affected: Affected, *, on: LookUp, defaults: Defaults
) -> Iterator[ReadRow]:
    """The hits as rows of an import, once the whole directory was searched: `hits` gives them as often as asked.

    Each person has what the log says was taken of them, not what the directory holds. A key that hit several people says
    of none that they are meant: a row without another key is a problem, so that nobody is taken for somebody else.
    """
    found = Rows(rows.name, rows.header, ((hit.number, hit.cells) for hit in hits()))
    people = read_people(found, defaults=defaults, without=("data_categories",))
    for hit, row in zip(hits(), people, strict=True):
        certain = affected.certain(hit.keys)
        if not certain:
            yield ReadRow(row.number, row.raw, None, (Problem(row.number, on, Reason.SEVERAL_PEOPLE),))
        elif row.person is None:
            yield row
        else:
            taken = dict.fromkeys(each for key in certain for each in affected.categories_of(key))
            yield row._replace(person=row.person._replace(categories=tuple(taken)))


def persons_affected(affected: Affected, *, ambiguous_rows: int) -> Interval:
    """How many people are affected, as far as the two files say.

    At least those who were hit. At most also everybody in the rows of ambiguous keys, a person for each key that hit
    nobody, and one for each row of the log that names nobody.
    """
    unnamed = sum(row.names_nobody for row in affected.faulty)
    nobody = len(affected) - affected.hits
    least = affected.people
    most = least + ambiguous_rows + nobody + unnamed
    return Interval.exactly(least) if most == least else Interval(least, None, most)


def _must_have(on: LookUp, columns: Mapping[str, int], rows: Rows, *, option: str) -> None:
    if on not in columns:
        raise BadInput(
            f"the header has no column to look people up by {on}: "
            + ", ".join(cell.strip() for cell in rows.header),
            where=rows.name,
            next_step=f"name it with {option} {on}=HEADER",
        )


class _Countries:
    """The country of each row's numbers; a file says the same few over and over."""

    def __init__(self, columns: Mapping[str, int], defaults: Defaults) -> None:
        self._at = columns.get("country")
        self._default = defaults.country
        self._known: dict[str, str] = {}

    def of(self, cells: list[str]) -> str:
        if self._at is None:
            return self._default
        text = cells[self._at]
        found = self._known.get(text)
        if found is None:
            found = country_code(text.strip()) or self._default
            if len(self._known) < _MOST_REMEMBERED_TEXTS:
                self._known[text] = found
        return found


def _identity(key: str, cells: list[str], columns: Mapping[str, int]) -> str:
    """What tells people apart: their reference, else their address (or the key) and their name, as they stand."""

    def cell(name: str) -> str:
        return cells[columns[name]].strip() if name in columns else ""

    return cell("reference") or f"{cell('email') or key}\n{cell('name')}".casefold()
