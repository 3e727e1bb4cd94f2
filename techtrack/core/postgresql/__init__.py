"""Django's PostgreSQL, whose pool hands out no connection that has ended."""
