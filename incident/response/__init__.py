"""What is done: playbooks in CACAO 2.0's object model, checked before they start, run by a pure machine."""
