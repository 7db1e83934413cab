/** Addresses of the dashboard: the part after `#`. Unknown ones lead home. */

export type Route =
  | { readonly page: "home"; readonly region: string | null }
  | { readonly page: "slot"; readonly region: string; readonly slot: number }
  | { readonly page: "bill" }
  | { readonly page: "pair"; readonly code: string };

export function parseRoute(hash: string): Route {
  const parts = hash
    .replace(/^#?\/?/, "")
    .split("/")
    .map(decoded);
  const [first, second, third, fourth] = parts;
  if (first === "pair") return { page: "pair", code: second ?? "" };
  if (first === "bill") return { page: "bill" };
  if (first === "regions" && second) {
    const slot = Number(fourth);
    if (third === "slots" && fourth && Number.isSafeInteger(slot) && slot >= 0) {
      return { page: "slot", region: second, slot };
    }
    return { page: "home", region: second };
  }
  return { page: "home", region: null };
}

export function routeHash(route: Route): string {
  const part = encodeURIComponent;
  if (route.page === "slot") return `#/regions/${part(route.region)}/slots/${route.slot}`;
  if (route.page === "home")
    return route.region === null ? "#/" : `#/regions/${part(route.region)}`;
  return route.page === "pair" ? `#/pair/${part(route.code)}` : "#/bill";
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a stray per cent sign is text
  }
}
