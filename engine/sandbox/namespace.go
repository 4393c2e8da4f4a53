package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Within is the map for the commands of a program that is itself in a
// namespace of m, as [Reenter] makes one: the ids of m, each as itself.
func (m IDMap) Within() IDMap {
	same := func(ranges []IDRange) (out []IDRange) {
		// A line of a map must not reach over two of the namespace around it.
		for _, r := range ranges {
			out = append(out, IDRange{r.Inside, r.Inside, r.Count})
		}
		return out
	}
	return IDMap{Kind: IDMapRanges, UIDs: same(m.UIDs), GIDs: same(m.GIDs), Owners: m.owners()}
}

// owners names what the ids of a map are on the disk. It is short, since it
// becomes part of the paths that overlay is mounted with.
func (m IDMap) owners() string {
	sum := sha256.Sum256([]byte(fmt.Sprint(m.UIDs, m.GIDs)))
	return "sub-" + hex.EncodeToString(sum[:4])
}
