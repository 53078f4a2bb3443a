"""The parts of the report: each makes HTML of one part of the summary, by itself, and "" where there is nothing."""
