"""What a statement changes is told by its words, and what nobody understands is refused."""

from __future__ import annotations

import pytest

from tests.support.readers import changed_by


def test_the_tables_that_statements_change_are_named_and_no_others() -> None:
    statements = [
        "UPDATE delivery SET strikes = (SELECT max(number) FROM attempt)",
        "INSERT INTO person WITH RECURSIVE numbers(n) AS (SELECT 1) SELECT n FROM numbers",
        "DELETE FROM batch WHERE id IN (SELECT batch_id FROM delivery)",
        "DROP INDEX ix_person_reference_mac",
    ]
    assert changed_by(statements) == {"delivery", "person", "batch"}


@pytest.mark.parametrize(
    "statement", ["WITH x AS (SELECT 1) UPDATE job SET starts = 1", "DROP TABLE job", ""]
)
def test_a_statement_that_is_not_understood_is_refused(statement: str) -> None:
    with pytest.raises(AssertionError, match="which table does this change"):
        changed_by([statement])
