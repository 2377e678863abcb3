# The test of the example: an artifact, a secret in the log, and time enough for
# `docker-compose stop`.
trap 'echo "cleaning up after SIGINT"' INT
trap 'echo "ending after SIGTERM"; exit 3' TERM
echo "made by the test" >"$ARTIFACTS/hello.txt"
echo "the token is $(cat /secrets/token)"
for second in 1 2 3 4 5; do
  echo "testing, $second of 5"
  sleep 1
done
