// Package locate is the machine that finds the servers of an object (JSAC §III-B,
// Fig. 3), and, as a hop of other nodes' locates, answers from the pointers that lie
// here.
//
// The paper routes one locate towards the root; here all salted keys are raced
// (design §8), and the asker gathers answers for a moment and measures the nearest
// few, because the first answer is often not the nearest copy. Whoever answers names the
// replicas nearest to the asker, by network coordinates, not those nearest to itself; and
// one neighbor in each of two circles around it is asked beside the roots, where servers close by lay
// pointers too. A server's own hop, and any other holder that asks, goes on asking others unless the
// first answer is enough. Pointers to popular objects are cached a hop further out, for messages.
//
// There are three answers: found, absent (as many roots as it takes say that they
// hold no pointer), and unknown. A pointer beats any number of votes; a refusal is
// no vote.
//
// Invariants: every request ends exactly once, at its deadline at the latest;
// replicas in an answer are of what was asked, of this network, and not withdrawn.
//
// The router may answer within the call of Route, so that the loop over the salts
// looks whether the ask is still open.
//
// Layer 5: imports routing's upcall and pointers; node wires it.
package locate
