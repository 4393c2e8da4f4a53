package fetch

import (
	"context"
	"fmt"
	"net/http"
)

// Has asks whether a file of a size, in bytes, can be had from one of the
// mirrors, without fetching it. The error says what each of them answered.
func (c *Client) Has(ctx context.Context, urls []string, size int64) error {
	failed := &Error{}
	for _, url := range urls {
		err := c.head(ctx, url, size)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("ask for %s: %w", url, ctx.Err())
		}
		failed.Attempts = append(failed.Attempts, Attempt{url, err})
	}
	return failed
}

func (c *Client) head(ctx context.Context, url string, size int64) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", c.opt.UserAgent)
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answered %s", resp.Status)
	}
	if resp.ContentLength >= 0 && resp.ContentLength != size {
		return fmt.Errorf("the file has %d bytes there, not %d", resp.ContentLength, size)
	}
	return nil
}
