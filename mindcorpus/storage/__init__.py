"""What is kept: staging and publishing, manifests and cards, files and their checksums."""
