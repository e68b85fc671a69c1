"""For whoever runs the shop: OpsService, and the page at /ops that shows what it tells."""
