from tests.filing.conftest import town

__all__ = ["town"]
