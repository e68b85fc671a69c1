"""The gRPC clients of the services behind the gateway; they implement the ports of `vitrine.ports`."""
