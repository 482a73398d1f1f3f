"""E-mail: one skeleton for each template and language, one kept connection for each session.

The modules are imported by name (`notifiers.email.session`), so that values do not pull in the network.
"""
