"""`doctor`: whether everything that the service needs is there and does what it must."""
