/** Owns which programs the tests need beside Redis. `test/prepare.ts` installs them before any file runs. */
import type { Program } from "../../src/redis/install.ts";

export const NGINX: Program = {
  names: ["nginx"],
  packages: { "apt-get": "nginx", dnf: "nginx", apk: "nginx", pacman: "nginx", zypper: "nginx", brew: "nginx" },
  byHand: "install nginx 1.22 or newer",
};

export const SETPRIV: Program = {
  names: ["setpriv"],
  packages: { "apt-get": "util-linux", dnf: "util-linux", apk: "setpriv", pacman: "util-linux", zypper: "util-linux" },
  byHand: "install util-linux, or run the tests as another user than root",
};

export const CHROMIUM: Program = {
  names: ["chromium", "chromium-browser", "google-chrome"],
  packages: { "apt-get": "chromium", dnf: "chromium", apk: "chromium", pacman: "chromium", zypper: "chromium" },
  byHand: "install Chromium",
};

export const OPENSSL: Program = {
  names: ["openssl"],
  packages: { "apt-get": "openssl", dnf: "openssl", apk: "openssl", pacman: "openssl", zypper: "openssl" },
  byHand: "install OpenSSL 1.1.1 or newer",
};

export const CURL: Program = {
  names: ["curl"],
  packages: { "apt-get": "curl", dnf: "curl", apk: "curl", pacman: "curl", zypper: "curl", brew: "curl" },
  byHand: "install curl",
};

/** With promtool. Tests that need it are skipped where it can't be had. */
export const PROMETHEUS: Program = {
  names: ["prometheus"],
  packages: { "apt-get": "prometheus", brew: "prometheus" },
  byHand: "install Prometheus with its promtool",
};
