/** What a demo says while it runs, in plain words on stderr. */
import type { ChainReader } from "../chain/access.ts";
import { readKeys } from "../node/keys.ts";
import type { RunningNode } from "../node/node.ts";
import { toHex } from "../primitives/bytes.ts";
import type { SlotRecord } from "../wire/slot-record.ts";
import { ask } from "./operator.ts";
import { heading, say } from "./talk.ts";
import { ctPerKwh, kwh, utcTime } from "./words.ts";

/** A link that opens the dashboard as one home, so that own bills can be seen at once. */
export async function sayPairing(node: RunningNode, keys: string): Promise<void> {
  const [region] = node.chain.genesis.regions;
  const producer = region!.meters.find(({ role }) => role === "production");
  const member = region!.members[producer?.memberIndex ?? 0]!;
  const answer = (await ask(`${node.httpUrl}/api/v1/pairings`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${toHex(readKeys(keys)["operator-token"])}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ region: region!.id, member: member.label }),
  })) as { code: string };
  say(`As a home   ${node.httpUrl}/#/pair/${answer.code}  (${member.label})`);
}

/** Says each cleared slot, or every `everySlot`th; the first one in a sentence. */
export function saySlots({
  chain,
  everySlot,
}: {
  chain: ChainReader;
  everySlot: number;
}): () => void {
  let isFirst = chain.head().clearedSlots === 0;
  return chain.onBlock((block) => {
    const slots = [...new Set(block.slotRecords.map((record) => record.slot))];
    for (const slot of slots) {
      const records = block.slotRecords.filter((record) => record.slot === slot);
      if (isFirst) say(firstSlot(chain, records));
      else if (slot % everySlot === 0) say(slotLine(chain, records));
      isFirst = false;
    }
  });
}

function firstSlot(chain: ChainReader, records: readonly SlotRecord[]): string {
  const most = records.reduce((a, b) => (b.tradedWh > a.tradedWh ? b : a));
  const name = chain.genesis.regions[most.regionIndex]!.name;
  const at = utcTime(most.slot * chain.genesis.slotS);
  const price = most.priceUcPerWh === null ? "" : ` around ${ctPerKwh(most.priceUcPerWh)} ct/kWh`;
  return heading(
    `The first slot has cleared (${at}): neighbours in ${name} traded ` +
      `${kwh(most.tradedWh)} kWh${price}.`,
  );
}

function slotLine(chain: ChainReader, records: readonly SlotRecord[]): string {
  const parts = records.map((record) => {
    const { id } = chain.genesis.regions[record.regionIndex]!;
    const price = record.priceUcPerWh === null ? "no trade" : `${ctPerKwh(record.priceUcPerWh)} ct`;
    return `${id} ${kwh(record.tradedWh)} kWh at ${price}`;
  });
  return `${utcTime(records[0]!.slot * chain.genesis.slotS)}  ${parts.join("  |  ")}`;
}
