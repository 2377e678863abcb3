package suite

import (
	"os"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2"
)

func TestSuite(t *testing.T) { ginkgo.RunSpecs(t, "sample") }

var _ = ginkgo.It("first", func() {})

var _ = ginkgo.It("second", func(ctx ginkgo.SpecContext) {
	os.WriteFile(os.Getenv("REACHED"), nil, 0o644)
	select {
	case <-ctx.Done():
	case <-time.After(time.Minute):
		os.WriteFile(os.Getenv("FINISHED"), nil, 0o644)
	}
})
