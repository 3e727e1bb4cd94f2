"""The tutorial's way: a model with a unique constraint, a ModelViewSet with many=True, token authentication."""
