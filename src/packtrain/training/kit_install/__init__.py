"""What lies in every kit and runs at the site: POSIX sh and the standard library, nothing of packtrain."""
