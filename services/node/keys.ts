/**
 * Secrets of a node: one file a key, mode 0600, hexadecimal. Made once by `init`, never logged.
 *
 * sequencer: Ed25519, signs headers. oracle-bls: BLS share of a committee member. oracle-receipt:
 * Ed25519, signs receipts. oracle-salt: 32 B, salts leaves. operator-token: what the operator's
 * own commands show to the running node.
 */
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromHex, toHex } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";

export const KEY_NAMES = [
  "sequencer",
  "oracle-bls",
  "oracle-receipt",
  "oracle-salt",
  "operator-token",
] as const;
export type KeyName = (typeof KEY_NAMES)[number];
export type NodeKeys = Readonly<Record<KeyName, Uint8Array>>;

/** Writes 32 fresh random bytes for each key; refuses to touch one that exists. */
export function createKeys(directory: string): NodeKeys {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const name of KEY_NAMES) {
    writeFileSync(keyFile(directory, name), `${toHex(randomBytes(32))}\n`, {
      mode: 0o600,
      flag: "wx",
    });
  }
  return readKeys(directory);
}

/** Writes given secrets instead of fresh ones: for a demo that must be the same every time. */
export function writeKeys(directory: string, keys: NodeKeys): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const name of KEY_NAMES) {
    const file = keyFile(directory, name);
    writeFileSync(file, `${toHex(keys[name])}\n`, { mode: 0o600 });
    chmodSync(file, 0o600);
  }
}

export function readKeys(directory: string): NodeKeys {
  const entries = KEY_NAMES.map((name) => [name, readKey(keyFile(directory, name))]);
  return Object.fromEntries(entries) as NodeKeys;
}

/** Key files that others can read; `doctor` and the start both name them. */
export function looseKeyFiles(directory: string): string[] {
  return KEY_NAMES.map((name) => keyFile(directory, name)).filter((file) => {
    const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0;
    return (mode & 0o077) !== 0;
  });
}

function keyFile(directory: string, name: KeyName): string {
  return join(directory, `${name}.key`);
}

function readKey(file: string): Uint8Array {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw new GridError(
      "config_invalid",
      `${file}: key file is missing: run \`gridlane init\``,
      {
        file,
      },
      { cause },
    );
  }
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw new GridError("config_invalid", `${file}: must hold 64 hexadecimal digits`, { file });
  }
  return fromHex(text);
}
