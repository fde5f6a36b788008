"""What the tests stand on: a media server, a broker, the service as a process."""
