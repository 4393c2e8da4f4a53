package spec

import (
	"strings"
	"testing"
)

// TestWritten holds where a block ends as it is written, and what is not said
// to have an end.
func TestWritten(t *testing.T) {
	t.Parallel()
	dir := tree(t, `
-- hcl/image.hcl --
image "i" {
  from = scratch
  run {
    script = "a }" # }
    mount "tmpfs" {
      target = "/t"
    }
  }
  dynamic "run" {
    for_each = ["x"]
    content {
      command = ["/x"]
    }
  }
}
-- yaml/image.yaml --
image:
  i:
    from: scratch
    steps:
      - run:
          script: |
            a
            # of the script

      # of the next
      - run: {command: [b, c]}
  j: {from: scratch, steps: [{run: {command: [d]}}]}
`)
	for _, c := range []struct {
		folder, image string
		step          int
		want, names   string // of the block; empty: it has no end that is known
	}{
		{"hcl", "i", 0, "run {\n    script = \"a }\" # }\n    mount \"tmpfs\" {\n      target = \"/t\"\n    }\n  }", "mount script"},
		{"hcl", "i", 1, "", ""},
		{"yaml", "i", 0, "run:\n          script: |\n            a\n            # of the script", "script"},
		{"yaml", "i", 1, "run: {command: [b, c]}", "command"},
		{"yaml", "j", 0, "", ""},
	} {
		s := mustLoad(t, Options{Dir: dir, Args: []string{c.folder}})
		for _, img := range s.Images {
			if img.Addr.Name != c.image {
				continue
			}
			body, l := s.At(img.Addr, amd64)
			if body == nil {
				t.Fatal(l)
			}
			w, ok := s.Written(body.Steps[c.step].Where())
			if !ok {
				if c.want != "" {
					t.Errorf("step %d of %s/%s has no end", c.step, c.folder, c.image)
				}
				continue
			}
			got := string(s.Files[w.Range.File][w.Range.Start.Byte:w.Range.End.Byte])
			if got != c.want || strings.Join(w.Names, " ") != c.names {
				t.Errorf("step %d of %s/%s is %q with %v", c.step, c.folder, c.image, got, w.Names)
			}
		}
	}
}
