#!/usr/bin/env bash
# Of the metadata in finished.json Deck shows strings only, and TestGrid those at the top only.
#
# Guess: "metadata" is any JSON (Prow merges the job's metadata.json into it), and the pages show what is there.
# Seen (Prow at 2024-06-19, TestGrid's library v0.0.123): Deck's metadata lens flattens objects to dotted names, and leaves out numbers, true and
# false, and lists; what TestGrid takes for columns leaves out objects too. {"attempts": 3} is shown nowhere, {"attempts": "3"} in both,
# {"node": {"name": "n1"}} in Deck alone. The build takes some minutes.
set -euo pipefail
dir=$(mktemp -d); trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT; cd "$dir"
export GOPATH=$dir/go GOCACHE=$dir/cache GOFLAGS=-modcacherw
prow=v0.0.0-20240619181241-cfb8754e0459
go mod init sample >/dev/null 2>&1
go get "sigs.k8s.io/prow/pkg/spyglass/lenses/metadata@$prow" github.com/GoogleCloudPlatform/testgrid/metadata@v0.0.123 >/dev/null 2>&1
cat >main.go <<'T'
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/GoogleCloudPlatform/testgrid/metadata"
	"sigs.k8s.io/prow/pkg/config"
	"sigs.k8s.io/prow/pkg/spyglass/api"
	lens "sigs.k8s.io/prow/pkg/spyglass/lenses/metadata"
)

type finished struct {
	api.Artifact
	content string
}

func (finished) JobPath() string            { return "finished.json" }
func (f finished) ReadAll() ([]byte, error) { return []byte(f.content), nil }

func main() {
	content := `{"timestamp": 1800000000, "passed": true, "result": "SUCCESS", "metadata":
		{"text": "MARK-text", "number": 31337, "yes": true, "list": ["MARK-list"], "object": {"text": "MARK-nested", "number": 31338}}}`
	page := lens.Lens{}.Body([]api.Artifact{finished{content: content}}, os.Args[1], "", nil, config.Spyglass{})
	deck := []string{}
	for _, value := range []string{"MARK-text", "31337", "MARK-list", "MARK-nested", "31338", ">yes<"} {
		if strings.Contains(strings.Join(strings.Fields(page), ""), value) {
			deck = append(deck, value)
		}
	}
	var result metadata.Finished
	if err := json.Unmarshal([]byte(content), &result); err != nil {
		panic(err)
	}
	testgrid := result.Metadata.Strings()
	fmt.Printf("Deck shows %v, TestGrid takes %v\n", deck, testgrid)
	if !reflect.DeepEqual(deck, []string{"MARK-text", "MARK-nested"}) || !reflect.DeepEqual(testgrid, map[string]string{"text": "MARK-text"}) {
		fmt.Println("changed: expected the two texts in Deck and the first in TestGrid")
		os.Exit(1)
	}
}
T
go build -o show .
./show "$GOPATH/pkg/mod/sigs.k8s.io/prow@$prow/pkg/spyglass/lenses/metadata" 2>/dev/null
