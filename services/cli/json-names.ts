/**
 * Finds a name that stands twice in one object of a JSON text. JSON.parse keeps the last of them
 * and says nothing; in a file that moves money, which one was meant is not ours to guess.
 *
 * Safe because it walks text that JSON.parse has accepted, once, without recursion: every quote
 * opens or closes a string, and a string before a colon is a name.
 */

type Open =
  | { readonly kind: "object"; readonly names: Set<string>; name: string }
  | { readonly kind: "list"; position: number };

/** @returns where the second one stands, like `regions[0].orders[3].energyWh`; null: nowhere */
export function twiceNamed(json: string): string | null {
  const open: Open[] = [];
  for (let at = 0; at < json.length; at++) {
    const char = json[at];
    if (char === "{") open.push({ kind: "object", names: new Set(), name: "" });
    else if (char === "[") open.push({ kind: "list", position: 0 });
    else if (char === "}" || char === "]") open.pop();
    else if (char === ",") {
      const inner = open.at(-1);
      if (inner?.kind === "list") inner.position += 1;
    } else if (char === '"') {
      const end = closingQuote(json, at);
      const inner = open.at(-1);
      if (inner?.kind === "object" && isBeforeColon(json, end)) {
        inner.name = JSON.parse(json.slice(at, end + 1)) as string;
        if (inner.names.has(inner.name)) return pathOf(open);
        inner.names.add(inner.name);
      }
      at = end;
    }
  }
  return null;
}

function closingQuote(json: string, openingQuote: number): number {
  let at = openingQuote + 1;
  while (json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at;
}

function isBeforeColon(json: string, closingQuoteAt: number): boolean {
  let at = closingQuoteAt + 1;
  while (json[at] === " " || json[at] === "\n" || json[at] === "\r" || json[at] === "\t") at += 1;
  return json[at] === ":";
}

function pathOf(open: readonly Open[]): string {
  return open.reduce((path, inner) => {
    if (inner.kind === "list") return `${path}[${inner.position}]`;
    return path === "" ? inner.name : `${path}.${inner.name}`;
  }, "");
}
