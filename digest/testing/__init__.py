"""Public helpers for tests of plug-ins: a clock that stands still, factories, contract suites."""
