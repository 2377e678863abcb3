#!/usr/bin/env bash
# Deck's build log unfolds lines that look like errors only where its configuration lists regular expressions; the built-in ones find nothing.
#
# Guess: without highlight_regexes the lens uses its built-in expressions ("timed out", "ERROR:", "panic", "FAIL"), so a log that says one of these
# is shown around that line; a configuration is for those who want other words.
# Seen (Prow at 2024-06-19): without a configuration, and with one that sets another field, all lines stay folded, because the maximum length of
# a line that is searched is set only together with highlight_regexes and is 0 else. With one of the built-in expressions written into the
# configuration the same line is highlighted, and its neighbours are shown. The build takes some minutes.
set -euo pipefail
dir=$(mktemp -d); trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT; cd "$dir"
export GOPATH=$dir/go GOCACHE=$dir/cache GOFLAGS=-modcacherw
prow=v0.0.0-20240619181241-cfb8754e0459
go mod init sample >/dev/null 2>&1
go get "sigs.k8s.io/prow/pkg/spyglass/lenses/buildlog@$prow" >/dev/null 2>&1
cat >main.go <<'T'
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"

	"sigs.k8s.io/prow/pkg/config"
	"sigs.k8s.io/prow/pkg/spyglass/api"
	"sigs.k8s.io/prow/pkg/spyglass/lenses/buildlog"
)

type log struct{ api.Artifact }

func (log) JobPath() string                      { return "build-log.txt" }
func (log) CanonicalLink() string                { return "https://results.example/build-log.txt" }
func (log) Metadata() (map[string]string, error) { return nil, nil }
func (log) ReadAll() ([]byte, error) {
	ordinary := strings.Repeat("compiled another file\n", 40)
	return []byte(ordinary + "ERROR: the suite timed out\n" + ordinary), nil
}

func main() {
	seen := []bool{}
	for _, configuration := range []string{``, `{"hide_raw_log": true}`, `{"highlight_regexes": ["timed out"]}`} {
		page := buildlog.Lens{}.Body([]api.Artifact{log{}}, os.Args[1], "", json.RawMessage(configuration), config.Spyglass{})
		shown := strings.Contains(page, `<span class="match-highlighted">timed out</span>`)
		fmt.Printf("configuration %q: the line is shown: %t\n", configuration, shown)
		seen = append(seen, shown)
	}
	if !reflect.DeepEqual(seen, []bool{false, false, true}) {
		fmt.Println("changed: expected the line with the last configuration only")
		os.Exit(1)
	}
}
T
go build -o show .
./show "$GOPATH/pkg/mod/sigs.k8s.io/prow@$prow/pkg/spyglass/lenses/buildlog" 2>/dev/null
