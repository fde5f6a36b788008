"""Developer tools: generated docs, pictures, measurements, releases, mutation tests."""
