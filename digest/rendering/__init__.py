"""Rendering: an edition becomes HTML and text that survive mail clients."""
