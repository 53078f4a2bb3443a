"""One file a verb; imported only when the verb is called, so that `packtrain --help` stays fast."""
