"""What is owed, now: evaluating the record, what changed since, and which duties were met."""
