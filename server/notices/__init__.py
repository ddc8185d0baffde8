"""Notices: what reaches a person outside the open page (domain.md §4); planned from the log, decided by pure rules."""
