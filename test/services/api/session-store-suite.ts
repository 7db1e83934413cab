/** What every SessionStore must do: the numbered requirements of `session-store.ts`. */
import { expect, test } from "vitest";
import type {
  AuditorGrant,
  MemberGrant,
  SessionStore,
} from "../../../services/api/session-store.ts";

export function sessionStoreSuite(open: () => Promise<SessionStore>): void {
  const grant = (kind: MemberGrant["kind"], letter: string, expiresS = 100): MemberGrant => ({
    kind,
    hash: letter.repeat(64),
    regionIndex: 2,
    memberIndex: 65_535,
    expiresS,
  });

  test("gives back what was added, by kind and hash", async () => {
    const store = await open();
    await store.replace({ remove: [], add: [grant("pairing", "a"), grant("session", "b")] });
    expect(await store.get(grant("pairing", "a"))).toEqual(grant("pairing", "a"));
    expect(await store.get(grant("session", "a"))).toBeNull();
    expect(await store.get(grant("pairing", "b"))).toBeNull();
  });

  test("keeps an auditor's right apart from members' rights", async () => {
    const store = await open();
    const auditor: AuditorGrant = { kind: "auditor", hash: "c".repeat(64), expiresS: 7 };
    await store.replace({ remove: [], add: [auditor, grant("session", "b")] });
    expect(await store.get(auditor)).toEqual(auditor);
    expect(await store.get({ kind: "session", hash: auditor.hash })).toBeNull();
    expect(await store.get({ kind: "auditor", hash: "b".repeat(64) })).toBeNull();
    expect(await store.list("auditor")).toEqual([auditor]);
    await store.replace({ remove: [auditor], add: [] });
    expect(await store.list("auditor")).toEqual([]);
  });

  test("replaces in one step; removing what is absent is no fault", async () => {
    const store = await open();
    await store.replace({ remove: [], add: [grant("pairing", "a")] });
    const remove = [grant("pairing", "a"), grant("session", "f")];
    await store.replace({ remove, add: [grant("session", "0", 999)] });
    expect(await store.list("pairing")).toEqual([]);
    expect(await store.list("session")).toEqual([grant("session", "0", 999)]);
    await store.replace({ remove: [], add: [grant("session", "0", 1000)] });
    expect((await store.get(grant("session", "0")))?.expiresS).toBe(1000);
  });

  test("lists a kind by rising hash, the expired too", async () => {
    const store = await open();
    const add = ["f", "0", "9"].map((letter) => grant("session", letter, 0));
    await store.replace({ remove: [], add: [...add, grant("pairing", "5")] });
    const hashes = (await store.list("session")).map(({ hash }) => hash[0]);
    expect(hashes).toEqual(["0", "9", "f"]);
  });
}
