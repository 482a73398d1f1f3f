"""Where it is kept: the database and the one `write()`, the journal, the keyring, sealing, blobs, migrations."""
