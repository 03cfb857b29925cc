"""The figures that tests print are shown at the end of a run, where nobody has to look for them."""

FIGURES = (
    "agreement with PyTorch:",
    "checkpoint:",
    "executed PTX:",
    "lessons:",
    "planted mistakes:",
    "property tests:",
    "spoilt calls:",
)


def pytest_terminal_summary(terminalreporter):
    printed = [
        line
        for report in terminalreporter.getreports("passed")
        for line in getattr(report, "capstdout", "").splitlines()
        if line.startswith(FIGURES)
    ]
    if printed:
        terminalreporter.write_sep("=", "figures")
        for line in dict.fromkeys(printed):
            terminalreporter.write_line(line)
