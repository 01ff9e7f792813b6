"""What the statistics promise, put to the test on simulated answers: `make simulate`, see docs/statistics.md."""
