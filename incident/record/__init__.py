"""What is known: facts, the incident, its log, measures, people, evidence and decisions."""
