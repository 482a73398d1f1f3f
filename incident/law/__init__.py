"""What is owed, in general: conditions, clocks, grades and the regimes, all of it data and pure functions."""
