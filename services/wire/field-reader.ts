/**
 * Reads the fields of a decoded list strictly: each has its form, or the whole is refused with the
 * field's name. For records whose bytes may have been written by somebody else.
 */
import type { CodecValue } from "../primitives/codec.ts";
import { GridError } from "../primitives/errors.ts";
import type { MicroCents } from "../primitives/units.ts";

const INT64_MAX = 2n ** 63n - 1n;

export type FieldReader = {
  /** A whole number in [0, max]. */
  whole(name: string, max?: number): number;
  integer(name: string): number; // a safe one
  integerOrNull(name: string): number | null;
  money(name: string): MicroCents; // 64 bits
  bytes(name: string, length?: number): Uint8Array;
  text<Choice extends string>(name: string, choices: readonly Choice[]): Choice;
  /** A list, each item read by `read` as a list of these fields. */
  rows<Row>(
    name: string,
    form: { readonly fields: readonly string[]; readonly rowsMax: number },
    read: (row: FieldReader) => Row,
  ): Row[];
  /** What stands there, unread. */
  value(name: string): CodecValue;
};

/**
 * @param what - what the list is, for the refusal
 * @param names - of the fields, in their order; the list MUST have as many
 * @throws GridError bytes_malformed, here and in each method
 */
export function readFields(
  value: CodecValue,
  { what, names }: { readonly what: string; readonly names: readonly string[] },
): FieldReader {
  const fail = (name: string): never => {
    throw new GridError("bytes_malformed", `not a ${what}: ${name}`, { what: name, offset: 0 });
  };
  if (!Array.isArray(value) || value.length !== names.length) return fail("fields");
  const places = new Map(names.map((name, i) => [name, (value as CodecValue[])[i]!]));
  const at = (name: string): CodecValue => places.get(name)!;
  const integer = (name: string): number => {
    const found = at(name);
    return Number.isSafeInteger(found) ? (found as number) : fail(name);
  };
  return {
    value: at,
    integer,
    whole(name, max = Number.MAX_SAFE_INTEGER) {
      const found = integer(name);
      return found >= 0 && found <= max ? found : fail(name);
    },
    integerOrNull: (name) => (at(name) === null ? null : integer(name)),
    money(name) {
      const found = at(name);
      if (typeof found !== "number" && typeof found !== "bigint") return fail(name);
      const uc = BigInt(found);
      return uc <= INT64_MAX && uc >= -INT64_MAX - 1n ? (uc as MicroCents) : fail(name);
    },
    bytes(name, length) {
      const found = at(name);
      if (!(found instanceof Uint8Array)) return fail(name);
      return length === undefined || found.length === length ? found : fail(name);
    },
    text(name, choices) {
      const found = choices.find((choice) => choice === at(name));
      return found ?? fail(name);
    },
    rows(name, { fields, rowsMax }, read) {
      const list = at(name);
      if (!Array.isArray(list) || list.length > rowsMax) return fail(name);
      return list.map((row: CodecValue) => read(readFields(row, { what: name, names: fields })));
    },
  };
}
