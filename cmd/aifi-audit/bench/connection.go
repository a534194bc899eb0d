package bench

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// connection is a kept-alive connection of a sender. Client, server and PostgreSQL
// share the machine: http.Client would take more than twice the time of this, nearly as
// much as the server does, where writing requests that are made beforehand, and reading
// answers with http.ReadResponse, takes about 13 µs.
type connection struct {
	address string
	conn    net.Conn // nil: nothing was sent yet
	answer  *bufio.Reader
}

// connectionTo is one to a server at http://host:port. It is made for the first request:
// a server waits for that for a few seconds only.
func connectionTo(url string) *connection {
	return &connection{address: strings.TrimPrefix(url, "http://")}
}

// send sends a request and reads the answer to its end.
func (c *connection) send(request []byte) (status int, err error) {
	response, err := c.open(request)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	if closeErr := response.Body.Close(); err == nil {
		err = closeErr
	}
	return response.StatusCode, err
}

// open sends a request; the body of the answer is to be read to its end and closed.
func (c *connection) open(request []byte) (*http.Response, error) {
	if c.conn == nil {
		conn, err := net.Dial("tcp", c.address)
		if err != nil {
			return nil, err
		}
		c.conn, c.answer = conn, bufio.NewReader(conn)
	}
	if _, err := c.conn.Write(request); err != nil {
		return nil, fmt.Errorf("sending a request: %w", err)
	}
	response, err := http.ReadResponse(c.answer, nil)
	if err != nil {
		return nil, fmt.Errorf("reading an answer: %w", err)
	}
	return response, nil
}

func (c *connection) close() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
}

// post is a webhook as it goes over the wire.
func post(webhook, token string, body []byte) []byte {
	r := make([]byte, 0, 256+len(body))
	r = append(r, "POST /api/push/"...)
	r = append(r, webhook...)
	r = append(r, " HTTP/1.1\r\nHost: audit.example.com\r\nUser-Agent: AiFi\r\nAuthorization: Bearer "...)
	r = append(r, token...)
	r = append(r, "\r\nContent-Type: application/json\r\nContent-Length: "...)
	r = strconv.AppendInt(r, int64(len(body)), 10)
	r = append(r, "\r\n\r\n"...)
	return append(r, body...)
}
