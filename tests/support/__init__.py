"""Support for the tests: a media server, a broker, the service as a process."""
