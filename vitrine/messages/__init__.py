"""Protobuf messages to plain data and back; one module for each part of the contract."""
