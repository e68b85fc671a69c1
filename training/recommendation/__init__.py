"""What recommendation learns from events: sequence model, collaborative filtering, co-purchases and their fusion."""
