package archtest

import "fmt"

// imports: strictly down, never sideways (design §4). A folder that is in no row
// of the table is a finding too, so that a new room has to be given its layer.
func imports(t *Tree) (found []Finding) {
	for _, d := range t.Folders {
		if !d.Known {
			found = append(found, Finding{Path: d.Files[0].Path, Line: 1,
				Text: fmt.Sprintf("folder %s has no layer: give it one in internal/archtest/rooms.go", d.Path)})
		}
	}
	t.production(func(d *Folder, f *File) {
		for _, spec := range f.Imports {
			folder, ok := t.local(unquote(spec.Path))
			if !ok {
				continue
			}
			to, known := RoomOf(folder)
			if why := d.Room.mayImport(to); known && why != "" {
				found = append(found, t.find(f, spec, "%s imports %s, which %s", d.Room.Path, folder, why))
			}
		}
	})
	return found
}

// goMod: what users get is what we test, so nothing is replaced.
func goMod(t *Tree) (found []Finding) {
	for _, text := range t.Texts {
		if text.Path != "go.mod" {
			continue
		}
		for i, line := range text.Lines {
			if hasWord(line, "replace") {
				found = append(found, Finding{Path: text.Path, Line: i + 1, Text: "replace"})
			}
		}
	}
	return found
}
