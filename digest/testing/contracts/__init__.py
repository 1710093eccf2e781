"""Contract suites: subclass one, give it the thing to test, and pytest runs every promise."""
