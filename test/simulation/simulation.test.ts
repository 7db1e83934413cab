/**
 * Method: whole communities on simulated clock, network and disk, each from one seed; the auditor's
 * ledger is the oracle. Two hundred fixed seeds, half of them here; and every seed that has ever
 * failed (`seeds.json`).
 */
import { readFileSync } from "node:fs";
import { test } from "vitest";
import { testSeed, testSeeds } from "./seed-suite.ts";

type KeptSeed = { readonly seed: number; readonly slots: number; readonly why: string };

const kept: KeptSeed[] = JSON.parse(readFileSync(new URL("seeds.json", import.meta.url), "utf8"));

testSeeds({ from: 1, to: 100 });

test.for(kept)("seed $seed once failed: $why", ({ seed, slots }) => testSeed(seed, slots));
