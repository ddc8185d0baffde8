"""The tests, laid out as the code is; support/ holds what they share."""
