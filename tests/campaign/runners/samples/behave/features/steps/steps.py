import os, pathlib, time
from behave import given

@given("nothing")
def nothing(context):
    pass

@given("a long wait")
def wait(context):
    pathlib.Path(os.environ["REACHED"]).touch()
    time.sleep(60)
    pathlib.Path(os.environ["FINISHED"]).touch()
