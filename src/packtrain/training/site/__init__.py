"""What a site's hosts are asked before a training: each by itself, all together, and the miniature's run again."""
