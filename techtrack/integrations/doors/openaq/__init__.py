"""The read door that OpenAQ's clients know (its API v3): locations, sensors, measurements, parameters."""
