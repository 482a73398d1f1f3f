"""What people are told: the content of a notice drawn from the record, the gate it must pass, and its forms."""
