"""How a message leaves. One module a carrier: a message in, an outcome with its stage out.

Nothing here imports `incident`: a carrier knows neither incidents nor databases.
"""
