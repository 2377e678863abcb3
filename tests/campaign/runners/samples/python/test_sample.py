import os, pathlib, time

def test_first():
    pass

def test_second():
    pathlib.Path(os.environ["REACHED"]).touch()
    time.sleep(60)
    pathlib.Path(os.environ["FINISHED"]).touch()
