package heartbeat

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Warm opens a link of known length without asking: a simulated overlay may begin
// settled. Membership says in the same step what it is used for, and the world tells the
// other side. There must be room.
func (m *Monitor) Warm(id idspace.ID, rtt time.Duration) {
	m.open = true
	m.failures = failures{watching: true, since: mono.Time(-time.Hour)} // it has watched for long
	m.period, m.paced = m.cfg.Slowest, m.cfg.Slowest
	m.links.SetLifetime(time.Hour)
	m.watch(id).life = lives * m.period
	l := m.links.Open(id)
	l.Asked = wire.Use_USE_SPARE
	for range 8 { // enough for the variation to settle (RFC 6298: a quarter less each)
		m.links.Sample(id, rtt)
	}
}
