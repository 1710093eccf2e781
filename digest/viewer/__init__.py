"""The preview's folder and the page that shows it: how the mail looks, and why it is so."""
