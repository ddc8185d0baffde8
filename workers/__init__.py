"""What is done apart from any request, by any number of worker processes."""
