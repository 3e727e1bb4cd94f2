"""Tasks as news for open sockets."""
