/**
 * No block of a version that is not due, and none that the application does not know: whoever runs
 * old software stops before the first block of a new version, and loses nothing.
 */
import type { Application } from "../../chain/abci.ts";
import { upgradeRequired } from "../../chain/versions.ts";
import type { Header } from "../../wire/header.ts";

/** @throws GridError upgrade_required where the application cannot execute the next block */
export function requireKnownVersion(application: Application): void {
  const { lastBlockHeight, nextVersion } = application.info();
  const { version, isKnown } = nextVersion;
  if (!isKnown) throw upgradeRequired({ version, height: lastBlockHeight + 1 });
}

/** What is wrong with the version of the next block's header, or null. */
export function versionFault(application: Application, header: Header): string | null {
  const { version } = application.info().nextVersion;
  if (header.chainVersion === version) return null;
  const { height, chainVersion } = header;
  return `block ${height} bears chain version ${chainVersion}, but version ${version} is in force`;
}
