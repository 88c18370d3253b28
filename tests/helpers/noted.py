"""Which of a set of recorded arrays a comparison reads."""


class Noted(dict):
    """Arrays that note which of them were read."""

    def __init__(self, arrays):
        super().__init__(arrays)
        self.read = set()

    def __getitem__(self, name):
        self.read.add(name)
        return super().__getitem__(name)

    @property
    def unread(self):
        return set(self) - self.read
