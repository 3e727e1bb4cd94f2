"""A crowd of people and machines, by Locust, in a process of its own."""
