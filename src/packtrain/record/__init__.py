"""The record of a voyage: its folder, its signed documents, its receipts, its custody log."""
