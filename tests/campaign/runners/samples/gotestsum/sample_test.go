package sample

import (
	"os"
	"testing"
	"time"
)

func TestFirst(t *testing.T) {}

func TestSecond(t *testing.T) {
	os.WriteFile(os.Getenv("REACHED"), nil, 0o644)
	time.Sleep(time.Minute)
	os.WriteFile(os.Getenv("FINISHED"), nil, 0o644)
}
