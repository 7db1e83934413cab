/**
 * Two kinds of failure. A bug breaks an invariant and stops the process (`InvariantError`). A
 * refusal is an expected answer and is a value (codes in `wire/refusals.ts`). Only an edge (config,
 * API, CLI, MQTT, disk) throws, and what it throws is a `GridError` with a code and its facts.
 */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** Throws if the program, not its input, is wrong. `message` is a literal, so success is free. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Every edge error: a stable code and the facts needed to act on it. Append only. */
export type EdgeErrors = {
  argument_invalid: { readonly argument: string; readonly value: string };
  bytes_malformed: { readonly what: string; readonly offset: number };
  config_invalid: { readonly file: string };
  file_unreadable: { readonly file: string };
  port_in_use: { readonly host: string; readonly port: number };
  database_locked: { readonly directory: string };
  database_corrupt: { readonly directory: string; readonly what: string };
  disk_full: { readonly directory: string };
  permission_denied: { readonly path: string };
  broker_unreachable: { readonly url: string };
  node_unreachable: { readonly url: string };
  request_refused: { readonly url: string; readonly code: string };
  genesis_mismatch: { readonly expected: string; readonly found: string };
  block_rejected: { readonly height: number; readonly reason: string };
  replay_invalid: { readonly file: string; readonly line: number; readonly column?: string };
  stopped: { readonly what: string };
  resource_unknown: { readonly what: string; readonly value: string };
  request_malformed: { readonly what: string };
  request_oversized: { readonly bytesMax: number };
  method_unsupported: { readonly method: string; readonly allowed: string };
  media_type_unsupported: { readonly expected: string };
  unauthenticated: { readonly needs: string };
  pairing_invalid: { readonly what: string };
  attempts_exceeded: { readonly retryAfterS: number };
  group_small: { readonly what: string; readonly metersMin: number };
  capacity_exceeded: { readonly what: string; readonly max: number };
  queue_full: { readonly what: string; readonly max: number };
  oracle_key_unknown: { readonly publicKey: string };
  upgrade_required: { readonly version: number; readonly height: number };
  answer_malformed: { readonly url: string; readonly what: string };
  blocks_pruned: { readonly name: string; readonly base: number };
  head_moving: { readonly name: string; readonly passes: number };
  telegram_refused: { readonly format: string; readonly reason: string; readonly what: string };
  store_outdated: { readonly directory: string; readonly have: number; readonly need: number };
  snapshot_invalid: { readonly height: number; readonly what: string };
};

/** Thrown at an edge only. `message` is one sentence a person can act on, without a stack. */
export class GridError<Code extends keyof EdgeErrors = keyof EdgeErrors> extends Error {
  override readonly name = "GridError";
  readonly code: Code;
  readonly facts: EdgeErrors[Code];
  constructor(code: Code, message: string, facts: EdgeErrors[Code], options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.facts = facts;
  }
}
