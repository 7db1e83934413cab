/**
 * The grammar of calls that ordering owes an application (CometBFT, abci++_comet_expected_behavior
 * and e2e/pkg/grammar), as a regular expression over one letter per call. A crash may cut a log
 * anywhere, so every prefix is accepted. Info may come at any time; the first call is one.
 */
const LETTER: Readonly<Record<string, string>> = {
  Info: "",
  InitChain: "N",
  Prepare: "P",
  Process: "R",
  FinalizeBlock: "F",
  Commit: "C",
};

/** log = [InitChain] height*; height = (Prepare [Process])* FinalizeBlock Commit */
const LOG = /^N?((PR?)*FC)*(PR?)*F?$/;

export function obeysGrammar(calls: readonly string[]): boolean {
  if (calls.length === 0) return true;
  if (calls[0] !== "Info") return false;
  return LOG.test(calls.map((call) => LETTER[call] ?? "?").join(""));
}
