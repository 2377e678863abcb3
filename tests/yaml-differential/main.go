// Compares how podutils and Kubernetes read YAML.
//
//	yaml-differential PODUTILS DIRECTORY...
//
// Each document of each *.yaml file below the directories that sigs.k8s.io/yaml
// reads as an object goes through `podutils inject --krm`, which reads and writes
// it without decorating it; the outcome must mean the same. Left out and counted
// are documents with a key that is there twice, templates, and the one known
// difference: `[a:]`, a plain text in brackets that ends with a colon, is a mapping
// to Kubernetes' parser. Prints a line for each difference, and the counts.
package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

var colon = regexp.MustCompile(`[^\s"']:[\],}]`)

const head = `apiVersion: config.kubernetes.io/v1
kind: ResourceList
functionConfig: {spec: {out: s3://b, image-prefix: r, build-id: "1", select: [Nothing]}}
items:
`

func indented(document string) string {
	lines := strings.Split(document, "\n")
	for index, line := range lines {
		if line != "" {
			lines[index] = "    " + line
		}
	}
	return "  -\n" + strings.Join(lines, "\n") + "\n"
}

func documents(path string) (found []string, doubled, templates, colons int) {
	text, err := os.ReadFile(path)
	if err != nil || len(text) > 1<<20 || !utf8.Valid(text) {
		return nil, 0, 0, 0
	}
	for _, document := range strings.Split("\n"+string(text), "\n---") {
		// What stands behind the marker in its line is the document's, too.
		document = strings.TrimRight(strings.TrimLeft(document, "\r\n"), "\n") + "\n"
		document = strings.TrimSuffix(document, "\n...\n") + "\n"
		var any map[string]any
		switch {
		case strings.Contains(document, "{{"):
			templates++
		case yaml.Unmarshal([]byte(document), &any) != nil || any == nil:
		case yaml.UnmarshalStrict([]byte(document), &any) != nil:
			doubled++
		case colon.MatchString(document):
			colons++
		// What the indentation above cannot move.
		case strings.Contains(strings.ReplaceAll(document, "\r\n", ""), "\r"):
		default:
			found = append(found, document)
		}
	}
	return found, doubled, templates, colons
}

func main() {
	same, differing, doubled, templates, colons := 0, 0, 0, 0, 0
	for _, directory := range os.Args[2:] {
		err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".yaml") {
				return err
			}
			read, twice, unrendered, ended := documents(path)
			doubled, templates, colons = doubled+twice, templates+unrendered, colons+ended
			for number, document := range read {
				var want map[string]any
				_ = yaml.Unmarshal([]byte(document), &want)
				if _, isList := want["items"]; isList && fmt.Sprint(want["kind"]) == "ResourceList" {
					continue
				}
				command := exec.Command(os.Args[1], "inject", "--krm")
				command.Stdin = strings.NewReader(head + indented(document))
				var stderr bytes.Buffer
				command.Stderr = &stderr
				output, err := command.Output()
				var list struct{ Items []map[string]any }
				if err == nil {
					err = yaml.Unmarshal(output, &list)
				}
				if err == nil && len(list.Items) == 1 && reflect.DeepEqual(list.Items[0], want) {
					same++
					continue
				}
				differing++
				fmt.Printf("%s, document %d: %s\n", path, number+1, strings.TrimSpace(stderr.String()))
			}
			return nil
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
	}
	fmt.Printf("%d the same, %d different; left out: %d with a key twice, %d templates, %d with a colon before a bracket\n",
		same, differing, doubled, templates, colons)
	if differing > 0 || same == 0 {
		os.Exit(1)
	}
}
