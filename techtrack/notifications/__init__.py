"""Telling people: channels, routes, and an outbox of deliveries committed with what they tell."""
