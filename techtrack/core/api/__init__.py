"""The manners of every endpoint: errors, pages, concurrency, idempotency and the strict way in."""
