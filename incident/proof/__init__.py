"""What can be shown afterwards: that the record was not changed, and what was done when."""
