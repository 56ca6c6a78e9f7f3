del tasks

__all__ = ["app"]
