/** Method: a small plan's fleet by hand, then the laws: same plan same fleet, nothing shared. */
import { expect, test } from "vitest";
import { provisionFleet } from "../../firmware-sim/provision.ts";
import { isRegistrableEd25519Key } from "../../services/crypto/ed25519.ts";
import { isRegistrableP256Key } from "../../services/crypto/p256.ts";
import { toHex } from "../../services/primitives/bytes.ts";
import { deviceIdOf, devicePublicKey } from "../../services/wire/reading.ts";

const homes = (count: number) =>
  Array.from({ length: count }, (_, k) => ({ label: `home ${k}`, hasPanels: k % 2 === 0 }));

test("grid meters in home order, then production meters, then the feeder", () => {
  const { devices } = provisionFleet({
    seed: "s",
    regions: [
      { id: "north", homes: [{ label: "a", hasPanels: true, connectionW: 30_000 }, ...homes(2)] },
      { id: "south", homes: homes(1) },
    ],
  });
  expect(
    devices.map(({ region, role, home, label, connectionW }) => [
      region,
      role,
      home,
      label,
      connectionW,
    ]),
  ).toEqual([
    ["north", "grid", 0, "a", 30_000],
    ["north", "grid", 1, "home 0", 17_250],
    ["north", "grid", 2, "home 1", 17_250],
    ["north", "production", 0, "a", 30_000],
    ["north", "production", 1, "home 0", 17_250],
    ["north", "feeder", null, "feeder", 64_500],
    ["south", "grid", 0, "home 0", 17_250],
    ["south", "production", 0, "home 0", 17_250],
    ["south", "feeder", null, "feeder", 17_250],
  ]);
});

test("same plan, same fleet; another seed or region, nothing shared; more homes, same keys", () => {
  const plan = (seed: string, id: string, count: number) =>
    provisionFleet({ seed, regions: [{ id, homes: homes(count) }] }).devices;
  expect(plan("s", "north", 20)).toEqual(plan("s", "north", 20));
  const secrets = [plan("s", "north", 20), plan("t", "north", 20), plan("s", "south", 20)].flatMap(
    (devices) => devices.flatMap(({ key, password }) => [toHex(key.secretKey), password]),
  );
  expect(new Set(secrets).size).toBe(secrets.length);
  const grid = (count: number) => plan("s", "north", count).filter(({ role }) => role === "grid");
  expect(grid(30).slice(0, 20)).toEqual(grid(20));
});

test("both curves, keys fit for registration, ids from the keys", () => {
  const { devices } = provisionFleet({ seed: "s", regions: [{ id: "north", homes: homes(60) }] });
  const p256 = devices.filter(({ key }) => key.algorithm === "p256").length;
  expect(p256).toBeGreaterThan(0);
  expect(p256).toBeLessThan(devices.length / 3);
  for (const { key, publicKey, deviceId, password } of devices) {
    const isRegistrable = key.algorithm === "p256" ? isRegistrableP256Key : isRegistrableEd25519Key;
    expect(isRegistrable(publicKey)).toBe(true);
    expect(publicKey).toEqual(devicePublicKey(key));
    expect(deviceId).toEqual(deviceIdOf(publicKey));
    expect(password).toMatch(/^[0-9a-f]{32}$/);
  }
});
