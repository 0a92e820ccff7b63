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
