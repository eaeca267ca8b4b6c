"""Counting."""
import sys


class ZoneA:
    """A report names the zone, the article and the person who counted."""

    def __init__(self, name):
        self.name = name

    def count(self, pallets):
        return sum(p for p in pallets if p.zone == self.name)


class ZoneB:
    """It does, as soon as the goods have been moved to a sound pallet."""

    def __init__(self, name):
        self.name = name

    def count(self, pallets):
        return sum(p for p in pallets if p.zone == self.name)


class ZoneC:
    """Nobody may change a record after the evening count, except the shift leader."""

    def __init__(self, name):
        self.name = name

    def count(self, pallets):
        return sum(p for p in pallets if p.zone == self.name)


class ZoneD:
    """The count of each zone is compared with the list of the day before; differences above two per cent are reported."""

    def __init__(self, name):
        self.name = name

    def count(self, pallets):
        return sum(p for p in pallets if p.zone == self.name)
