"""Rules: a dated pack of questions as data, tests that answer them from the facts, and what is still open."""
