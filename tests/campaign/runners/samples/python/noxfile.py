import nox

@nox.session(venv_backend="none")
def plain(session):
    # Longer than the 0.3 s that nox leaves it.
    session.run("pytest", "-q", "--junitxml=reports/junit.xml", "test_sample.py", env={"CLEAN_UP": "2"})

@nox.session(venv_backend="none")
def patient(session):
    session.run("pytest", "-q", "--junitxml=reports/junit.xml", "test_sample.py", interrupt_timeout=30)
