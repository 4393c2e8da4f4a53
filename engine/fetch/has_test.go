package fetch_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/engine/fetch"
)

// A file is there if one mirror has it, in the size that it must have; it is
// not fetched.
func TestHas(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead {
			t.Errorf("%s %s: the file is fetched", r.Method, r.URL)
		}
		if r.URL.Path != "/there" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Length", "7")
	}))
	defer s.Close()
	c := fetch.New(fetch.Options{})
	defer c.Close()
	for name, x := range map[string]struct {
		urls []string
		size int64
		want string // of the error
	}{
		"there":        {[]string{s.URL + "/there"}, 7, ""},
		"at another":   {[]string{s.URL + "/gone", s.URL + "/there"}, 7, ""},
		"gone":         {[]string{s.URL + "/gone"}, 7, "404"},
		"another size": {[]string{s.URL + "/there"}, 8, "7 bytes there, not 8"},
		"no URL":       {nil, 7, "no"},
		"no server":    {[]string{"http://127.0.0.1:1/there"}, 7, "refused"},
	} {
		err := c.Has(t.Context(), x.urls, x.size)
		if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %q", name, err, x.want)
		}
	}
}
