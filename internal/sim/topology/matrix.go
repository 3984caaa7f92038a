package topology

import "time"

// maxRTT is the largest round-trip time in ms that a file may name: beyond ten
// minutes it is a slip, not a measurement.
const maxRTT = 600_000

// missing marks a pair that was not measured.
const missing = -1

// Matrix is a network of measured round-trip times.
type Matrix struct {
	hosts int
	rtt   []int32 // in µs, row by row; 0 on the diagonal
}

// LoadMatrix reads N lines of N round-trip times in ms, the row the source, the
// diagonal 0 or empty. An empty field is a pair that was not measured: the other
// direction stands for it, and if that is missing too the file is refused, for a
// delay that nobody measured must not look like one.
func LoadMatrix(path string) (*Matrix, error) {
	m := &Matrix{}
	err := readTable(path, "latency matrix", m.read)
	return m, err
}

func (m *Matrix) read(t *table) error {
	rows := 0
	for {
		fields, err := t.next()
		if err != nil {
			return err
		}
		if fields == nil {
			break
		}
		if rows == 0 {
			m.hosts = len(fields)
			m.rtt = make([]int32, 0, m.hosts*m.hosts)
		}
		if err := m.row(t, rows, fields); err != nil {
			return err
		}
		rows++
	}
	if rows != m.hosts || rows < 2 {
		return t.bad("ends after %d rows, want as many as columns (%d), and at least 2", rows, m.hosts)
	}
	return m.fill(t)
}

func (m *Matrix) row(t *table, row int, fields []string) error {
	if len(fields) != m.hosts || row == m.hosts {
		return t.bad("row %d has %d fields, want %d rows of %d", row+1, len(fields), m.hosts, m.hosts)
	}
	for col, field := range fields {
		v := int32(missing)
		if field != "" {
			ms, err := t.number(fields, col, 0, maxRTT)
			if err != nil {
				return err
			}
			v = int32(ms*1000 + 0.5)
		}
		if row == col && v > 0 {
			return t.bad("field %d is %s, want 0 on the diagonal", col+1, excerpt(field))
		}
		if row == col {
			v = 0
		}
		m.rtt = append(m.rtt, v)
	}
	return nil
}

// fill puts the other direction where one is missing.
func (m *Matrix) fill(t *table) error {
	for a := range m.hosts {
		for b := range m.hosts {
			if m.rtt[a*m.hosts+b] != missing {
				continue
			}
			back := m.rtt[b*m.hosts+a]
			if back == missing {
				t.line = a + 1
				return t.bad("field %d is empty, and so is field %d of line %d: want one of the two measured", b+1, a+1, b+1)
			}
			m.rtt[a*m.hosts+b] = back
		}
	}
	return nil
}

// Hosts returns the number of rows.
func (m *Matrix) Hosts() int { return m.hosts }

// OneWay is half the round trip that a measured.
func (m *Matrix) OneWay(a, b int) time.Duration {
	return time.Duration(m.rtt[a*m.hosts+b]) * (time.Microsecond / 2)
}
