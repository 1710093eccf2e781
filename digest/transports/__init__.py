"""Handing mails over: the message itself, and the adapters that take it away."""
