// Command greeter greets whoever asks over HTTP.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"
)

var version = "unknown" // set by the linker

func main() {
	addr := flag.String("listen", ":8080", "address to serve on")
	check := flag.Bool("check", false, "ask the running service whether it is well")
	showVersion := flag.Bool("version", false, "print the version")
	flag.Parse()

	switch {
	case *showVersion:
		fmt.Println("greeter", version)
	case *check:
		os.Exit(probe("http://127.0.0.1" + *addr + "/healthz"))
	default:
		if err := serve(*addr); err != nil {
			fmt.Fprintln(os.Stderr, "greeter:", err)
			os.Exit(1)
		}
	}
}

func serve(addr string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello, %s!\n", r.PathValue("name"))
	})
	server := &http.Server{Addr: addr, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	return server.ListenAndServe()
}

func probe(url string) int {
	client := http.Client{Timeout: 2 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		fmt.Fprintln(os.Stderr, "greeter:", err)
		return 1
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 1
	}
	return 0
}
