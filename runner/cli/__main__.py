"""`python -m runner.cli`: the command line, where no `hallmark` is on the path."""

from runner.cli.main import main

main()
