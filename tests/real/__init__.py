"""Real parts for the tests: each module starts one real program on loopback and stops it again."""
