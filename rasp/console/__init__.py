"""The console: a session that answers statements and colon commands, and the terminals and pipes that feed it."""
