"""SMS over a provider's HTTP gateway. How a provider is spoken to is data: a definition of it (`gateways/*.yaml`)."""
