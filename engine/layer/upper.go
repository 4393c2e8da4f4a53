package layer

import "strings"

// sparseSize and sparseShare are rule 9: a file larger than 64 MB that
// occupies less than an eighth of its size would fill the layer with zeros
// (lastlog after useradd -u 2000000000 is 580 GB).
const (
	sparseSize  = 64 << 20
	sparseShare = 8
)

// UpperOptions say how the upper directory of an overlay becomes a layer.
type UpperOptions struct {
	// Below is what the overlay had below. Without it (nil) nothing can be
	// dropped as equal, and a replaced directory becomes an opaque mark.
	Below *Tree
	// Outputs restrict the layer to changes at or below these paths, in the
	// form of Entry.Path; nil keeps all, an empty list nothing.
	Outputs []string
	// Stubs are the mount targets, and their parents, that the sandbox made
	// and the command did not ask for. They go if they are still empty.
	Stubs []string
	// UIDs and GIDs translate the machine's ids back, for a step that ran in
	// a user namespace; empty for no translation.
	UIDs, GIDs []IDRange
	// Stop, asked while files are read, ends the reading with its error; nil
	// never does. A context's Err is one.
	Stop func() error
}

// wanted reports whether a change at path is kept.
func (o *UpperOptions) wanted(path string) bool {
	if o.Outputs == nil {
		return true
	}
	for _, out := range o.Outputs {
		if path == out || under(path, out) {
			return true
		}
	}
	return false
}

// leadsTo reports whether an output is below path.
func (o *UpperOptions) leadsTo(path string) bool {
	for _, out := range o.Outputs {
		if under(out, path) {
			return true
		}
	}
	return false
}

// Xattr names of overlay come in two spaces: trusted for mounts by root,
// user for mounts with userxattr.
func overlayMark(xattrs map[string]string, name string) string {
	if v, ok := xattrs["trusted.overlay."+name]; ok {
		return v
	}
	return xattrs["user.overlay."+name]
}

func hasOverlayMark(xattrs map[string]string, name string) bool {
	_, trusted := xattrs["trusted.overlay."+name]
	_, user := xattrs["user.overlay."+name]
	return trusted || user
}

// keptXattrs gives what of a file's attributes belongs into a layer.
func keptXattrs(xattrs map[string]string) map[string]string {
	var out map[string]string
	for name, value := range xattrs {
		if !keepXattr(name) {
			continue
		}
		if out == nil {
			out = make(map[string]string)
		}
		if name == "security.capability" {
			value = plainCapability(value)
		}
		out[name] = value
	}
	return out
}

// plainCapability rewrites a capability of revision 3, which holds the root
// id of the user namespace that it was set in, to revision 2, which holds
// for the root of every container (capabilities(7), linux/capability.h).
func plainCapability(value string) string {
	const (
		rev3Len = 24
		rev2Len = 20
	)
	if len(value) != rev3Len || value[3] != 3 {
		return value
	}
	var out strings.Builder
	out.WriteString(value[:3])
	out.WriteByte(2)
	out.WriteString(value[4:rev2Len])
	return out.String()
}
