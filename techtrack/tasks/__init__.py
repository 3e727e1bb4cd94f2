"""Work for people: personal tasks, shared tasks, and tasks that an alert opened."""
