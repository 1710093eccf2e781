"""The command line: each command parses, calls one service, and shows what came back."""
