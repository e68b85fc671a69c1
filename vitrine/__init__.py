"""What two or more of Vitrine's processes share."""
