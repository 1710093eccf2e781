"""Collect a week of app news, rank it, and mail it as one good digest."""

__version__ = "0.1.0"

__all__ = ["__version__"]
