"""The one exception for input that a user can mend."""


class UserError(Exception):
    """Bad input: the message says what was found, what was expected and the way out. Shown without a traceback."""
