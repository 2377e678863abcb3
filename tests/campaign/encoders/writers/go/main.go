// Writes each secret with Go's standard library and the modules of tools/go.mod.
//
//	writers SECRETS DIRECTORY
//
// makes files `go-WRITER__SECRET.READER`.
package main

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base32"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"html/template"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"text/tabwriter"

	yaml3 "gopkg.in/yaml.v3"
	sigs "sigs.k8s.io/yaml"
)

type element struct {
	XMLName xml.Name `xml:"testsuite"`
	Name    string   `xml:"name,attr"`
	Out     string   `xml:"system-out"`
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func buffered(write func(*bytes.Buffer)) string {
	var out bytes.Buffer
	write(&out)
	return out.String()
}

func all(secret string) [][3]string {
	raw := []byte(secret)
	data := map[string]any{"token": secret, "list": []string{"x", secret}, "text": "a prefix of some length " + secret + " b"}
	once := string(must(json.Marshal(data)))
	return [][3]string{
		{"json", "json", once},
		{"json-indent", "json", string(must(json.MarshalIndent(data, "", "  ")))},
		{"json-twice", "json", string(must(json.Marshal(map[string]string{"Output": once})))},
		{"json-bytes", "json-base64", string(must(json.Marshal(map[string]any{"data": raw})))},
		{"quote", "go", strconv.Quote(secret)},
		{"quote-ascii", "go", fmt.Sprintf("%+q", "x "+secret)},
		{"quote-json", "json-go", string(must(json.Marshal(map[string]string{"Output": fmt.Sprintf("%q\n", secret)})))},
		{"value", "numbers", fmt.Sprintf("%v", raw)},
		{"hex", "hex", fmt.Sprintf("%x", secret)},
		{"hex-blanks", "hex", fmt.Sprintf("% x", secret)},
		{"hex-prefix", "hex-prefixed", fmt.Sprintf("%# x", secret)},
		{"syntax", "hex-prefixed", fmt.Sprintf("%#v", raw)[len("[]byte"):]},
		{"dump", "dump", hex.Dump(append([]byte("text in front "), raw...))},
		{"query", "form", url.Values{"token": {secret}, "a": {"1"}}.Encode()},
		{"path", "url", "https://example.com/" + url.PathEscape(secret)},
		{"userinfo", "url", (&url.URL{Scheme: "https", Host: "example.com", User: url.UserPassword("me", secret)}).String()},
		{"fragment", "url", (&url.URL{Scheme: "https", Host: "example.com", Path: "/x", Fragment: secret}).String()},
		{"xml", "xml", string(must(xml.MarshalIndent(element{Name: secret, Out: secret}, "", "  ")))},
		{"xml-text", "xml", "<a>" + buffered(func(out *bytes.Buffer) { _ = xml.EscapeText(out, raw) }) + "</a>"},
		{"html", "html", "<p title=\"" + html.EscapeString(secret) + "\">x</p>"},
		{"template", "html", buffered(func(out *bytes.Buffer) {
			page := template.Must(template.New("").Parse("<p title={{.}}>{{.}}</p>"))
			_ = page.Execute(out, secret)
		})},
		{"template-js", "js", "'" + template.JSEscapeString(secret) + "'"},
		{"base64", "base64", base64.StdEncoding.EncodeToString(append([]byte("user:"), raw...))},
		{"base64-raw", "base64", base64.RawURLEncoding.EncodeToString(raw)},
		{"base32", "base32", base32.StdEncoding.EncodeToString(raw)},
		{"csv", "csv", buffered(func(out *bytes.Buffer) {
			writer := csv.NewWriter(out)
			_ = writer.Write([]string{"a", secret, "b"})
			writer.Flush()
		})},
		{"slog-json", "json", buffered(func(out *bytes.Buffer) { slog.New(slog.NewJSONHandler(out, nil)).Info("x", "token", secret) })},
		{"slog-text", "go", buffered(func(out *bytes.Buffer) { slog.New(slog.NewTextHandler(out, nil)).Info("x", "token", secret) })},
		{"slog-error", "json-go", buffered(func(out *bytes.Buffer) { slog.New(slog.NewJSONHandler(out, nil)).Info("x", "err", fmt.Errorf("said %q", secret)) })},
		{"tabwriter", "text", buffered(func(out *bytes.Buffer) {
			writer := tabwriter.NewWriter(out, 0, 8, 1, ' ', 0)
			fmt.Fprintf(writer, "a\t%s\tb\n", secret)
			writer.Flush()
		})},
		{"yaml3", "yaml", string(must(yaml3.Marshal(data)))},
		{"yaml3-bytes", "numbers", string(must(yaml3.Marshal(raw)))},
		{"sigs-yaml", "yaml", string(must(sigs.Marshal(data)))},
		{"sigs-yaml-bytes", "yaml-base64", string(must(sigs.Marshal(map[string][]byte{"data": raw})))},
		{"gzip", "gzip", buffered(func(out *bytes.Buffer) {
			writer := gzip.NewWriter(out)
			_, _ = writer.Write(raw)
			_ = writer.Close()
		})},
		{"zlib", "zlib", buffered(func(out *bytes.Buffer) {
			writer := zlib.NewWriter(out)
			_, _ = writer.Write(raw)
			_ = writer.Close()
		})},
	}
}

func main() {
	var secrets map[string]string
	if err := json.Unmarshal(must(os.ReadFile(os.Args[1])), &secrets); err != nil {
		panic(err)
	}
	for name, secret := range secrets {
		for _, one := range all(secret) {
			file := filepath.Join(os.Args[2], "go-"+one[0]+"__"+name+"."+one[1])
			if err := os.WriteFile(file, []byte(one[2]), 0o644); err != nil {
				panic(err)
			}
		}
	}
}
