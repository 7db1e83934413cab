/**
 * A strict JSON reader (RFC 8259) that keeps each number as it is written: `JSON.parse` would make
 * a binary float of it. Refuses repeated keys, which two readers may understand differently.
 */
import { fromUtf8 } from "../../primitives/bytes.ts";
import {
  TELEGRAM_BYTES_MAX,
  TELEGRAM_DEPTH_MAX,
  TELEGRAM_VALUES_MAX,
} from "../../primitives/limits.ts";
import { refuse, type TelegramFormat } from "./telegram.ts";

/** A number, as text. */
export type JsonNumber = { readonly text: string };
export type JsonObject = ReadonlyMap<string, JsonValue>;
export type JsonValue = null | boolean | string | JsonNumber | readonly JsonValue[] | JsonObject;

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them inside a string
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORDS: readonly (readonly [string, null | boolean])[] = [
  ["null", null],
  ["true", true],
  ["false", false],
];

/** @throws GridError telegram_refused oversized, malformed */
export function parseJsonText(
  format: TelegramFormat,
  bytes: Uint8Array,
  bytesMax = TELEGRAM_BYTES_MAX,
): JsonValue {
  if (bytes.length > bytesMax) return refuse(format, "oversized", `${bytes.length} bytes of JSON`);
  let text: string;
  try {
    text = fromUtf8(bytes);
  } catch {
    return refuse(format, "malformed", "JSON that is no UTF-8");
  }
  return new Reader(format, text).document();
}

class Reader {
  readonly #format: TelegramFormat;
  readonly #text: string;
  #at = 0;
  #values = 0;

  constructor(format: TelegramFormat, text: string) {
    this.#format = format;
    this.#text = text;
  }

  document(): JsonValue {
    const value = this.#value(0);
    this.#take(SPACE);
    return this.#at === this.#text.length ? value : this.#malformed("something after the value");
  }

  #value(depth: number): JsonValue {
    this.#values++;
    if (depth > TELEGRAM_DEPTH_MAX || this.#values > TELEGRAM_VALUES_MAX) {
      return refuse(this.#format, "oversized", "JSON of too many values or too deep");
    }
    this.#take(SPACE);
    const first = this.#text[this.#at];
    if (first === "{") return this.#object(depth);
    if (first === "[") return this.#array(depth);
    if (first === '"') return this.#string();
    for (const [word, value] of WORDS) {
      if (!this.#text.startsWith(word, this.#at)) continue;
      this.#at += word.length;
      return value;
    }
    const text = this.#take(NUMBER);
    return text === "" ? this.#malformed("no JSON value") : { text };
  }

  #object(depth: number): JsonObject {
    const entries = new Map<string, JsonValue>();
    this.#at++;
    if (this.#accept("}")) return entries;
    for (;;) {
      this.#take(SPACE);
      const key = this.#string();
      if (entries.has(key)) return this.#malformed("a key twice");
      if (!this.#accept(":")) return this.#malformed("no colon after a key");
      entries.set(key, this.#value(depth + 1));
      if (this.#accept("}")) return entries;
      if (!this.#accept(",")) return this.#malformed("an object that does not go on");
    }
  }

  #array(depth: number): readonly JsonValue[] {
    const items: JsonValue[] = [];
    this.#at++;
    if (this.#accept("]")) return items;
    for (;;) {
      items.push(this.#value(depth + 1));
      if (this.#accept("]")) return items;
      if (!this.#accept(",")) return this.#malformed("an array that does not go on");
    }
  }

  #string(): string {
    const literal = this.#take(STRING);
    return literal === "" ? this.#malformed("no string") : (JSON.parse(literal) as string);
  }

  #accept(mark: string): boolean {
    this.#take(SPACE);
    if (this.#text[this.#at] !== mark) return false;
    this.#at++;
    return true;
  }

  #take(form: RegExp): string {
    form.lastIndex = this.#at;
    const found = form.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  #malformed(what: string): never {
    return refuse(this.#format, "malformed", `${what}, at character ${this.#at}`);
  }
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return value instanceof Map;
}

export function isNumber(value: JsonValue | undefined): value is JsonNumber {
  return typeof value === "object" && value !== null && "text" in value;
}

/** The value at a path of keys; undefined where there is none. */
export function at(value: JsonValue | undefined, ...path: readonly string[]) {
  let here = value;
  for (const key of path) here = isObject(here) ? here.get(key) : undefined;
  return here;
}

export function textAt(value: JsonValue | undefined, ...path: readonly string[]): string | null {
  const found = at(value, ...path);
  return typeof found === "string" && found !== "" ? found : null;
}
