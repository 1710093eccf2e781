"""Where articles come from: one guarded HTTP client, feeds, files, and the killable parser."""
