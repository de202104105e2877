"""Stand-in until the loader is written by its author: overwrite this file."""


def is_empty():
    return True


def load_demo(folder, *, now, say):
    raise NotImplementedError


def list_sign_ins(folder):
    return []
