"""The drill: the production set-up under load, while one part of it after the other is killed, frozen or restarted."""
