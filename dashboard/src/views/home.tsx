/**
 * Home: the price of the last slot, where the power went and came from (own and community), and
 * the market of a region. Without a session it shows the community and the pairing form.
 */
import type {
  EnergySummary,
  EnergyWindow,
  Me,
  Region,
  SlotSummary,
  Status,
} from "../../../services/wire/api.ts";
import { t, tCount } from "../messages.ts";
import { advantageUc } from "../model/split.ts";
import { api } from "../state/api-client.ts";
import { useResource } from "../state/loadable.ts";
import * as locale from "../state/locale.ts";
import { regions } from "../state/market.ts";
import { useRegionSlots } from "../state/region-slots.ts";
import { session, sessionKey } from "../state/session.ts";
import { EnergySection, type Sums, useSums } from "./energy-section.tsx";
import { MarketSection } from "./market-section.tsx";
import { PairForm } from "./pair-form.tsx";
import { PriceScale } from "./price-scale.tsx";
import { Figure } from "./split-card.tsx";

export function Home({ region, status }: { region: Region; status: Status }) {
  const known = useRegionSlots(region.id, status);
  const home = session.value?.region ?? region.id;
  const community = regions.value.value?.find((candidate) => candidate.id === home) ?? region;
  const sums = useSums(community);
  const last = known.slots?.at(-1) ?? region.lastSlot;
  const isMember = session.value !== null;
  const me = useResource<Me | null>(`me ${sessionKey.value}`, 0, async (caller) =>
    isMember ? await api.me(caller) : null,
  );
  return (
    <>
      <section class="hero">
        <HeroWords community={community} status={status} sums={sums} />
        <div class="hero-price">
          {last === null ? (
            <NoSlotYet status={status} />
          ) : (
            <LastPrice
              region={region}
              status={status}
              last={last}
              me={community === region ? me.state.value.value : null}
            />
          )}
        </div>
      </section>
      <EnergySection community={community} status={status} sums={sums} />
      {!isMember && (
        <section class="card pair-card" aria-labelledby="pair-title">
          <h2 id="pair-title">{t("pair.title")}</h2>
          <PairForm code="" />
        </section>
      )}
      <MarketSection
        region={region}
        regions={regions.value.value ?? [region]}
        status={status}
        known={known}
      />
    </>
  );
}

/** Whose page this is: the member's or the community's, whatever region is looked at. */
function HeroWords(props: { community: Region; status: Status; sums: Sums }) {
  const { community: region, status, sums } = props;
  const member = session.value;
  const summary = member === null ? sums.whole : sums.own;
  const intro = t("home.leadPublic", {
    region: region.name,
    minutes: locale.count(Math.round(status.slotS / 60)),
  });
  return (
    <div class="hero-words">
      <p class="eyebrow">
        {region.name}
        <span class="eyebrow-more">
          {tCount("home.members", region.members, { count: locale.count(region.members) })}
        </span>
        <span class="eyebrow-more">{t(`mechanism.${region.mechanism}`)}</span>
      </p>
      <h1>{member === null ? t("home.headlinePublic") : member.label}</h1>
      <p class="lead">
        {member === null && `${intro} `}
        {summary?.fromSlot != null &&
          advantageText({
            summary,
            window: sums.window,
            whom: member === null ? "all" : "you",
          })}
      </p>
    </div>
  );
}

/** What the market was worth against the utility alone, in one sentence. */
function advantageText(form: {
  summary: EnergySummary;
  window: EnergyWindow;
  whom: "you" | "all";
}): string {
  const { window, whom } = form;
  const amountUc = advantageUc(form.summary);
  if (amountUc === 0n) return t(`home.even.${whom}`);
  const money = locale.money(amountUc < 0n ? -amountUc : amountUc);
  return t(`home.${amountUc > 0n ? "better" : "worse"}.${whom}.${window}`, { money });
}

/** Nothing has cleared, or the region has too few meters for its prices to be public. */
function NoSlotYet({ status }: { status: Status }) {
  if (status.lastSlot !== null) {
    return (
      <>
        <p class="hero-label">{t("home.hidden")}</p>
        <p>{t("home.hiddenText")}</p>
      </>
    );
  }
  const endS = (status.genesisSlot + 1) * status.slotS;
  return (
    <>
      <p class="hero-label">{t("home.noSlotYet")}</p>
      <p>{t("home.noSlotYetText", { time: locale.clock(endS) })}</p>
    </>
  );
}

function LastPrice(props: { region: Region; status: Status; last: SlotSummary; me: Me | null }) {
  const { region, status, last, me } = props;
  const price = last.priceUcPerWh;
  const when = { span: locale.span(last), date: locale.date(last.startS) };
  return (
    <>
      <p class="hero-label">
        {t("home.lastPrice", { region: region.name })}
        <span class="hero-when">{t("home.slotOf", when)}</span>
      </p>
      {price === null ? (
        <p class="hero-none">{t("home.noPrice")}</p>
      ) : (
        <p class="hero-figure" data-testid="last-price" data-uc-per-wh={price}>
          <Figure value={locale.price(price)} unit={t("unit.price")} />
        </p>
      )}
      <PriceScale tariff={status} last={last} limits={me?.limits ?? null} />
    </>
  );
}
