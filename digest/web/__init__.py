"""The public pages and the provider's hook, served by Starlette."""
