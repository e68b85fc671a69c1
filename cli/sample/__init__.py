"""The sample shop: an invented bilingual catalogue with its shoppers, for trying out, testing and loading Vitrine."""
