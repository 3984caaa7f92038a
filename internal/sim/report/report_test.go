package report_test

import (
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/sim/report"
)

func TestSessionsAreToldAsInATable(t *testing.T) {
	for want, r := range map[string]report.Report{
		"none":            {},
		"84 s":            {SessionMedianS: 84},
		"10 min":          {SessionMedianS: 600},
		"churn-skype.csv": {ChurnTrace: "data/churn-skype.csv"},
	} {
		if got := r.Sessions(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
