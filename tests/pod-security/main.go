// Compares the golden files of `podutils inject` with Kubernetes' own Pod Security
// admission: a pod that a level admits before is admitted by it afterwards.
//
// Takes the directory with NAME.in.* and NAME.out.*, prints a line for each pair,
// and fails if a pair is admitted by fewer levels afterwards, or none is admitted
// by "restricted".
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

// Paths of pod templates, the pod itself last.
var templates = [][]string{
	{"spec", "jobTemplate", "spec", "template"},
	{"spec", "template"},
	{"template"},
	{},
}

type pod struct {
	meta metav1.ObjectMeta
	spec corev1.PodSpec
}

func pods(object map[string]any) []pod {
	if items, ok := object["items"].([]any); ok {
		var found []pod
		for _, item := range items {
			found = append(found, pods(item.(map[string]any))...)
		}
		return found
	}
	for _, path := range templates {
		template := object
		if len(path) > 0 {
			found, ok, err := unstructured.NestedMap(object, path...)
			if err != nil || !ok {
				continue
			}
			template = found
		}
		spec, ok, err := unstructured.NestedMap(template, "spec")
		if err != nil || !ok || spec["containers"] == nil {
			continue
		}
		var found pod
		check(runtime.DefaultUnstructuredConverter.FromUnstructured(spec, &found.spec))
		if meta, ok, _ := unstructured.NestedMap(template, "metadata"); ok {
			check(runtime.DefaultUnstructuredConverter.FromUnstructured(meta, &found.meta))
		}
		return []pod{found}
	}
	return nil
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// Strictness of the levels: which is the strictest that admits all pods of a file.
var levels = []api.Level{api.LevelPrivileged, api.LevelBaseline, api.LevelRestricted}

func documents(file string) []map[string]any {
	text, err := os.ReadFile(file)
	check(err)
	if strings.HasSuffix(file, ".json") {
		var object map[string]any
		check(json.Unmarshal(text, &object))
		return []map[string]any{object}
	}
	var found []map[string]any
	for _, document := range strings.Split("\n"+string(text), "\n---") {
		var object map[string]any
		check(yaml.Unmarshal([]byte(document), &object))
		found = append(found, object)
	}
	return found
}

func strictest(evaluator policy.Evaluator, file string) (int, string) {
	var found []pod
	for _, document := range documents(file) {
		found = append(found, pods(document)...)
	}
	reason := ""
	for level := len(levels) - 1; level > 0; level-- {
		refused := ""
		for _, pod := range found {
			version := api.LevelVersion{Level: levels[level], Version: api.LatestVersion()}
			result := policy.AggregateCheckResults(evaluator.EvaluatePod(version, &pod.meta, &pod.spec))
			if !result.Allowed {
				refused = result.ForbiddenDetail()
			}
		}
		if refused == "" {
			return level, reason
		}
		reason = refused
	}
	return 0, reason
}

func main() {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks())
	check(err)
	inputs, err := filepath.Glob(filepath.Join(os.Args[1], "*.in.*"))
	check(err)
	failed, restricted := len(inputs) == 0, 0
	for _, input := range inputs {
		before, _ := strictest(evaluator, input)
		after, reason := strictest(evaluator, strings.Replace(input, ".in.", ".out.", 1))
		fmt.Printf("%s: %s -> %s\n", filepath.Base(input), levels[before], levels[after])
		flags, err := os.ReadFile(filepath.Join(os.Args[1], strings.Split(filepath.Base(input), ".")[0]+".flags"))
		check(err)
		if strings.Contains(string(flags), "--out /") || strings.Contains(string(flags), "--out file:///") {
			// inject warns of it: a directory of the node is a hostPath.
			fmt.Println("  not compared: --out names a directory of the node")
		} else if after < before {
			fmt.Println("  refused:", reason)
			failed = true
		}
		if levels[after] == api.LevelRestricted {
			restricted++
		}
	}
	if failed || restricted == 0 {
		os.Exit(1)
	}
}
