add_test(first "true")
add_test(second "sh" "second.sh")
