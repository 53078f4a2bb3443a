"""Engines: they start a training program's workers (`ports.Engine`), or map the units of `prepare` (`JobMapper`)."""
