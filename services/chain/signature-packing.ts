/**
 * Signatures as values in shared memory (`shared-values.ts`): what lane workers are told to verify,
 * and what they answer, some at a time.
 */
import type { Certified } from "./certificates.ts";
import type { ValueReader, ValueSink } from "./shared-values.ts";

/** Members' transactions, in, and their senders, out. */
export function writeTransactions(sink: ValueSink, transactions: readonly Uint8Array[]): void {
  sink.number(transactions.length);
  for (const bytes of transactions) sink.column(bytes);
}

/** Copies: cryptography in native code may refuse shared memory. */
export function readTransactions(reader: ValueReader): Uint8Array[] {
  return Array.from({ length: reader.number() }, () => reader.bytes().slice());
}

export function writeSenders(sink: ValueSink, senders: readonly (Uint8Array | null)[]): void {
  sink.number(senders.length);
  for (const sender of senders) sink.column(sender ?? new Uint8Array(0));
}

export function readSenders(reader: ValueReader): (Uint8Array | null)[] {
  return Array.from({ length: reader.number() }, () => {
    const sender = reader.bytes();
    return sender.length === 0 ? null : sender.slice();
  });
}

/** Certificates, in, and whether they hold, out. */
export function writeCertificates(sink: ValueSink, certificates: readonly Certified[]): void {
  sink.number(certificates.length);
  for (const { message, signature, signers } of certificates) {
    sink.column(message);
    sink.column(signature);
    sink.number(signers);
  }
}

export function readCertificates(reader: ValueReader): Certified[] {
  return Array.from({ length: reader.number() }, () => ({
    message: reader.bytes().slice(),
    signature: reader.bytes().slice(),
    signers: reader.number(),
  }));
}

export function writeCertified(sink: ValueSink, certified: readonly boolean[]): void {
  sink.column(Uint8Array.from(certified, Number));
}

export function readCertified(reader: ValueReader): boolean[] {
  return Array.from(reader.bytes(), (one) => one === 1);
}
