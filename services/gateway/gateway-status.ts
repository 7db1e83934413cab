/** What a gateway counts: every telegram ends in exactly one of these, none is dropped silently. */

const COUNTERS = [
  "frames", // cut out of the stream, or messages
  "telegrams", // believed
  "held", // a register that cannot be: not believed
  "registerless", // no register in it, or not all that the meter's role needs
  "timeless", // no usable time where only the telegram's own counts
  "otherMeters", // of another meter than the one named
  "late", // for a slot already signed, or older than what is believed already
  "droppedBytes", // of the stream, outside of any frame
  "signed", // slots
  "journalFull", // slots that the next record will cover
  "foreignReceipts", // not of this oracle, or not for this device
] as const;
type Counter = (typeof COUNTERS)[number];

export type GatewayStatus = Readonly<Record<Counter, number>> & {
  readonly refused: Readonly<Record<string, number>>; // telegrams, by reason
  readonly receipts: Readonly<Record<string, number>>; // in this run, by code
  readonly nextSlot: number;
  readonly seq: number;
  readonly unreceipted: number;
};

export class GatewayTally {
  readonly #counts = Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Record<
    Counter,
    number
  >;
  readonly #refused = new Map<string, number>();
  readonly #receipts = new Map<string, number>();

  count(name: Counter, by = 1): void {
    this.#counts[name] += by;
  }

  refused(reason: string): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
  }

  receipt(code: string): void {
    this.#receipts.set(code, (this.#receipts.get(code) ?? 0) + 1);
  }

  status(rest: Pick<GatewayStatus, "nextSlot" | "seq" | "unreceipted">): GatewayStatus {
    return {
      ...this.#counts,
      ...rest,
      refused: Object.fromEntries(this.#refused),
      receipts: Object.fromEntries(this.#receipts),
    };
  }
}
