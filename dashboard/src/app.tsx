/** The frame around every page: header, live indicator, banner, the page of the address, footer. */
import { computed, signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Region, Status } from "../../services/wire/api.ts";
import { t, tCount } from "./messages.ts";
import { parseRoute, type Route, routeHash } from "./model/route.ts";
import { asFailure } from "./state/api-client.ts";
import * as locale from "./state/locale.ts";
import {
  health,
  newestSlot,
  refreshRegions,
  refreshStatus,
  regions,
  status,
} from "./state/market.ts";
import { session, unpair } from "./state/session.ts";
import { connection } from "./state/stream.ts";
import { theme, toggleTheme } from "./state/theme.ts";
import { BillPage } from "./views/bill-page.tsx";
import { Failure, Skeleton } from "./views/failure.tsx";
import { Home } from "./views/home.tsx";
import { Logo, ThemeIcon } from "./views/icons.tsx";
import { LiveIndicator, OfflineBanner } from "./views/live-indicator.tsx";
import { PairForm } from "./views/pair-form.tsx";
import { SlotPage } from "./views/slot-page.tsx";

const address = signal(location.hash);
addEventListener("hashchange", () => {
  address.value = location.hash;
  scrollTo(0, 0);
});
const route = computed<Route>(() => parseRoute(address.value));

export function App() {
  const here = route.value;
  useEffect(() => {
    if (here.page !== "slot") document.title = t("app.name");
  }, [here.page]);
  return (
    <>
      <button type="button" class="skip" onClick={focusMain}>
        {t("app.skip")}
      </button>
      <Header here={here} />
      <OfflineBanner />
      <main id="main" tabIndex={-1}>
        <Page here={here} />
      </main>
      <Footer />
      <Announcement />
    </>
  );
}

/** A button, not a link: the address is the route and must stay. */
function focusMain(): void {
  document.getElementById("main")?.focus();
}

function Header({ here }: { here: Route }) {
  const home = routeHash({ page: "home", region: null });
  return (
    <header class="top">
      <a class="brand" href={home}>
        <Logo />
        <span>{t("app.name")}</span>
      </a>
      <nav class="nav" aria-label={t("nav.label")}>
        <a href={home} aria-current={here.page === "home" ? "page" : undefined}>
          {t("nav.home")}
        </a>
        {session.value !== null && (
          <a
            href={routeHash({ page: "bill" })}
            aria-current={here.page === "bill" ? "page" : undefined}
          >
            {t("nav.bill")}
          </a>
        )}
      </nav>
      <LiveIndicator />
      <button
        type="button"
        class="button-icon"
        onClick={toggleTheme}
        aria-label={t(theme.value === "dark" ? "theme.toLight" : "theme.toDark")}
        data-testid="theme-toggle"
      >
        <ThemeIcon />
      </button>
    </header>
  );
}

/** Nothing can be drawn without the status (units, slot length) and the list of regions. */
function Page({ here }: { here: Route }) {
  if (here.page === "pair") {
    return (
      <section class="card pair-card narrow">
        <h1>{t("pair.pageTitle")}</h1>
        <PairForm code={here.code} />
      </section>
    );
  }
  const known = status.value.value;
  const list = regions.value.value;
  if (known === null || list === null) {
    const failure = status.value.failure ?? regions.value.failure;
    if (failure === null) return <Skeleton lines={10} />;
    const retry = () => void Promise.all([refreshStatus(), refreshRegions()]);
    return <Failure sentence={failure.message} retry={retry} />;
  }
  return <MarketPage here={here} status={known} regions={list} />;
}

function MarketPage(props: {
  here: Exclude<Route, { page: "pair" }>;
  status: Status;
  regions: readonly Region[];
}) {
  const { here } = props;
  if (here.page === "bill") return <BillPage status={props.status} />;
  const wanted = here.region ?? session.value?.region ?? props.regions[0]?.id;
  const region = props.regions.find((candidate) => candidate.id === wanted);
  if (region === undefined) {
    return (
      <section class="card narrow">
        <h1>{t("region.unknown")}</h1>
        <p>
          <a href={routeHash({ page: "home", region: null })}>{t("region.home")}</a>
        </p>
      </section>
    );
  }
  if (here.page === "slot") {
    return (
      <SlotPage region={region} regions={props.regions} slot={here.slot} status={props.status} />
    );
  }
  return <Home key={region.id} region={region} status={props.status} />;
}

function Footer() {
  const known = status.value.value;
  const refusal = useSignal<string | null>(null);
  const forget = async () => {
    try {
      await unpair();
      refusal.value = null;
    } catch (error) {
      refusal.value = asFailure(error).message;
    }
  };
  if (known === null) return <footer class="foot" />;
  return (
    <footer class="foot">
      <p
        class="health"
        data-ready={connection.value === "live" ? health.value.value?.ready : undefined}
        data-testid="health"
      >
        <span class="health-dot" aria-hidden="true" />
        {healthLine(known)}
      </p>
      <p class="foot-network">
        {t("footer.market", {
          networkId: known.networkId,
          date: locale.date(known.blockTimeS),
          time: locale.clock(known.blockTimeS),
          timeZone: locale.zone().timeZone,
        })}
        {session.value !== null && (
          <button type="button" class="button-link" onClick={() => void forget()}>
            {t("nav.forget")}
          </button>
        )}
        {refusal.value !== null && <span role="alert">{refusal.value}</span>}
      </p>
    </footer>
  );
}

function healthLine(known: Status): string {
  const refused = Object.values(known.readingsRefused).reduce((sum, count) => sum + count, 0);
  return [
    readiness(),
    t("health.meters", {
      reporting: locale.count(known.metersReporting),
      registered: locale.count(known.metersRegistered),
    }),
    tCount("health.refused", refused, { count: locale.count(refused) }),
    t("health.block", { height: locale.count(known.height) }),
  ].join(" · ");
}

function readiness(): string {
  const answer = health.value.value;
  // What a node was before it went silent says nothing about now.
  if (connection.value === "offline" || connection.value === "reconnecting") {
    return t("health.unknown");
  }
  if (answer === null || health.value.failure !== null) return t("health.unknown");
  if (answer.ready) return t("health.ready");
  return t("health.notReady", { reasons: answer.reasons.join(", ") });
}

/** Reads each new slot to a screen reader, once. */
function Announcement() {
  const slot = newestSlot.value;
  const name = regions.value.value?.find((region) => region.id === slot?.region)?.name;
  const text = () => {
    if (slot === null || name === undefined) return "";
    const facts = { span: locale.span(slot), region: name };
    if (slot.priceUcPerWh === null) return t("slots.announceNoPrice", facts);
    return t("slots.announce", { ...facts, price: locale.price(slot.priceUcPerWh) });
  };
  return (
    <p class="visually-hidden" aria-live="polite">
      {text()}
    </p>
  );
}
