"""What telemetry shows on open sockets."""
