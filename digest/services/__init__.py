"""What `digest` does, free of screens and providers: the entry points share these services."""
