"""Documents to bytes and bytes to documents; nothing here touches a file, a key or a device."""
