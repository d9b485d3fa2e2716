"""Far sides that are other people's products, one file each."""
