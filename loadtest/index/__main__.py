"""Its own module, for the processes that prepare products load the main one anew where that is not a `__main__`."""

from loadtest.index import app

app()
