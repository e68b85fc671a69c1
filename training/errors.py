"""The error that training commands turn into one clear line and a non-zero exit."""


class TrainingError(Exception):
    """Something the person who started the run can put right; its text is one line."""


class NothingToLearn(TrainingError):
    """There is too little to learn from yet, which is no fault: what is trained regularly is trained the next time."""
