// Package history judges what was answered about objects by what had happened to them,
// as a checker of linearizability does (porcupine, after Wing & Gong and Lowe): of each
// object there is a model, and an answer is right if there is a moment between the
// question and the answer at which the model would have given it.
//
// The model of an object says of each server whether it is none, publishing, published
// or fading. What happens to a server is one moment; a question and its answer are an
// interval:
//
//	begun      none, fading → publishing    it may be found
//	done       publishing → published       the object must not be called absent
//	ending     any → fading                 it was withdrawn, leaves or has crashed
//	gone       any → none                   it must not be found any more
//	found      right if the server is not none
//	absent     right if no server is published that the asker could reach throughout
//
// An answer that names several servers is right if it is right of each by itself, for
// they come from different roots. How long fading may last is for the caller to say.
//
// Invariants: answers change nothing, so that each is judged by itself in the end.
//
// Layer 7, part of the room internal/sim: imports idspace.
package history
