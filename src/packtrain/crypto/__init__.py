"""Encryption in the age v1 format and signatures in the SSHSIG format; the only room that imports `cryptography`."""
