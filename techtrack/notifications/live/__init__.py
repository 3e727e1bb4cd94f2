"""Deliveries as news for open sockets."""
