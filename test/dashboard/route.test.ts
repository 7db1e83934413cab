/** Method: every address there is and some that are none, then there and back again. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseRoute, type Route, routeHash } from "../../dashboard/src/model/route.ts";

test.each([
  { hash: "", route: { page: "home", region: null } },
  { hash: "#/", route: { page: "home", region: null } },
  { hash: "#/regions/r1", route: { page: "home", region: "r1" } },
  { hash: "#/regions/r1/slots/12", route: { page: "slot", region: "r1", slot: 12 } },
  { hash: "#/regions/r1/slots/-1", route: { page: "home", region: "r1" } },
  { hash: "#/regions/r1/slots/x", route: { page: "home", region: "r1" } },
  { hash: "#/pair/AB-12", route: { page: "pair", code: "AB-12" } },
  { hash: "#/pair", route: { page: "pair", code: "" } },
  { hash: "#/bill", route: { page: "bill" } },
  { hash: "#/regions/%E0%A4%A", route: { page: "home", region: "%E0%A4%A" } },
  { hash: "#/nowhere", route: { page: "home", region: null } },
])("$hash", ({ hash, route }) => {
  expect(parseRoute(hash)).toEqual(route);
});

test("an address leads back to its route, whatever stands in it", () => {
  const text = fc.string({ minLength: 1 });
  const slots = fc.nat();
  const routes: fc.Arbitrary<Route> = fc.oneof(
    fc.record({ page: fc.constant("home" as const), region: text }),
    fc.record({ page: fc.constant("slot" as const), region: text, slot: slots }),
    fc.record({ page: fc.constant("pair" as const), code: text }),
  );
  fc.assert(
    fc.property(routes, (route) => {
      expect(parseRoute(routeHash(route))).toEqual(route);
    }),
  );
});
