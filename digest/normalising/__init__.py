"""From raw entries to articles: text, addresses, dates, ratings. Pure rules, no I/O."""
