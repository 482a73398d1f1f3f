"""How alerts come in: sources as data, signatures, reading, mapping, duplicates, the intake port."""
