package topology

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
)

// maxLine bounds one line of a file: a row of a matrix of 100 000 hosts.
const maxLine = 1 << 20

// table reads the lines of one CSV file and knows which it is at.
type table struct {
	path  string
	line  int
	lines *bufio.Scanner
}

// readTable opens path and has read take its lines one by one.
func readTable(path, what string, read func(*table) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer f.Close()
	t := &table{path: path}
	plain, err := unzip(f)
	if err != nil {
		return fmt.Errorf("%s:1: %v, want %s as CSV, plain or gzip", path, err, what)
	}
	t.lines = bufio.NewScanner(plain)
	t.lines.Buffer(nil, maxLine)
	return read(t)
}

func unzip(f io.Reader) (io.Reader, error) {
	b := bufio.NewReader(f)
	magic, err := b.Peek(2)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return b, nil
	}
	return gzip.NewReader(b)
}

// next returns the fields of the next line that is not empty; none at the end.
func (t *table) next() ([]string, error) {
	for t.lines.Scan() {
		t.line++
		if text := t.lines.Text(); text != "" {
			return strings.Split(text, ","), nil
		}
	}
	t.line++
	switch err := t.lines.Err(); {
	case err == nil:
		return nil, nil
	case errors.Is(err, bufio.ErrTooLong):
		return nil, t.bad("longer than %d bytes", maxLine)
	default:
		return nil, t.bad("%v, want a whole file", err)
	}
}

// header takes the first line, which must be want.
func (t *table) header(want string) error {
	fields, err := t.next()
	if err == nil && strings.Join(fields, ",") != want {
		return t.bad("header is %s, want %q", excerpt(strings.Join(fields, ",")), want)
	}
	return err
}

// bad is the one line that says what is wrong with the line at hand.
func (t *table) bad(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", t.path, t.line, fmt.Sprintf(format, args...))
}

// number reads field i as a number from low to high.
func (t *table) number(fields []string, i int, low, high float64) (float64, error) {
	v, err := strconv.ParseFloat(fields[i], 64)
	if err != nil || math.IsNaN(v) || v < low || v > high {
		return 0, t.bad("field %d is %s, want a number from %g to %g", i+1, excerpt(fields[i]), low, high)
	}
	return v, nil
}

// excerpt quotes what a file says, cut to what fits in a line.
func excerpt(s string) string {
	if len(s) > 40 {
		return strconv.Quote(s[:40]) + "…"
	}
	return strconv.Quote(s)
}
