"""Who is told, when, over what: the campaign, its ledger, the sender, and the account of everyone."""
