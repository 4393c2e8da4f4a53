package lsp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxMessage bounds one message: a file of the largest size that is read,
// with every byte of it escaped, and some room.
const maxMessage = 64 << 20

// The codes of JSON-RPC 2.0 and of the protocol that are answered here.
const (
	codeParse          = -32700
	codeInvalidRequest = -32600
	codeNoMethod       = -32601
	codeInvalidParams  = -32602
	codeInternal       = -32603
	codeNotInitialized = -32002
	codeCancelled      = -32800
)

// message is what comes in: a request has an ID and a method, a notification
// a method, an answer to one of ours an ID.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

// isRequest reports whether the other side waits for an answer.
func (m message) isRequest() bool { return m.Method != "" && len(m.ID) > 0 }

// rpcError is an error that the editor is told.
type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *rpcError) Error() string { return e.Message }

func refusef(code int, format string, args ...any) *rpcError {
	return &rpcError{code, fmt.Sprintf(format, args...)}
}

// errNotJSON is a message that was framed well: the next one can be read.
var errNotJSON = errors.New("the message is not a JSON-RPC object")

// readMessage reads one message with its header. After errNotJSON the stream
// is still in step; after any other error nothing more can be read.
func readMessage(r *bufio.Reader) (message, error) {
	n, err := readHeader(r)
	if err != nil {
		return message{}, err
	}
	// The length is not believed before the bytes are there.
	var body bytes.Buffer
	if _, err := io.CopyN(&body, r, n); err != nil {
		return message{}, fmt.Errorf("reading a message of %d bytes: %w", n, err)
	}
	var m message
	if err := json.Unmarshal(body.Bytes(), &m); err != nil {
		return message{}, errNotJSON
	}
	switch {
	case bytes.Equal(m.ID, []byte("null")):
		m.ID = nil
	case len(m.ID) > 0 && (m.ID[0] == '{' || m.ID[0] == '[' || m.ID[0] == 't' || m.ID[0] == 'f'):
		return message{}, errNotJSON // an ID is a number or a string
	}
	return m, nil
}

// readHeader reads as far as the empty line. Unknown fields are passed over,
// as the protocol asks.
func readHeader(r *bufio.Reader) (int64, error) {
	length := int64(-1)
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			if errors.Is(err, io.EOF) && first && len(line) == 0 {
				return 0, io.EOF
			}
			return 0, fmt.Errorf("reading a message's header: %w", err)
		}
		field := strings.TrimRight(string(line), "\r\n")
		if field == "" {
			break
		}
		name, value, ok := strings.Cut(field, ":")
		if !ok {
			return 0, fmt.Errorf("a message's header has the line %q", field)
		}
		if !strings.EqualFold(strings.TrimSpace(name), "Content-Length") {
			continue
		}
		if length, err = strconv.ParseInt(strings.TrimSpace(value), 10, 64); err != nil || length < 0 || length > maxMessage {
			return 0, fmt.Errorf("a message's length is %q", value)
		}
	}
	if length < 0 {
		return 0, errors.New("a message has no Content-Length")
	}
	return length, nil
}

// writeMessage frames a value. Errors of the writer mean that the editor is
// gone, which the reader notices too.
func writeMessage(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("writing a message: %w", err)
	}
	_, err = w.Write(append(fmt.Appendf(nil, "Content-Length: %d\r\n\r\n", len(body)), body...))
	return err
}

type (
	response struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Result  any             `json:"result"`
	}
	failure struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   *rpcError       `json:"error"`
	}
	notification struct {
		Version string `json:"jsonrpc"`
		Method  string `json:"method"`
		Params  any    `json:"params"`
	}
	request struct {
		Version string `json:"jsonrpc"`
		ID      string `json:"id"`
		Method  string `json:"method"`
		Params  any    `json:"params"`
	}
)
