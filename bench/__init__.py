"""Benchmarks: `make bench`. Each figure stands beside a baseline measured in the same run."""
