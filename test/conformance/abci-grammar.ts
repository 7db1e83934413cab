/**
 * The order of ABCI calls as a small automaton, after `spec/abci` of CometBFT v0.38 and the
 * stricter grammar of its v1.0.1 (`test/e2e/pkg/grammar`), without vote extensions:
 *
 *   boot   = info [initChain] height*      ; initChain exactly where info reported height 0
 *          | info [initChain] try* good info height*            ; state sync, from height 0 alone
 *   try    = offerSnapshot applySnapshotChunk*                  ; refused, or given up
 *   good   = offerSnapshot applySnapshotChunk+                  ; info then reports its height
 *   height = round* finalizeBlock commit   ; no round: replay or catch-up
 *   round  = prepareProposal [processProposal] | processProposal
 *
 * A log is boots one after another, each cut anywhere by a crash. checkTx, query and an info that
 * somebody asked for in between may come at any time and are no part of it.
 */

/** One call; a boot is marked by the driver before the first call of a new instance. */
export type AbciCall =
  | { readonly call: "boot" }
  | { readonly call: "info"; readonly height: number }
  | { readonly call: "initChain" | "prepareProposal" | "processProposal" | "commit" }
  | { readonly call: "offerSnapshot" | "applySnapshotChunk" }
  | { readonly call: "finalizeBlock"; readonly height: number };

type State = {
  readonly at: "down" | "booted" | "fresh" | "rounds" | "prepared" | "finalized" | Syncing;
  readonly height: number; // last height committed, as far as the log tells
  readonly finalized: number;
};

type Syncing = "offered" | "restoring";

/** The first call that the grammar does not allow, or null. */
export function grammarFault(log: readonly AbciCall[]): string | null {
  let state: State = { at: "down", height: 0, finalized: 0 };
  for (const [i, call] of log.entries()) {
    const next = step(state, call);
    if (next === null) return `call ${i}: ${call.call} while ${state.at}`;
    state = next;
  }
  return null;
}

function step(state: State, call: AbciCall): State | null {
  const open = state.at === "rounds" || state.at === "prepared";
  switch (call.call) {
    case "boot":
      return { ...state, at: "booted" };
    case "info":
      // The height that a restore led to; before its last chunk it is still 0.
      if (state.at === "restoring" && call.height > 0) {
        return { ...state, at: "rounds", height: call.height };
      }
      if (state.at !== "booted") return state.at === "down" ? null : state;
      return { ...state, at: call.height === 0 ? "fresh" : "rounds", height: call.height };
    case "initChain":
      return state.at === "fresh" ? { ...state, at: "rounds" } : null;
    case "offerSnapshot": {
      const isSyncing = state.at === "offered" || state.at === "restoring";
      const isEmpty = state.at === "fresh" || (state.at === "rounds" && state.height === 0);
      return isSyncing || isEmpty ? { ...state, at: "offered" } : null;
    }
    case "applySnapshotChunk":
      if (state.at !== "offered" && state.at !== "restoring") return null;
      return { ...state, at: "restoring" };
    case "prepareProposal":
      return open ? { ...state, at: "prepared" } : null;
    case "processProposal":
      return open ? { ...state, at: "rounds" } : null;
    case "finalizeBlock":
      if (!open || call.height !== state.height + 1) return null;
      return { ...state, at: "finalized", finalized: call.height };
    case "commit":
      return state.at === "finalized" ? { ...state, at: "rounds", height: state.finalized } : null;
  }
}
