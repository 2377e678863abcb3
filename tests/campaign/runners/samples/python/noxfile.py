import nox

@nox.session(venv_backend="none")
def plain(session):
    session.run("pytest", "-q", "--junitxml=reports/junit.xml", "test_sample.py")

@nox.session(venv_backend="none")
def patient(session):
    session.run("pytest", "-q", "--junitxml=reports/junit.xml", "test_sample.py", interrupt_timeout=30)
