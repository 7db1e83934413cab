/**
 * OCMF records out of a file: plain ones, or the XML of the S.A.F.E. transparency software, where
 * each value carries a record and often its public key. Not an XML reader: three tags are looked
 * for, nothing is resolved, included or executed, and what looks like anything else is text.
 */
import { fromHex, fromUtf8, utf8 } from "../../primitives/bytes.ts";
import { GridError } from "../../primitives/errors.ts";
import { OCMF_FILE_BYTES_MAX } from "../../primitives/limits.ts";
import { refuse } from "./telegram.ts";

export type OcmfFileRecord = {
  readonly record: Uint8Array;
  readonly publicKey: Uint8Array | null; // SubjectPublicKeyInfo, DER, as the file claims it
};

/** @throws GridError telegram_refused */
export function ocmfRecordsOf(file: Uint8Array): readonly OcmfFileRecord[] {
  if (file.length > OCMF_FILE_BYTES_MAX) return refuse("ocmf", "oversized", `${file.length} B`);
  let text: string;
  try {
    text = fromUtf8(file);
  } catch {
    return refuse("ocmf", "malformed", "a file that is no UTF-8");
  }
  const body = text.trimStart().replace(/^\ufeff/, "");
  if (body.startsWith("<")) return xmlRecords(body);
  // Blanks of one line only: over line ends a file of nothing else would take a square of its size.
  const starts = [...text.matchAll(/(?:^|\n)[^\S\n]*(?=OCMF\|)/g)].map(({ index }) => index);
  if (starts.length === 0) return refuse("ocmf", "unsupported", "no record that begins with OCMF|");
  return starts.map((start, i) => ({
    record: utf8(text.slice(start, starts[i + 1]).trim()),
    publicKey: null,
  }));
}

function xmlRecords(text: string): readonly OcmfFileRecord[] {
  const records: OcmfFileRecord[] = [];
  for (const value of elements(text, "value")) {
    const key = elements(value.content, "publicKey")[0];
    const publicKey = key === undefined ? null : keyBytes(plain(key.content));
    for (const signed of elements(value.content, "signedData")) {
      const record = decoded(plain(signed.content).trim(), signed.attributes);
      if (record !== null) records.push({ record, publicKey });
    }
  }
  return records;
}

type Element = { readonly attributes: string; readonly content: string };

/** Elements of one name that do not stand in each other. Linear in the text. */
function elements(text: string, name: string): Element[] {
  const found: Element[] = [];
  const [open, close] = [`<${name}`, `</${name}>`];
  for (let at = text.indexOf(open); at >= 0; ) {
    const after = text[at + open.length] ?? "";
    const end = text.indexOf(">", at);
    if (end < 0) break;
    if (!/[\s>]/.test(after)) {
      at = text.indexOf(open, at + open.length);
      continue;
    }
    const last = text.indexOf(close, end);
    if (last < 0) break;
    found.push({
      attributes: text.slice(at + open.length, end),
      content: text.slice(end + 1, last),
    });
    at = text.indexOf(open, last + close.length);
  }
  return found;
}

const ENTITIES: Readonly<Record<string, string>> = {
  ...{ "&quot;": '"', "&apos;": "'", "&lt;": "<", "&gt;": ">", "&amp;": "&" },
};

function plain(content: string): string {
  const section = /^\s*<!\[CDATA\[([\s\S]*?)\]\]>\s*$/.exec(content);
  if (section !== null) return section[1]!;
  return content.replace(/&(?:quot|apos|lt|gt|amp);/g, (entity) => ENTITIES[entity]!);
}

/** Null for a record of another format. */
function decoded(text: string, attributes: string): Uint8Array | null {
  if (text.startsWith("OCMF|")) return utf8(text);
  if (!/format\s*=\s*"OCMF"/i.test(attributes)) return null;
  const bytes = keyBytes(text); // the record itself in hexadecimal or base64
  return bytes !== null && bytes[0] === 0x4f ? bytes : null;
}

/** Hexadecimal or base64, white space inside; null where it is neither. */
function keyBytes(text: string): Uint8Array | null {
  const dense = text.replace(/\s+/g, "");
  if (dense.length === 0) return null;
  try {
    return fromHex(dense);
  } catch (error) {
    if (!(error instanceof GridError)) throw error;
  }
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(dense)) return null;
  return Uint8Array.from(atob(dense.length % 4 === 1 ? "" : dense), (c) => c.charCodeAt(0));
}
