/**
 * SML's type-length-value encoding (BSI TR-03109-1, annex IV): octet strings, integers, lists.
 * Read without recursion deeper than TELEGRAM_DEPTH_MAX and without trusting a length.
 */
import { TELEGRAM_DEPTH_MAX, TELEGRAM_VALUES_MAX } from "../../primitives/limits.ts";
import { refuse } from "./telegram.ts";

export type SmlValue = Uint8Array | bigint | boolean | readonly SmlValue[];

const TYPE = { octets: 0, boolean: 4, integer: 5, unsigned: 6, list: 7 } as const;

export class SmlReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #values = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Steps over end marks and padding between messages. */
  skipZeros(): void {
    while (this.#at < this.#bytes.length && this.#bytes[this.#at] === 0) this.#at++;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** One value; an absent optional one is the empty octet string. */
  value(depth = 0): SmlValue {
    this.#values++;
    if (depth > TELEGRAM_DEPTH_MAX || this.#values > TELEGRAM_VALUES_MAX) {
      return refuse("sml", "oversized", "too many values, or too deep");
    }
    const start = this.#at;
    const { type, length } = this.#head();
    if (type === TYPE.list) {
      const items: SmlValue[] = [];
      for (let i = 0; i < length; i++) items.push(this.#listItem(depth + 1));
      return items;
    }
    // A length counts its own bytes.
    const size = length - (this.#at - start);
    if (size < 0) return this.#malformed("a length below its own");
    if (this.#at + size > this.#bytes.length) return this.#malformed("a value that runs out");
    const content = this.#bytes.slice(this.#at, this.#at + size);
    this.#at += size;
    return this.#scalar(type, content);
  }

  /** The end mark 0x00 stands in a message's list as its last item. */
  #listItem(depth: number): SmlValue {
    if (this.#bytes[this.#at] !== 0) return this.value(depth);
    this.#at++;
    return new Uint8Array(0);
  }

  #head(): { type: number; length: number } {
    let byte = this.#next();
    const type = (byte >>> 4) & 7;
    let length = byte & 15;
    for (let more = 0; (byte & 0x80) !== 0; more++) {
      if (more >= 3) return this.#malformed("a length of too many bytes");
      byte = this.#next();
      if ((byte & 0x70) !== 0) return this.#malformed("a length that changes its type");
      length = length * 16 + (byte & 15);
    }
    return { type, length };
  }

  #next(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) return this.#malformed("the end, where a value should be");
    this.#at++;
    return byte;
  }

  #scalar(type: number, content: Uint8Array): SmlValue {
    if (type === TYPE.octets) return content;
    if (type === TYPE.boolean && content.length === 1) return content[0] !== 0;
    const isInteger = type === TYPE.integer || type === TYPE.unsigned;
    if (!isInteger || content.length < 1 || content.length > 8) {
      return this.#malformed(`a value of type ${type} with ${content.length} bytes`);
    }
    let number = 0n;
    for (const byte of content) number = number * 256n + BigInt(byte);
    return type === TYPE.integer ? BigInt.asIntN(8 * content.length, number) : number;
  }

  #malformed(what: string): never {
    return refuse("sml", "malformed", `${what}, at byte ${this.#at}`);
  }
}
