package local

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestMaskHidesSecretsOverPieces(t *testing.T) {
	t.Parallel()
	secret := "s3cr3t-value"
	for _, shown := range []string{
		secret,
		base64.StdEncoding.EncodeToString([]byte(secret)),
		"733363723374" + "2d76616c7565",
	} {
		text := "before " + shown + " after " + shown
		for size := 1; size <= len(text); size++ {
			m := newMasker([][]byte{[]byte(secret)})
			var got strings.Builder
			for i := 0; i < len(text); i += size {
				got.WriteString(m.mask(text[i:min(i+size, len(text))]))
			}
			got.WriteString(m.flush())
			if got.String() != "before *** after ***" {
				t.Fatalf("in pieces of %d: %q", size, got.String())
			}
		}
	}
}

func TestMaskLeavesTheRest(t *testing.T) {
	t.Parallel()
	m := newMasker([][]byte{[]byte("abc"), []byte("longer-one")})
	if got := m.mask("abc lon") + m.mask("g way") + m.flush(); got != "abc long way" {
		t.Errorf("got %q: a short value is not hidden, the beginning of one is not lost", got)
	}
}
