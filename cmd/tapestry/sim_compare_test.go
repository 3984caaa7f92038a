package main

import (
	"fmt"
	"testing"
)

// TestOnlyAllIsAHundredPercent, however many decimals there are.
func TestOnlyAllIsAHundredPercent(t *testing.T) {
	for _, c := range []struct {
		share    float64
		decimals int
		want     string
	}{
		{1, 2, "100.00"}, {0.999999, 2, "99.99"}, {0.99995, 3, "99.995"}, {0.9999, 3, "99.990"},
		{0.9999999, 3, "99.999"}, {0, 3, "0.000"},
	} {
		if got := fmt.Sprintf("%.*f", c.decimals, inPercent(c.share, c.decimals)); got != c.want {
			t.Errorf("%v to %d decimals: %s, want %s", c.share, c.decimals, got, c.want)
		}
	}
}
