def test_does_nothing():
    pass
