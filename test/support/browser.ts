/** Debian's chromium, and the flags under which it stays quiet and off the network. */
export const CHROMIUM = "/usr/bin/chromium";
export const BROWSER_FLAGS = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];
