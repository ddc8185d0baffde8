"""The gateway for whoever asks: a test program, on which SDKs' own test suites can be run. Never part of the product."""
