package envtest

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// ValidateNamesFields takes each field of a valid configuration in turn, makes it
// senseless, and demands that Validate names it: a number becomes −1, what is
// required becomes zero. A field of which everything makes sense is free.
func ValidateNamesFields[C interface{ Validate() error }](t testing.TB, valid C, free ...string) {
	t.Helper()
	if err := valid.Validate(); err != nil {
		t.Fatalf("valid configuration: %v", err)
	}
	kind := reflect.TypeFor[C]()
	for i := range kind.NumField() {
		name := kind.Field(i).Name
		if slices.Contains(free, name) {
			continue
		}
		bad := reflect.New(kind).Elem()
		bad.Set(reflect.ValueOf(valid))
		if f := bad.Field(i); f.CanInt() {
			f.SetInt(-1)
		} else {
			f.SetZero()
		}
		err := bad.Interface().(C).Validate()
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s = %v: %v", name, bad.Field(i), err)
		}
	}
}
