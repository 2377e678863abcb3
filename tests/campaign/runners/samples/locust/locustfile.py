import os, pathlib
from locust import User, constant, task

class Sample(User):
    wait_time = constant(0.1)

    @task
    def first(self):
        self.environment.events.request.fire(
            request_type="sample", name="first", response_time=1, response_length=1, exception=None)
        pathlib.Path(os.environ["REACHED"]).touch()
