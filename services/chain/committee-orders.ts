/**
 * Judges and executes orders of the committee. Order of the checks = order of TRANSACTION_CODE, the
 * costly one, the certificate, after those that cost nothing.
 */
import { verifyBlsAggregate } from "../crypto/bls.ts";
import { bytesEqual } from "../primitives/bytes.ts";
import { CHAIN_UPGRADES_MAX } from "../primitives/limits.ts";
import {
  type CommitteeAct,
  type CommitteeOrderTransaction,
  committeeOrderStatement,
} from "../wire/committee-order.ts";
import type { TransactionCodeName } from "../wire/refusals.ts";
import { signersOf } from "./certificates.ts";
import { type CommitteeState, rootedCommittee } from "./committee-state.ts";
import type { Lane } from "./lane.ts";
import { quarantineOf, setQuarantine } from "./quarantine-state.ts";
import type { Rules } from "./rules.ts";
import { type Upgrade, versionAt } from "./versions.ts";

export type CommitteeRefusal = { readonly code: TransactionCodeName; readonly info: string };

export type CommitteeJudge = {
  readonly rules: Rules;
  readonly committee: CommitteeState;
  readonly height: number; // of the block; of the next one before there is one (mempool)
  lane(regionIndex: number): Lane;
};

export function committeeOrderRefusal(
  judge: CommitteeJudge,
  { order, orderBytes, certificate }: CommitteeOrderTransaction,
): CommitteeRefusal | null {
  const { rules, committee } = judge;
  const next = committee.executedOrders + 1;
  if (order.sequence !== next) {
    const code = order.sequence < next ? "committee_order_replayed" : "committee_order_gapped";
    return { code, info: `order ${order.sequence}, next is ${next}` };
  }
  if (!bytesEqual(order.configDigest, rules.committee.configDigest)) {
    return { code: "committee_config_mismatched", info: "made under another oracle configuration" };
  }
  const unfit =
    order.act.kind === "release"
      ? releaseRefusal(judge, order.act.regionIndex)
      : upgradeRefusal(judge, order.act);
  if (unfit !== null) return unfit;
  const { publicKeys, quorum } = rules.committee;
  const signers = signersOf(certificate.signers, publicKeys);
  const isSigned =
    signers !== null &&
    signers.length >= quorum &&
    verifyBlsAggregate({
      signature: certificate.signature,
      message: committeeOrderStatement(orderBytes),
      publicKeys: signers,
    });
  if (isSigned) return null;
  return { code: "committee_order_uncertified", info: `no quorum of ${quorum} signed this` };
}

function releaseRefusal(judge: CommitteeJudge, regionIndex: number): CommitteeRefusal | null {
  const code = "release_invalid";
  if (regionIndex >= judge.rules.regions.length) return { code, info: `no region ${regionIndex}` };
  const standing = quarantineOf(judge.lane(regionIndex))?.standing ?? "in the market";
  if (standing === "quarantined") return null;
  return { code, info: `region ${regionIndex} is ${standing}` };
}

function upgradeRefusal({ rules, committee, height }: CommitteeJudge, upgrade: Upgrade) {
  const code = "upgrade_invalid";
  const { upgrades } = committee;
  const inForce = versionAt({ genesisVersion: rules.genesis.chainVersion, upgrades }, height);
  if (upgrade.version <= inForce) {
    return { code, info: `version ${upgrade.version}, in force is ${inForce}` } as const;
  }
  const earliest = height + rules.byVersion.upgradeNoticeBlocksMin;
  if (upgrade.height < earliest) {
    return { code, info: `height ${upgrade.height}, at the earliest ${earliest}` } as const;
  }
  if (settledUpgrades(upgrades, height).length < CHAIN_UPGRADES_MAX) return null;
  return { code, info: `${CHAIN_UPGRADES_MAX} upgrades have been` } as const;
}

/** Upgrades that a later order can no longer replace. */
function settledUpgrades(upgrades: readonly Upgrade[], height: number): readonly Upgrade[] {
  return upgrades.filter((upgrade) => upgrade.height <= height);
}

/** The orders' state after one more order; a release also writes to its lane, an own copy. */
export function executeCommitteeOrder(
  draft: { readonly committee: CommitteeState; ownLane(regionIndex: number): Lane },
  act: CommitteeAct,
  height: number,
): CommitteeState {
  const { executedOrders, upgrades } = draft.committee;
  if (act.kind === "release") {
    const lane = draft.ownLane(act.regionIndex);
    setQuarantine(lane.columns, { ...quarantineOf(lane)!, standing: "catching up" });
    return rootedCommittee({ executedOrders: executedOrders + 1, upgrades });
  }
  const { version, height: from } = act;
  return rootedCommittee({
    executedOrders: executedOrders + 1,
    upgrades: [...settledUpgrades(upgrades, height), { version, height: from }],
  });
}
