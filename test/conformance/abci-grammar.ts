/**
 * The order of ABCI calls as a small automaton, after `spec/abci` of CometBFT v0.38 and the
 * stricter grammar of its v1.0.1 (`test/e2e/pkg/grammar`), without state sync and vote extensions:
 *
 *   boot   = info [initChain] height*      ; initChain exactly where info reported height 0
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
  | { readonly call: "finalizeBlock"; readonly height: number };

type State = {
  readonly at: "down" | "booted" | "fresh" | "rounds" | "prepared" | "finalized";
  readonly height: number; // last height committed, as far as the log tells
  readonly finalized: number;
};

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
      if (state.at !== "booted") return state.at === "down" ? null : state;
      return { ...state, at: call.height === 0 ? "fresh" : "rounds", height: call.height };
    case "initChain":
      return state.at === "fresh" ? { ...state, at: "rounds" } : null;
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
