"""The invariants of the record, by subject. Each look reads rows of one moment and changes nothing."""
