/** The words. Keys are those of `messages/en.json`; `{name}` in a text is filled from `facts`. */
import english from "../messages/en.json";

export type MessageKey = keyof typeof english;
/** Keys that have a text for one and one for many, named without their ending. */
type PluralKey = MessageKey extends infer Key
  ? Key extends `${infer Stem}_other`
    ? Stem
    : never
  : never;

const plurals = new Intl.PluralRules("en");

export function t(key: MessageKey, facts: Record<string, string | number> = {}): string {
  return english[key].replace(/\{(\w+)\}/g, (hole, name: string) => String(facts[name] ?? hole));
}

/** The text for `count` things; `{count}` in it is `facts.count`, already formatted. */
export function tCount(
  stem: PluralKey,
  count: number,
  facts: Record<string, string | number>,
): string {
  return t(`${stem}_${plurals.select(count) === "one" ? "one" : "other"}`, facts);
}
