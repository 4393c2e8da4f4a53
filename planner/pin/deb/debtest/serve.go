package debtest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
)

// Server serves an archive's folder on loopback and remembers what was asked
// for.
type Server struct {
	URL  string // without a slash at the end
	http *httptest.Server

	mu   sync.Mutex
	seen []string
}

// Serve starts a server; the caller closes it. wrap, which may be nil, stands
// before the files: faults are put there.
func Serve(dir string, wrap func(files http.Handler) http.Handler) *Server {
	s := &Server{}
	h := http.FileServer(http.Dir(dir))
	if wrap != nil {
		h = wrap(h)
	}
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen = append(s.seen, r.URL.Path)
		s.mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	s.URL = s.http.URL
	return s
}

// Close stops the server.
func (s *Server) Close() { s.http.Close() }

// Requests is how many requests there were whose path contains part.
func (s *Server) Requests(part string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(s.seen), func(path string) bool { return !strings.Contains(path, part) }))
}
