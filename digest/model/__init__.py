"""The frozen types that flow through `digest`. Standard library only: no I/O and no clock."""
