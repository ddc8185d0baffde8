"""Tests of what runs on a developer's machine: embedded servers, the supervisor, the bootstrap."""
