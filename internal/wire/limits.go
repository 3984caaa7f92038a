package wire

// Limits of what a peer may send (docs/protocol.md §3.2). A message beyond one is refused whole.
const (
	MaxFrame   = 256 << 10 // bytes of a frame, its length prefix aside
	MaxPayload = 64 << 10  // bytes of an application's payload, or of its reply
	MaxHops    = 32        // nodes on the path of a routed envelope
	MaxRefs    = 256       // short references in one message
	MaxDead    = 8         // short references to the dead in one message
	MaxRecords = 64        // signed records in one message
	MaxRecord  = 4 << 10   // bytes of one signed record
	MaxAddrs   = 24        // addresses in a node record
	MaxApp     = 128       // bytes of an application's name
	MaxNetwork = 64        // bytes of a network's name
	MaxZone    = 128       // bytes of a zone label
	MaxError   = 1 << 10   // bytes of an application's error text
	MaxExclude = 4         // nodes that a routed envelope asks to ignore
	MaxRoots   = 16        // salts of an object
	MaxFound   = 16        // replicas in one answer

	MaxBranches = 2048  // branches in one message, or names of such
	MaxPrints   = 8192  // prints of pointers in one message
	MaxLaid     = 256   // pointers in one deposit, beside those in parts
	MaxParts    = 64    // parts of batches in one deposit
	MaxDoors    = 8     // neighbors of a server by which it is reached
	MaxItems    = 12288 // objects and hashes in one list of a batch; so many fit into a frame

	MaxWitnesses = 3 // nodes that a question about a hole visits
	MaxNamed     = 4 // nodes in the answer to it
)
