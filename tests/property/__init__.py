"""The participation rules under random concurrent operations, held against an oracle written from domain.md alone."""
