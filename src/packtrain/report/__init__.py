"""Documents and receipts to a summary, and the summary to text and one HTML file. Touches no drive and no key."""
