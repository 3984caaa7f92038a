package topology

// unconnected is longer than any path, and two of it still fit.
const unconnected = 1 << 29

// graph holds the delays between a few routers in µs.
type graph [][]int32

func newGraph(routers int) graph {
	g := make(graph, routers)
	for i := range g {
		g[i] = make([]int32, routers)
		for j := range g[i] {
			if i != j {
				g[i][j] = unconnected
			}
		}
	}
	return g
}

// connect draws a line between two routers; the shorter of two lines stays.
func (g graph) connect(a, b int, us int32) {
	if a != b && us < g[a][b] {
		g[a][b], g[b][a] = us, us
	}
}

// shorten replaces every line by the shortest path (Floyd and Warshall).
func (g graph) shorten() {
	for via := range g {
		for a := range g {
			for b := range g {
				g[a][b] = min(g[a][b], g[a][via]+g[via][b])
			}
		}
	}
}
