"""Short messages over SMPP 3.4, straight to an operator's short-message centre and to nobody else.

The modules are imported by name (`notifiers.smpp.session`), so that values do not pull in the network.
"""
