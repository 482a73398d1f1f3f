"""Speed measured beside others, in one run on one machine: `python -m benchmarks NAME`."""
