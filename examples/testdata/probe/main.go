// Command probe is started inside a finished image, with the image's own
// command as its arguments and its own loopback interface. It starts the
// command, fetches pages from it, and stops it.
//
//	probe http://127.0.0.1:8080/ http://127.0.0.1:8080/x -- /usr/sbin/nginx …
//
// Each page is printed as "STATUS URL", its body, and endOfPage. The command
// prints to standard error.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// endOfPage ends each page; the test splits at it.
const endOfPage = "\n-- end of page --\n"

// patience is how long a service may take to answer or to stop, also in an
// emulator on a busy machine.
const patience = 30 * time.Second

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func run(args []string) (err error) {
	border := slices.Index(args, "--")
	if border < 1 || border == len(args)-1 {
		return errors.New("usage: probe URL… -- COMMAND ARG…")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	service := exec.CommandContext(ctx, args[border+1], args[border+2:]...)
	service.Stdout, service.Stderr = os.Stderr, os.Stderr
	if err := service.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- service.Wait(); cancel() }()
	for _, url := range args[:border] {
		if err := fetch(ctx, url); err != nil {
			return fmt.Errorf("%w (the service: %v)", err, service.ProcessState)
		}
	}
	if err := service.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("the service is gone after its last page: %w", err)
	}
	<-ended // by SIGTERM or with any status: a page that came is what counts
	return nil
}

// fetch prints one page, as soon as the service listens.
func fetch(ctx context.Context, url string) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		switch {
		case err == nil:
			defer resp.Body.Close()
			fmt.Println(resp.StatusCode, url)
			_, err = io.Copy(os.Stdout, resp.Body)
			fmt.Print(endOfPage)
			return err
		case !errors.Is(err, syscall.ECONNREFUSED):
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: nobody listens: %w", url, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
