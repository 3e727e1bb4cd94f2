"""Alerts as news for open sockets."""
