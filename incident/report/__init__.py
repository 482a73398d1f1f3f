"""What authorities are told: forms as data, filled from the record, checked, and shown."""
