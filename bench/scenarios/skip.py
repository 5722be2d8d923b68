"""Why a scenario can't run here."""


class Skip(Exception):
    pass
