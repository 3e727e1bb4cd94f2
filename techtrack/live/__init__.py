"""News for open sockets: numbered events, the hub that hands frames out, the WebSocket. Blind to what it carries."""
