package locate

import "strings"

// zone is where an asker would have its servers: labels from the widest place to the narrowest,
// as in "eu/frankfurt/rack7" (design §8).
type zone struct {
	label string
	only  bool // servers elsewhere do not count
}

// match is how many labels a server's zone shares with z, from the widest on; ok is false if that
// is not enough.
func (z zone) match(server string) (shared int, ok bool) {
	if z.label == "" {
		return 0, true
	}
	wanted, has := strings.Split(z.label, "/"), strings.Split(server, "/")
	for shared < min(len(wanted), len(has)) && wanted[shared] == has[shared] {
		shared++
	}
	return shared, !z.only || shared == len(wanted)
}
