package git

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Writer takes the files of a commit. Paths are as the commit has them: it is
// the writer that keeps hostile ones inside.
type Writer interface {
	Folder(path string) error
	File(path string, exec bool, content io.Reader) error
	Link(path, target string) error
}

// Limits of a tree, as of an image's layer.
const (
	maxEntries = 5_000_000
	maxTarget  = 4096 // bytes of a link's target
)

// Time is when a commit was made, by its committer's clock.
func (c *Client) Time(ctx context.Context, dir, commit string) (time.Time, error) {
	out, err := c.run(ctx, "", "read a commit of", "--git-dir="+dir, "cat-file", "commit", commit)
	if err != nil {
		return time.Time{}, err
	}
	for line := range strings.Lines(string(out)) {
		if line == "\n" {
			break // the message begins
		}
		who, ok := strings.CutPrefix(line, "committer ")
		if !ok {
			continue
		}
		fields := strings.Fields(who[strings.LastIndexByte(who, '>')+1:])
		if len(fields) > 0 {
			if s, err := strconv.ParseInt(fields[0], 10, 64); err == nil && s >= 0 && s < 1<<35 {
				return time.Unix(s, 0).UTC(), nil
			}
		}
	}
	return time.Unix(0, 0).UTC(), nil // a commit of some odd tool, without a time
}

// entry is a line of a tree.
type entry struct{ mode, id, path string }

// Checkout writes the files of a commit: its blobs byte by byte, whatever its
// attributes say of line ends, filters, substitution or export. A submodule is
// an empty folder; their paths are returned. A pointer of a large file that is
// stored elsewhere stays a pointer.
func (c *Client) Checkout(ctx context.Context, dir, commit string, w Writer) (submodules []string, err error) {
	entries, err := c.list(ctx, dir, commit)
	if err != nil {
		return nil, err
	}
	var blobs []entry
	for _, e := range entries {
		switch e.mode {
		case "040000":
			err = w.Folder(e.path)
		case "160000":
			submodules = append(submodules, e.path)
			err = w.Folder(e.path)
		case "100644", "100664", "100755", "120000":
			blobs = append(blobs, e)
		default:
			err = fmt.Errorf("%s has the mode %s, which no file has", e.path, e.mode)
		}
		if err != nil {
			return nil, fmt.Errorf("commit %s: %w", commit, err)
		}
	}
	if err := c.blobs(ctx, dir, blobs, w); err != nil {
		return nil, fmt.Errorf("commit %s: %w", commit, err)
	}
	return submodules, nil
}

// list reads the whole tree, folders before what is in them.
func (c *Client) list(ctx context.Context, dir, commit string) ([]entry, error) {
	out, err := c.run(ctx, "", "read a tree of", "--git-dir="+dir, "ls-tree", "-r", "-t", "-z", "--full-tree", commit)
	if err != nil {
		return nil, err
	}
	var entries []entry
	for line := range strings.SplitSeq(string(out), "\x00") {
		if line == "" {
			continue
		}
		head, path, ok := strings.Cut(line, "\t")
		fields := strings.Fields(head)
		if !ok || len(fields) != 3 || !IsCommit(fields[2]) {
			return nil, fmt.Errorf("git lists %q, which is no line of a tree", line)
		}
		if len(entries) == maxEntries {
			return nil, fmt.Errorf("commit %s has more than %d files", commit, maxEntries)
		}
		entries = append(entries, entry{fields[0], fields[2], path})
	}
	return entries, nil
}

// blobs asks one git for all contents, in order.
func (c *Client) blobs(ctx context.Context, dir string, entries []entry, w Writer) error {
	if len(entries) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd, err := c.command(ctx, "", "--git-dir="+dir, "cat-file", "--batch", "--buffer")
	if err != nil {
		return err
	}
	var ids, errs bytes.Buffer
	for _, e := range entries {
		ids.WriteString(e.id + "\n")
	}
	cmd.Stdin, cmd.Stderr = &ids, &limited{w: &errs, left: maxMessage}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run git: %w", err)
	}
	err = write(bufio.NewReaderSize(out, 128<<10), entries, w)
	if err != nil {
		cancel() // it would wait for a reader
		_ = cmd.Wait()
		return err
	}
	if err := cmd.Wait(); err != nil {
		return &Error{URL: dir, Action: "read the files of", Reason: reason(errs.String(), err)}
	}
	return nil
}

// write takes the answers of `cat-file --batch`: "<id> blob <size>", the
// content, a newline.
func write(r *bufio.Reader, entries []entry, w Writer) error {
	for _, e := range entries {
		head, err := r.ReadString('\n')
		if err != nil {
			return fmt.Errorf("read %s: %w", e.path, noEnd(err))
		}
		fields := strings.Fields(head)
		if len(fields) != 3 || fields[0] != e.id || fields[1] != "blob" {
			return fmt.Errorf("read %s: git answers %q", e.path, strings.TrimSpace(head))
		}
		size, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return fmt.Errorf("read %s: git answers %q", e.path, strings.TrimSpace(head))
		}
		content := &io.LimitedReader{R: r, N: size}
		if e.mode == "120000" {
			err = writeLink(e.path, content, size, w)
		} else {
			err = w.File(e.path, e.mode == "100755", content)
		}
		if err != nil {
			return err
		}
		if content.N > 0 {
			return fmt.Errorf("read %s: %w", e.path, io.ErrUnexpectedEOF)
		}
		if _, err := r.Discard(1); err != nil {
			return fmt.Errorf("read %s: %w", e.path, noEnd(err))
		}
	}
	return nil
}

func writeLink(path string, content io.Reader, size int64, w Writer) error {
	if size > maxTarget {
		return fmt.Errorf("the link %s has a target of %d bytes", path, size)
	}
	target, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	return w.Link(path, string(target))
}

func noEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
