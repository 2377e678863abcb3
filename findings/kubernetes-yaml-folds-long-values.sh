#!/usr/bin/env bash
# The YAML writer of Kubernetes folds a long value with blanks; the one beside it does not.
#
# Guess: a string value stands on one line in what `kubectl get -o yaml` prints, so a search for it in the text finds it.
# Seen (Go modules sigs.k8s.io/yaml 1.6.0, go.yaml.in/yaml/v3 3.0.4): sigs.k8s.io/yaml, which Kubernetes' tools use, breaks a plain scalar of more than
# 80 columns at a blank and indents what follows, so a pass phrase of words is in two lines; yaml v3 with its defaults writes the same value on one.
# The blank itself is gone: the line end stands for it.
set -euo pipefail
dir=$(mktemp -d); trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT; cd "$dir"
export GOPATH=$dir/go GOCACHE=$dir/cache GOFLAGS=-modcacherw
cat >go.mod <<'M'
module sample

go 1.24

require (
	go.yaml.in/yaml/v3 v3.0.4
	sigs.k8s.io/yaml v1.6.0
)
M
cat >main.go <<'T'
package main

import (
	"fmt"
	"os"
	"strings"

	v3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

func main() {
	phrase := strings.TrimSpace(strings.Repeat("correct horse battery staple ", 4))
	document := map[string]string{"phrase": phrase}
	kubernetes, err := yaml.Marshal(document)
	if err != nil {
		panic(err)
	}
	plain, err := v3.Marshal(document)
	if err != nil {
		panic(err)
	}
	fmt.Printf("sigs.k8s.io/yaml:\n%syaml v3:\n%s", kubernetes, plain)
	if strings.Contains(string(kubernetes), phrase) || !strings.Contains(string(plain), phrase) {
		fmt.Println("changed: expected the first to be folded and the second not")
		os.Exit(1)
	}
}
T
go mod tidy >/dev/null 2>&1
go run .
