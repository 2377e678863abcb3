@test "first" {
  true
}

@test "second" {
  touch "$REACHED"
  sleep 60
  touch "$FINISHED"
}
